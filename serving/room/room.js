// The page: a clip, a question, and an answer whose claims turn green or red while it comes.

import { empty, part, plots, say, show, sum } from "./answer.js";
import { base64, ofFile, record } from "./clip.js";
import * as server from "./server.js";
import { Talk } from "./talk.js";

const player = part("player");
let name = "";
let clip = null; // base64
let recording = null;
let asking = null; // AbortController
let talk = null; // the conversation that is on

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
  plots.claims = [];
  try {
    say("clip-status", "listening …");
    const data = base64(new Uint8Array(await blob.arrayBuffer()));
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
  const answer = empty();
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

// ---- the conversation

part("talk").addEventListener("click", async () => {
  if (talk) return talk.close("");
  talk = new Talk({ on: heard, onClip: take, onEnd: endTalk });
  const opened = talk;
  part("talk").setAttribute("aria-pressed", "true");
  part("talk").textContent = "End";
  part("pauses").disabled = true;
  try {
    await talk.open(server.conversation, part("question").value, part("pauses").checked);
    if (opened !== talk) return; // ended meanwhile
    part("interrupt").disabled = false;
    part("turn").disabled = part("pauses").checked;
    say("talk-status", "listening");
  } catch (error) {
    opened.close(error.message);
  }
});

function endTalk(why) {
  talk = null;
  part("talk").setAttribute("aria-pressed", "false");
  part("talk").textContent = "Talk";
  part("pauses").disabled = false;
  part("turn").disabled = part("interrupt").disabled = true;
  say("talk-status", why);
}

part("turn").addEventListener("click", () => talk.answer());
part("interrupt").addEventListener("click", () => talk.interrupt());
document.addEventListener("keydown", ({ key }) => key === "Escape" && talk?.socket && talk.interrupt());
part("question").addEventListener("change", () => talk?.socket && talk.update({ instructions: part("question").value }));

let spoken = empty(); // the answer that is on its way

function heard(event) {
  switch (event.type) {
    case "input_audio_buffer.speech_started":
      return say("talk-status", "you speak …");
    case "turn.seconds":
      return talk.response || say("talk-status", `listening, ${event.seconds} s`);
    case "input_audio_buffer.committed":
      return say("talk-status", "it thinks …");
    case "response.created":
      spoken = empty();
      return;
    case "response.reasoning_text.delta":
      spoken.reasoning += event.delta;
      return show(spoken);
    case "response.output_audio.delta":
      return say("talk-status", "it speaks: Escape interrupts");
    case "response.output_audio_transcript.delta":
    case "response.output_text.delta":
      spoken.words += event.delta;
      return show(spoken);
    case "response.claims":
      event.claims.forEach((claim) => spoken.claims.set(claim.index, claim));
      return show(spoken);
    case "response.done":
      if (event.response.grounding) sum(event.response.grounding);
      if (event.response.status === "failed") say("talk-status", event.response.status_details.error.message);
      if (event.response.output_modalities[0] === "text") speak(spoken.words);
      return event.response.output.forEach((item) => note(item));
    case "conversation.item.retrieved":
      return note(event.item, " (interrupted)");
    case "error":
      part("turn").disabled = talk?.pauses ?? true;
      return say("talk-status", event.error.message);
  }
}

/** What was said of an item is in the log once, as it was heard. */
function note(item, more = "") {
  const line = document.getElementById(item.id) || Object.assign(document.createElement("li"), { id: item.id });
  const [said] = item.content; // nothing, while it is on its way
  if (!said) return;
  line.textContent = `${said.transcript ?? said.text}${more}`;
  part("turns").append(line);
}

connect();
