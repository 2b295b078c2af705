// Spectrogram, pitch and level over one time axis, with the claims below the times they speak of.

const COLOURS = { supported: "--good", contradicted: "--bad", not_checkable: "--open" };

export class Plots {
  constructor(mel, pitch, level) {
    this.canvases = { mel, pitch, level };
    this.claims = [];
    this.near = null;
    this.heard = null;
    new ResizeObserver(() => this.draw()).observe(mel);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(heard) {
    this.heard = heard;
    const pitched = heard.pitch.map(([, hz]) => hz);
    const levels = heard.level.map(([, db]) => db);
    const range = (values, unit) => (values.length ? `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))} ${unit}` : "none");
    this.canvases.mel.setAttribute("aria-label", `Spectrogram of ${heard.seconds.toFixed(2)} seconds, ${heard.events.length} sounds`);
    this.canvases.pitch.setAttribute("aria-label", `Pitch over time: ${range(pitched, "Hz")}`);
    this.canvases.level.setAttribute("aria-label", `Level over time: ${range(levels, "dBFS")}`);
    this.draw();
  }

  draw() {
    if (!this.heard) return;
    const style = getComputedStyle(document.documentElement);
    this.colour = (name) => style.getPropertyValue(name).trim();
    this.drawMel(this.begin("mel"));
    const hz = this.heard.pitch.map(([, value]) => Math.log2(value));
    const pitch = this.begin("pitch");
    this.points(pitch, this.heard.pitch.map(([time, value]) => [time, Math.log2(value)]), Math.min(...hz) - 0.2, Math.max(...hz) + 0.2, false);
    this.label(pitch, hz.length ? `pitch, ${Math.round(2 ** Math.min(...hz))} to ${Math.round(2 ** Math.max(...hz))} Hz` : "no pitch");
    const level = this.begin("level");
    const db = this.heard.level.map(([, value]) => value);
    this.points(level, this.heard.level, Math.max(Math.min(...db), Math.max(...db) - 70) - 3, Math.max(...db) + 3, true);
    this.label(level, `level, up to ${Math.max(...db).toFixed(0)} dBFS`);
    this.bars(level);
  }

  begin(name) {
    const canvas = this.canvases[name];
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const to = canvas.getContext("2d");
    to.scale(ratio, ratio);
    const plot = { to, width: canvas.clientWidth, height: canvas.clientHeight };
    plot.x = (seconds) => (seconds / this.heard.seconds) * plot.width;
    if (this.near !== null) {
      const claim = this.claims.find(({ index }) => index === this.near);
      if (claim) {
        to.globalAlpha = 0.25;
        to.fillStyle = this.colour(COLOURS[claim.verdict]);
        to.fillRect(plot.x(claim.from_seconds), 0, plot.x(claim.to_seconds - claim.from_seconds), plot.height);
        to.globalAlpha = 1;
      }
    }
    return plot;
  }

  drawMel({ to, width, height }) {
    const { bands, columns, cells } = this.heard.mel;
    const bytes = Uint8Array.from(atob(cells), (letter) => letter.charCodeAt(0));
    const picture = new ImageData(columns, bands);
    const probe = document.createElement("canvas");
    probe.width = columns;
    probe.height = bands;
    const [red, green, blue] = rgb(this.colour("--ink"));
    for (let band = 0; band < bands; band += 1) {
      for (let column = 0; column < columns; column += 1) {
        const place = 4 * ((bands - 1 - band) * columns + column);
        const loud = bytes[band * columns + column] / 255;
        picture.data.set([red, green, blue, 255 * loud ** 1.6], place);
      }
    }
    probe.getContext("2d").putImageData(picture, 0, 0);
    to.drawImage(probe, 0, 0, width, height);
  }

  points({ to, x, height }, pairs, low, high, joined) {
    to.strokeStyle = to.fillStyle = this.colour("--accent");
    const y = (value) => height - ((value - low) / (high - low)) * height;
    to.beginPath();
    for (const [time, value] of pairs) {
      if (joined) to.lineTo(x(time), y(Math.max(value, low)));
      else to.fillRect(x(time) - 1, y(value) - 1, 2.5, 2.5);
    }
    if (joined) to.stroke();
  }

  label({ to }, words) {
    to.fillStyle = this.colour("--soft");
    to.font = "12px system-ui, sans-serif";
    to.fillText(words, 6, 14);
  }

  bars({ to, x, height }) {
    const rows = Math.min(this.claims.length, 8);
    this.claims.slice(0, rows).forEach((claim, row) => {
      to.fillStyle = this.colour(COLOURS[claim.verdict]);
      const width = Math.max(3, x(claim.to_seconds - claim.from_seconds));
      to.fillRect(x(claim.from_seconds), height - 5 * (rows - row), width, 3.5);
    });
  }
}

function rgb(hex) {
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
}
