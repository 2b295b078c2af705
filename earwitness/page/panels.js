// What became of the groups, how the weights travel, and more or fewer workers.
"use strict";

const PUBLICATIONS = 8; // as the server

function size(bytes) {
  const unit = ["B", "kB", "MB", "GB", "TB"], power = bytes >= 1 ? Math.min(4, Math.floor(Math.log10(bytes) / 3)) : 0;
  return `${shorten(bytes / 1000 ** power)} ${unit[power]}`;
}

function drawLedger(mesh) {
  const ledger = mesh.ledger;
  of("ledger").textContent = ledger.run_id
    ? `${ledger.run_id}: ${ledger.used} used, ${ledger.dropped} dropped, ${ledger.ready} ready, ${ledger.issued + ledger.rolled + ledger.scored} on their way`
    : "nothing is sampled now";
  of("version").textContent = mesh.version ? `published: version ${mesh.version}` : "";
  of("scale").hidden = !mesh.scalable;
}

function drawPanels(kept) {
  const rows = Object.entries(kept.drops).flatMap(([phase, told]) => {
    const reasons = Object.entries(told).filter(([name]) => name.startsWith("dropped.")).sort((a, b) => b[1] - a[1]);
    return [[phase, "used", told.used ?? 0], ...reasons.map(([name, count]) => [phase, name.slice("dropped.".length), count])];
  });
  table("drops", ["stage", "groups, as last told", "number"], rows);
  table("weights", ["told in step", "as", "bytes", "copied in", "sent in"],
    [...kept.weights].reverse().map((w) => [w.step, w.whole ? "anchor" : "delta", size(w.bytes), `${shorten(w.snapshot)} s`, `${shorten(w.send)} s`]));
}

of("scale").addEventListener("submit", async (event) => {
  event.preventDefault();
  const role = of("role").value, button = event.target.querySelector("button");
  button.disabled = true;
  of("scaled").textContent = "…";
  try {
    of("scaled").textContent = (await ask(`/api/scale/${role}/${of("count").value}`, { method: "POST", headers: { "X-Earwitness": "1" } })).words;
  } catch (error) {
    of("scaled").textContent = error.message;
  }
  button.disabled = false;
});
