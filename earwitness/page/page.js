// Asks for what is new every two seconds, and shows it. Text of models and people is only ever set as text.
"use strict";

const EVERY_MS = 2000;
const WORDS = 300;
const of = (id) => document.getElementById(id);
const store = new Map(); // job id -> {sequence, job, phases, curves: key -> {steps, rows: name -> Map(step -> value), charts}, words}
const groups = new Map(); // phase -> what its charts share, and the charts by title
let shown = "", other = "";

async function ask(path, options) {
  const answer = await fetch(path, options);
  const told = (answer.headers.get("Content-Type") || "").startsWith("application/json") ? await answer.json() : {};
  if (!answer.ok) throw new Error(told.error || `${answer.status} ${answer.statusText}`);
  return told;
}

function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds)), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${hours ? two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function follow(id) {
  const kept = store.get(id) || { sequence: 0, curves: new Map(), words: [], drops: {}, weights: [] };
  store.set(id, kept);
  const told = await ask(`/api/job/${encodeURIComponent(id)}?after=${kept.sequence}`);
  Object.assign(kept, { sequence: told.sequence, job: told.job, phases: told.phases });
  Object.assign(kept.drops, told.drops);
  kept.weights = [...kept.weights, ...told.weights].slice(-PUBLICATIONS);
  kept.words = [...kept.words, ...told.words].slice(-WORDS);
  for (const part of told.curves) {
    const curve = kept.curves.get(part.key) || { steps: new Set(), rows: new Map(), charts: [] };
    kept.curves.set(part.key, curve);
    part.steps.forEach((step) => curve.steps.add(step));
    for (const [name, values] of Object.entries(part.values)) {
      const row = curve.rows.get(name) || new Map();
      curve.rows.set(name, row);
      values.forEach((value, i) => row.set(part.steps[i], value)); // a step taken again replaces the first telling
    }
    for (const chart of part.charts) {
      const there = curve.charts.find((c) => c.title === chart.title);
      if (!there) curve.charts.push(chart);
      else for (const s of chart.series) if (!there.series.some((t) => t.name === s.name)) there.series.push(s);
    }
    curve.fresh = true;
  }
  return kept;
}

function series(curve, s, dashed) {
  const steps = [...curve.steps].sort((a, b) => a - b), row = curve.rows.get(s.name) || new Map();
  return { label: s.label, unit: s.unit, dashed, steps, values: steps.map((step) => row.get(step) ?? null) };
}

function drawCurves() {
  const kept = store.get(shown), over = store.get(other);
  if (!kept) return;
  for (const [key, curve] of kept.curves) {
    let group = groups.get(key);
    if (!group) {
      const section = element("div");
      section.append(element("h2", `Stage ${key}`), element("div", undefined, "grid"));
      of("curves").prepend(section);
      group = { zoom: null, hover: null, smooth: Number(of("smooth").value), charts: new Set(), byTitle: new Map(), grid: section.lastChild };
      groups.set(key, group);
    }
    const overCurve = over?.curves.get(key);
    if (!curve.fresh && !overCurve?.fresh && !group.dirty) continue;
    group.dirty = false;
    for (const { title, series: names } of curve.charts) {
      if (!group.byTitle.has(title)) group.byTitle.set(title, new Chart(group.grid, title, group));
      const drawn = names.map((s) => series(curve, s, false));
      if (overCurve) names.forEach((s) => { if (overCurve.rows.has(s.name)) drawn.push({ ...series(overCurve, s, true), label: `${s.label} (other)` }); });
      group.byTitle.get(title).show(drawn);
    }
    curve.fresh = false;
    if (overCurve) overCurve.fresh = false;
  }
}

function drawJob(kept) {
  const job = kept.job;
  of("state").textContent = job.state;
  of("state").className = `pill ${job.state}`;
  of("line").replaceChildren(...kept.phases.map((phase) => {
    const box = element("div", undefined, "phase"), seconds = phase.end - phase.begin;
    box.style.flexGrow = Math.max(1, Math.sqrt(seconds));
    const bar = element("i");
    bar.style.width = `${phase.steps ? Math.min(100, (100 * phase.step) / phase.steps) : 100}%`;
    const name = `${phase.type} ${phase.phase}`.trim();
    box.append(bar, element("span", name));
    box.title = `${name}: ${clock(seconds)}${phase.steps ? `, ${phase.step} of ${phase.steps}` : ""}`;
    return box;
  }));
  const left = job.left >= 0 && job.state === "running" ? `, ${clock(job.left)} left` : "";
  const step = job.steps ? ` ${job.step} of ${job.steps}${left}` : "";
  of("progress").textContent = `stage ${job.stage + 1} of ${job.stages}: ${job.type} ${job.phase}${step}${job.reason ? ` · ${job.reason}` : ""} · ${job.output}`;
  const can = { pause: job.state === "running", resume: job.state === "paused", cancel: ["queued", "starting", "running", "paused"].includes(job.state) };
  for (const button of of("buttons").children) button.disabled = !can[button.dataset.verb];
  of("words").replaceChildren(...[...kept.words].reverse().map((word) => {
    const line = element("li"), when = element("time", new Date(word.time * 1000).toLocaleTimeString());
    line.append(when, word.text);
    return line;
  }));
}

function drawWhy(told) {
  const says = (phase, i) => told.words[i] || phase.speed || phase.trouble.length; // of most there is nothing to say
  of("why").replaceChildren(...told.phases.map((phase, i) => {
    if (!says(phase, i)) return "";
    const card = element("div", undefined, "card");
    card.append(element("b", `Stage ${phase.stage_index + 1} ${phase.stage_type} ${phase.name}`));
    if (told.words[i]) card.append(element("p", `Bound: ${told.words[i]}`));
    if (phase.speed) {
      const idle = Object.entries(phase.speed.idle).map(([who, share]) => `${who} ${Math.round(100 * share)} %`).join(", ");
      card.append(element("p", `A step takes ${shorten(phase.speed.step_seconds)} s. Idle: ${idle}. KV cache: ${Math.round(100 * phase.speed.kv_use)} % of a rollout worker's is needed.`));
    }
    for (const finding of phase.trouble) card.append(element("p", `${finding.words}. Try: ${finding.advice}`, "trouble"));
    return card;
  }));
}

function table(id, head, rows) {
  const line = (cells, tag) => { const row = element("tr"); row.append(...cells.map((cell) => element(tag, String(cell)))); return row; };
  of(id).replaceChildren(line(head, "th"), ...rows.map((cells) => line(cells, "td")));
}

function drawMesh(mesh) {
  table("workers", ["worker", "role", "state", "version", "load", "tasks", "tokens/s", "seen"],
    mesh.workers.map((w) => [w.name, w.role, w.state, w.version, w.load ? `${w.load} s` : "", w.tasks, w.tokens_per_second, `${w.seen} s ago`]));
  table("streams", ["stream", "waiting", "in hand", "oldest"],
    mesh.streams.map((s) => [s.name, s.waiting, s.pending, s.waiting || s.pending ? clock(s.oldest) : ""]));
}

function fill(select, jobs, chosen, extra) {
  const options = [...extra, ...jobs.map((job) => [job.id, `${job.id} · ${job.state}`])];
  if (select.dataset.options === JSON.stringify(options)) return;
  select.dataset.options = JSON.stringify(options);
  select.replaceChildren(...options.map(([value, text]) => { const made = element("option", text); made.value = value; return made; }));
  select.value = chosen;
}

async function look() {
  const jobs = await ask("/api/jobs");
  if (!shown && jobs.length) shown = (jobs.find((job) => job.state === "running") || jobs[0]).id;
  fill(of("job"), jobs, shown, []);
  fill(of("other"), jobs.filter((job) => job.id !== shown), other, [["", "none"]]);
  const mesh = await ask("/api/mesh");
  drawMesh(mesh);
  drawLedger(mesh);
  if (!shown) return;
  const kept = await follow(shown);
  if (other) await follow(other);
  drawJob(kept);
  drawPanels(kept);
  drawCurves();
  drawWhy(await ask(`/api/explain/${encodeURIComponent(shown)}`));
  // Once there are enough they stay, and while someone listens.
  if (!showsSamples(shown) || (few() && !listening())) await loadGroups(shown);
}

async function run() {
  try {
    if (!document.hidden) await look();
    of("problem").hidden = true;
  } catch (error) {
    of("problem").textContent = error.message;
    of("problem").hidden = false;
  }
  document.body.dataset.looked = String(Number(document.body.dataset.looked || 0) + 1);
  setTimeout(run, EVERY_MS);
}

function again() {
  groups.clear();
  of("curves").replaceChildren();
  for (const kept of store.values()) for (const curve of kept.curves.values()) curve.fresh = true;
}

of("job").addEventListener("change", (event) => { shown = event.target.value; if (other === shown) other = ""; again(); look(); });
of("other").addEventListener("change", (event) => { other = event.target.value; again(); look(); });
of("smooth").addEventListener("input", (event) => {
  for (const group of groups.values()) { group.smooth = Number(event.target.value); group.charts.forEach((chart) => chart.draw()); }
});
of("buttons").addEventListener("click", async (event) => {
  const verb = event.target.dataset.verb;
  if (!verb || (verb === "cancel" && !confirm(`Cancel ${shown}?`))) return;
  event.target.disabled = true;
  try {
    await ask(`/api/${verb}/${encodeURIComponent(shown)}`, { method: "POST", headers: { "X-Earwitness": "1" } });
    await look();
  } catch (error) {
    of("problem").textContent = error.message;
    of("problem").hidden = false;
  }
});
window.addEventListener("resize", () => { for (const group of groups.values()) group.charts.forEach((chart) => chart.draw()); });
window.addEventListener("load", run);
