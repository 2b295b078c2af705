"""What a speaker waits for: from the last sample to the first words and the first sound, in paced sessions.

    python benchmarks/realtime.py [--model models/listener] [--sessions 1 4 16] [--turns 8] [--json]

Starts `earwitness serve` and talks to its `/v1/realtime`: sound goes in by frames of 20 ms at the pace of its clock,
the commit follows the last frame at once, and time zero is when that frame was sent. `thought` is the first piece of
reasoning, `answer` the first word of the answer, which comes behind the whole reasoning; `cancel` is from a cancel to
the end of the response. Each is measured with claims unchecked and checked, and with the clip heard in segments while
it is spoken; `behind` is what was computed of the prompt behind the last sample, in tokens.

Then answers are spoken, which needs the extras `speech` and `voice`: `audio` is the first sound; `floor` what model and
voice take alone (the whole answer in words, and its synthesis here); `barge_in` from the first sample of somebody who
interrupts to the event at which a client falls silent; underruns are counted by a player's clock. At the end the engine
is killed in mid-speech: when the client is told, and when it has an answer to the same clip, in the same session.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # else files beside this one would hide our packages

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import soxr  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from websockets.asyncio.client import ClientConnection, connect  # noqa: E402

from earwitness.audio import SAMPLE_RATE, read_audio  # noqa: E402
from earwitness.chat import question_text  # noqa: E402
from earwitness.manifest import read_manifest  # noqa: E402
from earwitness.probe import write_split  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from serving.realtime.aloud import FRAME_SECONDS, play  # noqa: E402
from serving.speech.playback import Spoken  # noqa: E402
from serving.speech.voice import Hibari  # noqa: E402

Prompts = Sequence[trajectory_pb2.Prompt]
VOICE_RATE = 24_000
"""Of the sound that comes, unless another is asked for."""
QUIET_SECONDS = 0.5
"""Of the room, before somebody interrupts: ears that hear their first sound are slower."""
INTERRUPTION = "Stop, please."
SOUND = 0.005
"""From this amplitude on somebody can be heard: -46 dB."""
WAYS: dict[str, dict[str, Any]] = {
    "whole": {},
    "whole, claims checked": {"verify": True},
    "in segments of 0.5 s": {"listening": {"segment_ms": 500}},
}
"""How a clip is heard and answered, as a session says it."""
WRITTEN = ("thought", "answer", "cancel")
START_SECONDS = 300.0
"""Longest wait for the server."""
CLIPS = 28
AGAIN_SECONDS = 0.5
"""After which one who was told that there is no engine asks again."""
SOON_MS = 1_000
ENGINE = "EngineCore"
"""In the name of vLLM's process."""
TOO_LATE = "response_cancel_not_active"
"""What a cancel is told that came when all had been said."""


@dataclass
class Waits:
    """Seconds, a turn each, of all sessions."""

    thought: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    cancel: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    """The answer in words, all of it, and its synthesis alone."""
    audio: list[float] = field(default_factory=list)
    barge_in: list[float] = field(default_factory=list)
    underruns: int = 0
    behind: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    """Think tokens before the answer."""

    def figures(self, *names: str) -> dict[str, float]:
        """p50 and p95 in milliseconds, and the mean of the tokens."""
        found = {}
        for name in names:
            for share in (50, 95):
                found[f"{name}_p{share}_ms"] = 1_000 * float(np.percentile(getattr(self, name), share))
        if self.behind:
            found["behind_tokens"] = float(np.mean(self.behind))
        return found | {"think_tokens": float(np.mean(self.tokens))}


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "listener", help="Hugging Face directory")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 4, 16], help="sessions at a time")
    parser.add_argument("--turns", type=int, default=8, help="turns of each session")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    try:
        voice = Hibari()
    except ModuleNotFoundError as error:
        parser.exit(1, f"{error}: answers are spoken, pip install 'earwitness[speech,voice]'\n")
    with tempfile.TemporaryDirectory() as folder:
        prompts = [example.prompt for example in read_manifest(write_split(folder, CLIPS, 77, "eval"))]
        with served(chosen.model, Path(folder) / "log") as address:
            asyncio.run(talk_all(address, prompts, 1, 2, {}))  # what is compiled or loaded at first use
            rows = [
                {"sessions": count, "how": how}
                | asyncio.run(talk_all(address, prompts, count, chosen.turns, session)).figures(*WRITTEN)
                for count in chosen.sessions
                for how, session in WAYS.items()
            ]
            spoken = [
                {"sessions": count} | asyncio.run(speak_all(address, prompts, count, chosen.turns, voice))
                for count in chosen.sessions
            ]
            killed = asyncio.run(kill(address, prompts[0]))
    held = max((row["sessions"] for row in spoken if row["audio_p95_ms"] < SOON_MS), default=0)
    found = {"rows": rows, "spoken": spoken, "held": held, "killed": killed}
    if chosen.json:
        print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0]} | found))
    else:
        show(rows)
        show_spoken(spoken)
        print(f"\nMost sessions of these whose first sound comes within {SOON_MS} ms (p95): {held}.")
        print("\nEngine killed in mid-speech: " + ", ".join(f"{name} after {ms:.0f} ms" for name, ms in killed.items()))
    return 0


@contextmanager
def served(model: Path, log: Path) -> Iterator[str]:
    """Where a server of the model is."""
    with log.open("wb") as written:
        command = [sys.executable, "-m", "earwitness", "serve", str(model), "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=written, stderr=written)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(r"ready: http://(\S+)", log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(log.read_text())
            time.sleep(0.2)
        yield found[1]
    finally:
        process.terminate()
        process.wait()


async def talk_all(address: str, prompts: Prompts, sessions: int, turns: int, session: dict[str, Any]) -> Waits:
    """Sessions side by side, begun at moments of their own."""
    waits = Waits()
    await asyncio.gather(*(talk(address, prompts, number, turns, session, waits) for number in range(sessions)))
    return waits


class Caller:
    """One client."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def say(self, kind: str, **fields: Any) -> None:
        """Sends an event."""
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, *kinds: str) -> dict[str, Any]:
        """The next event of one of these kinds."""
        while True:
            event = json.loads(await self._socket.recv())
            if event["type"] == "error" and event["error"]["code"] != TOO_LATE:
                raise SystemExit(event["error"]["message"])
            if event["type"] in kinds:
                return dict(event)

    async def ask(self, prompt: trajectory_pb2.Prompt, **session: Any) -> float:
        """Plays a clip and asks about it; the moment of its last frame."""
        kind = {"type": "audio/pcm", "rate": SAMPLE_RATE}
        listening = {"input": {"format": kind, "turn_detection": None}}
        await self.say("session.update", session={"instructions": question_text(prompt), "audio": listening} | session)
        await self.say("input_audio_buffer.clear")
        last = await paced(read_audio(prompt.audio_uri), self)
        await self.say("input_audio_buffer.commit")
        await self.say("response.create")
        return last


async def talk(address: str, prompts: Prompts, number: int, turns: int, session: dict[str, Any], waits: Waits) -> None:
    """One session: turns that are answered, and after each one that is cancelled at its first thought."""
    await asyncio.sleep(0.137 * number)
    async with connect(f"ws://{address}/v1/realtime", proxy=None) as socket:
        caller = Caller(socket)
        for turn in range(turns):
            last = await caller.ask(prompts[(number * turns + turn) % len(prompts)], **session)
            await caller.until("response.reasoning_text.delta")
            waits.thought.append(time.perf_counter() - last)
            await caller.until("response.output_text.delta")
            waits.answer.append(time.perf_counter() - last)
            done = await caller.until("response.done")
            used = done["response"]["usage"]
            waits.tokens.append(used["output_token_details"]["reasoning_tokens"])
            waits.behind.append(used["input_tokens"] - used["input_token_details"]["cached_tokens"])
            await caller.say("response.create")
            await caller.until("response.reasoning_text.delta")
            cancelled = time.perf_counter()
            await caller.say("response.cancel")
            await caller.until("response.done")
            waits.cancel.append(time.perf_counter() - cancelled)


async def speak_all(address: str, prompts: Prompts, sessions: int, turns: int, voice: Hibari) -> dict[str, Any]:
    """Sessions side by side; each question is asked aloud and, for the floor, in words, by half of them first."""
    waits, words = Waits(), soxr.resample(voice(INTERRUPTION), voice.rate, SAMPLE_RATE)
    words = words[np.flatnonzero(np.abs(words) > SOUND)[0] :]
    texts: list[tuple[float, str]] = []

    async def speak(number: int) -> None:
        await asyncio.sleep(0.137 * number)
        async with connect(f"ws://{address}/v1/realtime", proxy=None) as socket:
            caller = Caller(socket)
            for turn in range(2 * turns):
                prompt = prompts[(number * turns + turn // 2) % len(prompts)]
                if (number + turn) % 2:
                    await hear(caller, prompt, words, waits)
                    continue
                last = await caller.ask(prompt, output_modalities=["text"])
                said = (await caller.until("response.output_text.done"))["text"]
                texts.append((time.perf_counter() - last, said))
                await caller.until("response.done")

    before = cpu_seconds()
    await asyncio.gather(*(speak(number) for number in range(sessions)))
    used = {who: 1_000 * (seconds - before[who]) / len(texts) for who, seconds in cpu_seconds().items()}
    for seconds, said in texts:  # now, for all callers are one process, which must not stand still
        began = time.thread_time()
        voice(said)
        waits.whole.append(seconds + time.thread_time() - began)
    found = waits.figures("audio", "whole", "barge_in") | {"underruns": waits.underruns}
    return found | {"over_floor_p95": found["audio_p95_ms"] / found["whole_p95_ms"], "cpu_ms_of_a_turn": used}


def cpu_seconds() -> dict[str, float]:
    """Of a core, since the start: the callers, who are this process, the server, and the engine."""
    used = {"callers": time.process_time(), "server": 0.0, "engine": 0.0}
    for process in psutil.Process().children(recursive=True):
        times = process.cpu_times()
        used["engine" if ENGINE in process.name() else "server"] += times.user + times.system
    return used


async def hear(caller: Caller, prompt: trajectory_pb2.Prompt, words: NDArray[np.float32], waits: Waits) -> None:
    """One spoken answer, all of it, by a player's clock; then another, which is interrupted at its first sound."""
    last = await caller.ask(prompt, output_modalities=["audio"])
    player = Spoken()
    while (event := await caller.until("response.output_audio.delta", "response.done"))["type"] != "response.done":
        if not player.sent:
            waits.audio.append(time.perf_counter() - last)
        player.send(len(base64.b64decode(event["delta"])) / 2 / VOICE_RATE, time.perf_counter())
    waits.underruns += player.underruns
    waits.tokens.append(event["response"]["usage"]["output_token_details"]["reasoning_tokens"])
    await asyncio.sleep(player.ahead(time.perf_counter()))
    listening = {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}
    await caller.say("session.update", session={"audio": listening})
    await paced(np.zeros(int(QUIET_SECONDS * SAMPLE_RATE), np.float32), caller)
    await caller.say("response.create")
    await caller.until("response.output_audio.delta")
    began = time.perf_counter() + FRAME_SECONDS  # the first sample is sent when its frame is full
    speaking = asyncio.create_task(paced(words, caller))
    await caller.until("input_audio_buffer.speech_started")
    waits.barge_in.append(time.perf_counter() - began + FRAME_SECONDS)
    await speaking


async def kill(address: str, prompt: trajectory_pb2.Prompt) -> dict[str, float]:
    """Milliseconds from the engine's death in mid-answer to each thing that the client sees."""
    async with connect(f"ws://{address}/v1/realtime", proxy=None) as socket:
        caller, found = Caller(socket), dict[str, float]()
        await caller.ask(prompt, output_modalities=["audio"])
        await caller.until("response.reasoning_text.delta")
        below = psutil.Process().children(recursive=True)
        began = time.perf_counter()
        next(process for process in below if ENGINE in process.name()).kill()
        while "answered" not in found:
            event = json.loads(await socket.recv())
            seen = {"error": "told", "response.done": "ended"}.get(event["type"])
            if seen == "ended" and event["response"]["status"] == "completed":
                seen = "answered"
            if seen:
                found.setdefault(seen, 1_000 * (time.perf_counter() - began))
            if len(found) > 1 and seen:
                await asyncio.sleep(AGAIN_SECONDS)
                await caller.say("response.create")
    return found


async def paced(samples: NDArray[np.float32], caller: Caller) -> float:
    """Sends sound as a microphone would; the moment of its last frame."""
    return await play(caller.say, (32_767 * samples).astype("<i2").tobytes())


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown."""
    print("| sessions | heard | first thought p50, p95 | first word p50, p95 | cancel p50, p95 | computed behind |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row[f'{n}_p50_ms']:.0f}, {row[f'{n}_p95_ms']:.0f} ms" for n in ("thought", "answer", "cancel")]
        print(f"| {row['sessions']} | {row['how']} | {' | '.join(cells)} | {row['behind_tokens']:.0f} tokens |")
    print(f"\nThink tokens before an answer: {np.mean([row['think_tokens'] for row in rows]):.0f} in the mean.")


def show_spoken(rows: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown."""
    print("\n| sessions | first sound p50, p95 | over model and voice alone (p95) | interrupted p50, p95 | underruns "
          "| CPU of a turn |\n|---|---|---|---|---|---|")  # fmt: skip
    for row in rows:
        audio, barge = (f"{row[f'{n}_p50_ms']:.0f}, {row[f'{n}_p95_ms']:.0f} ms" for n in ("audio", "barge_in"))
        used = ", ".join(f"{who} {ms:.0f} ms" for who, ms in row["cpu_ms_of_a_turn"].items())
        cells = (row["sessions"], audio, f"{row['over_floor_p95']:.2f}", barge, row["underruns"], used)
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    sys.exit(main())
