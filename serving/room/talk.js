// A conversation: a microphone and a loudspeaker at the two ends of a WebSocket. Nothing here knows the page.

import { base64, wav } from "./clip.js";

const RATE = 24000; // Hz, both ways
const FRAME = RATE / 50; // samples
const FRAME_MS = 20;
const MOST = 29000 / FRAME_MS; // frames between commits; the server takes 29.98 s
const KEPT = 45000 / FRAME_MS; // frames: the longest clip, and what came while its end was told
const AHEAD = 0.05; // seconds until the first sound of an answer, so that the next is there in time

export class Talk {
  /** `on(event)` hears what the server says, and of a turn that its speaker ends its seconds; `onClip(wav)` each turn as the
   * server has it, `onEnd(why)` the end. */
  constructor({ on, onClip, onEnd }) {
    Object.assign(this, { on, onClip, onEnd });
    this.frames = []; // the newest sound
    this.taken = 0; // frames since the first
    this.committed = 0; // the frame with which the next turn begins, where it is the speaker who ends turns
    this.rest = [];
    this.response = null; // the one that is on its way
    this.hushed = null; // the one of which nothing more is played
  }

  /** Opens both ends; `pauses`: the server ends turns, by pauses. Throws where there is no microphone or no server. */
  async open(connect, question, pauses) {
    // Levels and noise are what claims are about: only what the loudspeaker adds is taken out.
    const audio = { echoCancellation: true, noiseSuppression: false, autoGainControl: false };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    if (this.closed) return this.stream.getTracks().forEach((track) => track.stop());
    this.context = new AudioContext({ sampleRate: RATE });
    this.speaker = new Speaker(this.context);
    await this.context.audioWorklet.addModule("/room/recorder.js");
    this.socket = connect();
    await new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onclose = () => reject(new Error("the server takes no conversation now"));
    });
    this.socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
    this.socket.onclose = () => this.close("the server has ended the conversation");
    this.pauses = pauses;
    // One by one: a server without a voice answers in words, one that hears no pauses is told of the end of turns.
    this.update({ verify: true, instructions: question });
    this.update({ output_modalities: ["audio"] });
    if (pauses) this.update({ audio: { input: { turn_detection: { type: "server_vad" } } } });
    const node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.take(data);
    this.context.createMediaStreamSource(this.stream).connect(node);
  }

  update(session) {
    this.say("session.update", { session: { type: "realtime", ...session } });
  }

  /** The turn has ended. */
  answer() {
    this.interrupt();
    this.say("input_audio_buffer.commit");
    this.say("response.create");
    this.hand(this.committed, this.taken);
    this.committed = this.taken;
  }

  /** No more of this answer: what was heard of it is what the conversation holds. */
  interrupt() {
    if (this.response) this.say("response.cancel", { response_id: this.response });
    this.hush();
  }

  /** Both ends, however far they were opened. */
  close(why) {
    if (this.closed) return;
    this.closed = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    if (this.socket) this.socket.onclose = null;
    this.socket?.close();
    if (this.context?.state !== "closed") this.context?.close();
    this.onEnd(why);
  }

  say(type, fields) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, ...fields }));
  }

  /** What the microphone hears is sent, and kept to be drawn. */
  take(block) {
    this.rest.push(...block);
    while (this.rest.length >= FRAME) {
      const frame = Float32Array.from(this.rest.splice(0, FRAME));
      if (!this.pauses && this.taken - this.committed >= MOST) continue;
      this.frames.push(frame);
      this.taken += 1;
      if (this.frames.length > KEPT) this.frames.shift();
      const seconds = ((this.taken - this.committed) * FRAME_MS) / 1000;
      if (!this.pauses && Number.isInteger(seconds)) this.on({ type: "turn.seconds", seconds });
      this.say("input_audio_buffer.append", { audio: base64(new Uint8Array(pcm(frame))) });
    }
  }

  hear(event) {
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.committed = Math.round(event.audio_start_ms / FRAME_MS);
        this.hush();
        break;
      case "input_audio_buffer.speech_stopped":
        this.hand(this.committed, Math.round(event.audio_end_ms / FRAME_MS));
        break;
      case "response.created":
        this.response = event.response.id;
        break;
      case "response.output_audio.delta":
        if (event.response_id !== this.hushed) this.speaker.play(event.item_id, event.delta);
        break;
      case "response.done":
        this.response = null;
        break;
      case "conversation.item.truncated":
        this.say("conversation.item.retrieve", { item_id: event.item_id });
        break;
      case "error":
        if (event.error.param?.includes("turn_detection")) this.pauses = false;
    }
    this.on(event);
  }

  /** Falls silent, and tells the server how far it was heard: the page knows better. */
  hush() {
    this.hushed = this.response;
    const cut = this.speaker.stop();
    if (cut) this.say("conversation.item.truncate", { content_index: 0, ...cut });
  }

  hand(from, to) {
    const first = this.taken - this.frames.length;
    const frames = this.frames.slice(Math.max(0, from - first), Math.max(0, to - first));
    if (frames.length) this.onClip(wav([Float32Array.from(frames.flatMap((frame) => [...frame]))], RATE));
  }
}

/** Plays answers, each from when it comes, in order. */
class Speaker {
  constructor(context) {
    this.context = context;
    this.item = null;
    this.pieces = [];
  }

  play(item, delta) {
    if (item !== this.item) Object.assign(this, { item, pieces: [] });
    const bytes = Uint8Array.from(atob(delta), (letter) => letter.charCodeAt(0));
    const samples = Float32Array.from(new Int16Array(bytes.buffer), (value) => value / 32768);
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    const last = this.pieces.at(-1);
    const now = this.context.currentTime;
    const at = last && last.at + last.seconds > now ? last.at + last.seconds : now + AHEAD;
    source.start(at);
    this.pieces.push({ source, at, seconds: buffer.duration });
  }

  /** Of the answer that is being played: its item, and how far it was heard; null where none is. */
  stop() {
    const now = this.context.currentTime;
    const { item, pieces } = this;
    Object.assign(this, { item: null, pieces: [] });
    if (!pieces.some(({ at, seconds }) => at + seconds > now)) return null;
    pieces.forEach(({ source }) => source.stop());
    const heard = pieces.reduce((sum, { at, seconds }) => sum + Math.max(0, Math.min(seconds, now - at)), 0);
    return { item_id: item, audio_end_ms: Math.floor(1000 * heard) };
  }
}

/** 16 bit, little-endian. */
function pcm(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((value, n) => view.setInt16(2 * n, 32767 * Math.max(-1, Math.min(1, value)), true));
  return view.buffer;
}
