// A clip: recorded, or a file; always something that the server reads.

const READ = /\.(wav|flac|mp3|ogg)$/i;
const LONGEST = 29; // seconds

/** A recording that is under way: `stop()` gives the clip as a WAV. */
export async function record(onSeconds, onFull) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/room/recorder.js");
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const blocks = [];
  let samples = 0;
  node.port.onmessage = ({ data }) => {
    if (samples >= LONGEST * context.sampleRate) return;
    blocks.push(data);
    samples += data.length;
    onSeconds(samples / context.sampleRate);
    if (samples >= LONGEST * context.sampleRate) onFull();
  };
  context.createMediaStreamSource(stream).connect(node);
  return {
    async stop() {
      stream.getTracks().forEach((track) => track.stop());
      const rate = context.sampleRate;
      await context.close();
      return wav([joined(blocks, samples)], rate);
    },
  };
}

/** A file as it is, or as a WAV where only the browser can read it. */
export async function ofFile(file) {
  if (READ.test(file.name)) return file;
  const context = new AudioContext();
  try {
    const decoded = await context.decodeAudioData(await file.arrayBuffer());
    return wav(Array.from({ length: decoded.numberOfChannels }, (_, n) => decoded.getChannelData(n)), decoded.sampleRate);
  } finally {
    await context.close();
  }
}

export function base64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 32768) {
    text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  }
  return btoa(text);
}

function joined(blocks, length) {
  const all = new Float32Array(length);
  let place = 0;
  for (const block of blocks) {
    all.set(block, place);
    place += block.length;
  }
  return all;
}

/** PCM, 16 bit, of channels of equal length. */
export function wav(channels, rate) {
  const frames = channels[0].length;
  const view = new DataView(new ArrayBuffer(44 + frames * channels.length * 2));
  const text = (place, word) => [...word].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * channels.length * 2, true);
  view.setUint16(32, channels.length * 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, view.byteLength - 44, true);
  let place = 44;
  for (let frame = 0; frame < frames; frame += 1) {
    for (const channel of channels) {
      view.setInt16(place, 32767 * Math.max(-1, Math.min(1, channel[frame])), true);
      place += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
