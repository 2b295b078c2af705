"""What a speaker waits for: from the last sample to the first words, in sessions that are paced as speech is.

    python benchmarks/realtime.py [--model models/listener] [--sessions 1 4 16] [--turns 8] [--json]

Starts `earwitness serve` and talks to its `/v1/realtime`: sound goes in by frames of 20 ms at the pace of its clock,
the commit follows the last frame at once, and time zero is when that frame was sent. `thought` is the first piece of
reasoning, `answer` the first word of the answer, which comes behind the whole reasoning; `cancel` is from a cancel to
the end of the response. Each is measured with claims unchecked and checked.
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
from websockets.asyncio.client import connect  # noqa: E402

from earwitness.audio import SAMPLE_RATE, read_audio  # noqa: E402
from earwitness.chat import question_text  # noqa: E402
from earwitness.manifest import read_manifest  # noqa: E402
from earwitness.probe import write_split  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402

FRAME_SECONDS = 0.02
START_SECONDS = 300.0
"""Longest wait for the server."""
CLIPS = 28
TOO_LATE = "response_cancel_not_active"
"""What a cancel is told that came when all had been said."""


@dataclass
class Waits:
    """Seconds, a turn each, of all sessions."""

    thought: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    cancel: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    """Think tokens before the answer."""

    def figures(self) -> dict[str, float]:
        """p50 and p95 in milliseconds, and the mean of the tokens."""
        found = {}
        for name in ("thought", "answer", "cancel"):
            for share in (50, 95):
                found[f"{name}_p{share}_ms"] = 1_000 * float(np.percentile(getattr(self, name), share))
        return found | {"think_tokens": float(np.mean(self.tokens))}


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "listener", help="Hugging Face directory")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 4, 16], help="sessions at a time")
    parser.add_argument("--turns", type=int, default=8, help="turns of each session")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        prompts = [example.prompt for example in read_manifest(write_split(folder, CLIPS, 77, "eval"))]
        with served(chosen.model, Path(folder) / "log") as address:
            asyncio.run(talk_all(address, prompts, 1, 2, False))  # what is compiled or loaded at first use
            rows = [
                {"sessions": count, "verify": verify}
                | asyncio.run(talk_all(address, prompts, count, chosen.turns, verify)).figures()
                for count in chosen.sessions
                for verify in (False, True)
            ]
    if chosen.json:
        print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "rows": rows}))
    else:
        show(rows)
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


async def talk_all(
    address: str, prompts: Sequence[trajectory_pb2.Prompt], sessions: int, turns: int, verify: bool
) -> Waits:
    """Sessions side by side, begun at moments of their own."""
    waits = Waits()
    await asyncio.gather(*(talk(address, prompts, number, turns, verify, waits) for number in range(sessions)))
    return waits


async def talk(
    address: str, prompts: Sequence[trajectory_pb2.Prompt], number: int, turns: int, verify: bool, waits: Waits
) -> None:
    """One session: turns that are answered, and after each one that is cancelled at its first thought."""
    await asyncio.sleep(0.137 * number)
    async with connect(f"ws://{address}/v1/realtime", proxy=None) as socket:

        async def say(kind: str, **fields: Any) -> None:
            await socket.send(json.dumps({"type": kind, **fields}))

        async def until(*kinds: str) -> dict[str, Any]:
            while True:
                event = json.loads(await socket.recv())
                if event["type"] == "error" and event["error"]["code"] != TOO_LATE:
                    raise SystemExit(event["error"]["message"])
                if event["type"] in kinds:
                    return dict(event)

        for turn in range(turns):
            prompt = prompts[(number * turns + turn) % len(prompts)]
            sound = (32_767 * read_audio(prompt.audio_uri)).astype("<i2").tobytes()
            kind = {"type": "audio/pcm", "rate": SAMPLE_RATE}
            session = {"instructions": question_text(prompt), "verify": verify, "audio": {"input": {"format": kind}}}
            await say("session.update", session=session)
            last = await paced(sound, say)
            await say("input_audio_buffer.commit")
            await say("response.create")
            await until("response.reasoning_text.delta")
            waits.thought.append(time.perf_counter() - last)
            await until("response.output_text.delta")
            waits.answer.append(time.perf_counter() - last)
            done = await until("response.done")
            waits.tokens.append(done["response"]["usage"]["output_token_details"]["reasoning_tokens"])
            await say("response.create")
            await until("response.reasoning_text.delta")
            cancelled = time.perf_counter()
            await say("response.cancel")
            await until("response.done")
            waits.cancel.append(time.perf_counter() - cancelled)


async def paced(sound: bytes, say: Any) -> float:
    """Sends sound as a microphone would; the moment of its last frame."""
    size = int(FRAME_SECONDS * SAMPLE_RATE) * 2
    began = time.perf_counter()
    for index, start in enumerate(range(0, len(sound), size)):
        await asyncio.sleep(max(0.0, began + (index + 1) * FRAME_SECONDS - time.perf_counter()))
        await say("input_audio_buffer.append", audio=base64.b64encode(sound[start : start + size]).decode())
    return time.perf_counter()


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown."""
    print("| sessions | claims | first thought p50, p95 | first word of the answer p50, p95 | cancel p50, p95 |")
    print("|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row[f'{n}_p50_ms']:.0f}, {row[f'{n}_p95_ms']:.0f} ms" for n in ("thought", "answer", "cancel")]
        print(f"| {row['sessions']} | {'checked' if row['verify'] else 'not'} | {' | '.join(cells)} |")
    print(f"\nThink tokens before an answer: {np.mean([row['think_tokens'] for row in rows]):.0f} in the mean.")


if __name__ == "__main__":
    sys.exit(main())
