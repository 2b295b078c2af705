// The page: a clip, a question, and an answer whose claims turn green or red while it comes.

import { base64, ofFile, record } from "./clip.js";
import { Plots } from "./draw.js";
import * as server from "./server.js";

const VERDICTS = { supported: "✓ supported", contradicted: "✗ contradicted", not_checkable: "? not checkable" };
const part = (id) => document.getElementById(id);
const plots = new Plots(part("mel"), part("pitch"), part("level"));
const player = part("player");
let name = "";
let clip = null; // base64
let recording = null;
let asking = null; // AbortController

function say(id, words) {
  part(id).textContent = words;
}

async function connect() {
  try {
    name = await server.model();
    say("model", name);
    part("key").hidden = true;
  } catch (error) {
    part("key").hidden = error.status !== 401;
    say("ask-status", error.status === 401 ? "" : error.message);
    if (!part("key").hidden) part("token").focus();
  }
}

part("key").addEventListener("submit", (event) => {
  event.preventDefault();
  server.useToken(part("token").value);
  connect();
});

// ---- the clip

async function take(blob) {
  clip = null;
  try {
    say("clip-status", "listening …");
    const data = await base64(blob);
    const heard = await server.listen(data);
    clip = data;
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(blob);
    part("heard").hidden = false;
    plots.show(heard);
    part("events").replaceChildren(...heard.events.map(row));
    say("clip-status", `${heard.seconds.toFixed(2)} s, ${heard.events.length} ${heard.events.length === 1 ? "sound" : "sounds"}`);
  } catch (error) {
    say("clip-status", error.message);
  }
}

function row(event, number) {
  const line = document.createElement("tr");
  const pitch = event.pitch === null ? "none" : `${event.pitch.toFixed(0)} Hz`;
  const cells = [number + 1, `${event.start.toFixed(2)} s`, `${event.end.toFixed(2)} s`, pitch, `${event.level.toFixed(1)} dBFS`, event.wave];
  line.append(...cells.map((words) => Object.assign(document.createElement("td"), { textContent: words })));
  return line;
}

part("file").addEventListener("change", () => {
  const [file] = part("file").files;
  if (file) ofFile(file).then(take, () => say("clip-status", `${file.name} cannot be read as sound`));
});

for (const [kind, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  part("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    part("drop").classList.toggle("over", over);
    const file = kind === "drop" && event.dataTransfer.files[0];
    if (file) ofFile(file).then(take, () => say("clip-status", `${file.name} cannot be read as sound`));
  });
}

async function endRecording() {
  const ended = recording;
  recording = null;
  part("record").textContent = "Record";
  part("record").setAttribute("aria-pressed", "false");
  if (ended) await take(await ended.stop());
}

part("record").addEventListener("click", async () => {
  if (recording) return endRecording();
  try {
    recording = await record((seconds) => recording && say("clip-status", `recording, ${seconds.toFixed(0)} s`), endRecording);
    part("record").textContent = "Stop recording";
    part("record").setAttribute("aria-pressed", "true");
  } catch (error) {
    say("clip-status", `no microphone: ${error.message}`);
  }
});

part("plots").addEventListener("click", (event) => {
  const box = part("plots").getBoundingClientRect();
  player.currentTime = (player.duration * (event.clientX - box.left)) / box.width || 0;
});

(function follow() {
  part("playhead").style.left = `${(100 * player.currentTime) / player.duration || 0}%`;
  requestAnimationFrame(follow);
})();

// ---- the answer

part("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (asking) return;
  asking = new AbortController();
  part("send").disabled = true;
  part("stop").disabled = false;
  const answer = { reasoning: "", words: "", claims: new Map() };
  show(answer);
  say("share", "");
  say("ask-status", "thinking …");
  try {
    for await (const chunk of server.ask(name, clip, part("question").value, asking.signal)) {
      for (const { delta } of chunk.choices) {
        answer.reasoning += delta.reasoning_content || "";
        answer.words += delta.content || "";
      }
      for (const claim of chunk.claims || []) answer.claims.set(claim.index, claim);
      show(answer);
      if (chunk.grounding) sum(chunk.grounding);
    }
    say("ask-status", clip ? "" : "answered without a clip: nothing to check against");
    speak(answer.words);
  } catch (error) {
    say("ask-status", error.name === "AbortError" ? "stopped" : error.message);
    if (error.status === 401) connect();
  } finally {
    asking = null;
    part("send").disabled = false;
    part("stop").disabled = true;
  }
});

part("stop").addEventListener("click", () => asking && asking.abort());

function sum({ error, supported, contradicted, coverage }) {
  if (error) return say("share", `not checked: ${error}`);
  const decided = supported + contradicted;
  const covers = coverage === null ? "" : `; ${Math.round(100 * coverage)} % of what is said of the sound can be checked`;
  return say("share", decided ? `${supported} of ${decided} checkable claims supported${covers}` : "nothing to check");
}

function show({ reasoning, words, claims }) {
  if (part("answer").textContent !== words) say("answer", words);
  const standing = [...claims.values()].filter(({ verdict }) => verdict in VERDICTS);
  const pieces = [];
  let place = 0;
  for (const claim of [...standing].sort((one, other) => one.start - other.start)) {
    if (claim.start < place || claim.end > reasoning.length) continue; // within one that is marked already
    pieces.push(reasoning.slice(place, claim.start), marked(claim, reasoning.slice(claim.start, claim.end)));
    place = claim.end;
  }
  part("reasoning").replaceChildren(...pieces, reasoning.slice(place));
  const shown = JSON.stringify(standing);
  if (part("claims").dataset.shown !== shown) {
    part("claims").dataset.shown = shown;
    part("claims").replaceChildren(...standing.map(listed));
    plots.claims = standing;
    plots.draw();
  }
}

function marked(claim, words) {
  const mark = Object.assign(document.createElement("mark"), { className: claim.verdict, textContent: words });
  mark.title = `${VERDICTS[claim.verdict]}, measured: ${claim.measured}`;
  return pointed(mark, claim.index);
}

function listed(claim) {
  const item = Object.assign(document.createElement("li"), { className: claim.verdict, tabIndex: 0 });
  const verdict = Object.assign(document.createElement("span"), { className: "verdict", textContent: VERDICTS[claim.verdict] });
  const time = `${claim.from_seconds.toFixed(2)} to ${claim.to_seconds.toFixed(2)} s`;
  item.append(verdict, `: “${claim.text}”, measured: ${claim.measured} (${time})`);
  return pointed(item, claim.index);
}

/** What is pointed at, or has the focus, is lit in the reasoning, in the list and in the plots. */
function pointed(element, index) {
  element.dataset.claim = index;
  for (const kind of ["mouseenter", "focus"]) element.addEventListener(kind, () => light(index));
  for (const kind of ["mouseleave", "blur"]) element.addEventListener(kind, () => light(null));
  return element;
}

function light(index) {
  for (const element of document.querySelectorAll("[data-claim]")) {
    element.classList.toggle("near", index !== null && element.dataset.claim === String(index));
  }
  plots.near = index;
  plots.draw();
}

/** By a voice of this machine, if it has one: others would send the words away. */
function speak(words) {
  const voice = window.speechSynthesis?.getVoices().find(({ localService, lang }) => localService && lang.startsWith("en"));
  if (!part("speak").checked || !words) return;
  if (!voice) {
    say("ask-status", "this machine has no voice of its own");
    return;
  }
  speechSynthesis.cancel();
  speechSynthesis.speak(Object.assign(new SpeechSynthesisUtterance(words), { voice }));
}

connect();
