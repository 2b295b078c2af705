// Curves on a canvas: smoothing, zoom by dragging, a cross-hair that all charts of a phase share. No library: a chart is
// two loops, and each column of pixels gets the extremes of its points, so that ten thousand steps draw as fast as a hundred.
"use strict";

const MARGIN = { left: 52, right: 10, top: 8, bottom: 22 };
const HEIGHT = 190;

function shorten(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-3) return value.toExponential(1);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

function ticks(low, high, about) {
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

// Running mean over `share` of the curve, gaps left out.
function smoothed(values, share) {
  const half = Math.floor((values.length * share) / 2);
  if (!half) return values;
  const sums = [0], counts = [0];
  for (const value of values) {
    sums.push(sums.at(-1) + (value ?? 0));
    counts.push(counts.at(-1) + (value === null ? 0 : 1));
  }
  return values.map((_, i) => {
    const from = Math.max(0, i - half), to = Math.min(values.length, i + half + 1), n = counts[to] - counts[from];
    return n ? (sums[to] - sums[from]) / n : null;
  });
}

class Chart {
  // group: {zoom: [low, high] | null, hover: step | null, smooth: share, charts: Set}, shared by the charts of a phase.
  constructor(holder, title, group) {
    this.title = title;
    this.group = group;
    this.series = [];
    this.card = document.createElement("figure");
    this.card.className = "chart";
    this.caption = document.createElement("figcaption");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.legend = document.createElement("p");
    this.legend.className = "legend";
    this.card.append(this.caption, this.canvas, this.legend);
    this.caption.textContent = title;
    holder.append(this.card);
    group.charts.add(this);
    this.listen();
  }

  // series: [{label, unit, steps, values, dashed}]
  show(series) {
    this.series = series;
    this.draw();
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect(), [low, high] = this.span;
      const share = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right);
      return low + Math.min(1, Math.max(0, share)) * (high - low);
    };
    const all = () => this.group.charts.forEach((chart) => chart.draw());
    let from = null;
    this.canvas.addEventListener("pointerdown", (event) => { from = at(event); this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointermove", (event) => { this.group.hover = at(event); all(); });
    this.canvas.addEventListener("pointerleave", () => { this.group.hover = null; all(); });
    this.canvas.addEventListener("pointerup", (event) => {
      const to = at(event);
      if (from !== null && Math.abs(to - from) >= 2) this.group.zoom = [Math.min(from, to), Math.max(from, to)];
      from = null;
      all();
    });
    this.canvas.addEventListener("dblclick", () => { this.group.zoom = null; all(); });
  }

  get span() {
    if (this.group.zoom) return this.group.zoom;
    const ends = this.series.filter((s) => s.steps.length).flatMap((s) => [s.steps[0], s.steps.at(-1)]);
    const low = Math.min(...ends), high = Math.max(...ends);
    return high > low ? [low, high] : [low - 0.5, low + 0.5];
  }

  draw() {
    const width = this.card.clientWidth || 420, scale = window.devicePixelRatio || 1;
    if (!this.series.some((s) => s.steps.length)) return;
    this.canvas.width = width * scale;
    this.canvas.height = HEIGHT * scale;
    this.canvas.style.height = `${HEIGHT}px`;
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    const [left, right] = this.span, inner = width - MARGIN.left - MARGIN.right;
    const drawn = this.series.map((s) => ({ ...s, smooth: smoothed(s.values, this.group.smooth) }));
    let low = Infinity, high = -Infinity;
    for (const s of drawn) for (let i = 0; i < s.steps.length; i++) {
      const value = s.smooth[i];
      if (value === null || s.steps[i] < left || s.steps[i] > right) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) [low, high] = [0, 1];
    if (high - low < 1e-9 * Math.max(Math.abs(low), 1e-9)) [low, high] = [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
    const x = (step) => MARGIN.left + ((step - left) / (right - left)) * inner;
    const y = (value) => HEIGHT - MARGIN.bottom - ((value - low) / (high - low)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
    pen.font = "11px system-ui, sans-serif";
    pen.fillStyle = style.getPropertyValue("--soft");
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.lineWidth = 1;
    pen.textAlign = "right";
    for (const tick of ticks(low, high, 4)) {
      pen.beginPath(); pen.moveTo(MARGIN.left, y(tick)); pen.lineTo(width - MARGIN.right, y(tick)); pen.stroke();
      pen.fillText(shorten(tick), MARGIN.left - 6, y(tick) + 4);
    }
    pen.textAlign = "center";
    for (const tick of ticks(left, right, Math.max(2, inner / 90))) if (Number.isInteger(tick)) pen.fillText(shorten(tick), x(tick), HEIGHT - 6);
    drawn.forEach((s, i) => {
      pen.strokeStyle = style.getPropertyValue(`--c${i % 8}`);
      pen.lineWidth = 1.6;
      pen.setLineDash(s.dashed ? [5, 4] : []);
      this.line(pen, s, x, y, left, right);
    });
    pen.setLineDash([]);
    this.tell(pen, drawn, x, left, right);
  }

  line(pen, s, x, y, left, right) {
    pen.beginPath();
    let column = null, first = 0, low = 0, high = 0, last = 0, open = false;
    const flush = () => {
      if (column === null) return;
      open ? pen.lineTo(column, y(first)) : pen.moveTo(column, y(first));
      open = true;
      if (high > low) { pen.lineTo(column, y(low)); pen.lineTo(column, y(high)); }
      pen.lineTo(column, y(last));
    };
    for (let i = 0; i < s.steps.length; i++) {
      const value = s.smooth[i], step = s.steps[i];
      if (value === null || step < left || step > right) continue;
      const at = s.steps.length > 800 ? Math.round(x(step)) : x(step);
      if (at !== column) { flush(); column = at; first = low = high = value; }
      if (value < low) low = value;
      if (value > high) high = value;
      last = value;
    }
    flush();
    pen.stroke();
  }

  // Legend, label and cross-hair: the values under the pointer, else the newest.
  tell(pen, drawn, x, left, right) {
    const hover = this.group.hover, entries = drawn.map((s, i) => {
      let at = s.steps.length - 1;
      if (hover !== null) { at = s.steps.findIndex((step) => step >= hover); if (at < 0) at = s.steps.length - 1; }
      return { i, dashed: s.dashed, step: s.steps[at], text: `${s.label} ${shorten(s.smooth[at])}${s.unit ? ` ${s.unit}` : ""}` };
    });
    this.legend.replaceChildren(...entries.map((entry) => {
      const key = document.createElement("span");
      key.className = `key k${entry.i % 8}${entry.dashed ? " dashed" : ""}`;
      key.textContent = entry.text;
      return key;
    }));
    this.caption.textContent = hover === null ? this.title : `${this.title} · step ${entries[0]?.step ?? ""}`;
    this.canvas.setAttribute("aria-label", `${this.title}: ${entries.map((entry) => entry.text).join(", ")}`);
    if (hover === null || hover < left || hover > right) return;
    pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--soft");
    pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(x(hover), MARGIN.top); pen.lineTo(x(hover), HEIGHT - MARGIN.bottom); pen.stroke();
  }
}
