"""Accuracy against latency: right answers, and what a speaker waits for the first word of them, by how much is thought
and when.

    python benchmarks/thinking.py [--model DIR] [--ways first pause] [--clips 140] [--json FILE] [--plot FILE]
    python benchmarks/thinking.py --rows A.json B.json --plot FILE

A way is when a clip is heard and thought about: `after` it, whole; `early`, in segments while it is spoken; `between`,
so and with thoughts behind each segment; `first`, whole once nothing has sounded for a while, and thought about when
the pause has ended the turn; `pause`, so and with thoughts in what is left of the pause. Each is measured with think
blocks of several lengths behind the clip, from none (speak-first) to as long as the model likes. All clips are held
out, and end with a pause. Accuracy is of `--clips` of them, several at a time; the wait is of `--paced` of them, one
after another, from the last sample of the pause to the first word of the answer: the voice is not in it. All come at
the pace of their clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # else files beside this one would hide our packages
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `earwitness serve` has it

import numpy as np  # noqa: E402

from earwitness.audio import SAMPLE_RATE, read_audio  # noqa: E402
from earwitness.chat import question_text  # noqa: E402
from earwitness.families.registry import family_of  # noqa: E402
from earwitness.hearing import Cut, segments  # noqa: E402
from earwitness.manifest import read_manifest  # noqa: E402
from earwitness.probe.write import Asked, write_split  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.correctness import verify_answer  # noqa: E402
from serving.settings import Settings  # noqa: E402
from serving.talk import Question, Talker, Tokens  # noqa: E402

WAYS = ("after", "early", "between", "first", "pause")
THINKING = ("between", "pause")
"""Those with thoughts before the clip has ended."""
WHOLE_SECONDS = 25.0
"""Longer than any clip."""
BUDGETS = (0, 8, 16, 32, None)
AT_A_TIME = 8
NOTICED = 0.2
"""Seconds of a pause until it is taken for one."""
SEED = 78


@dataclass
class Point:
    """One way, and one length of the think block."""

    right: list[bool] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    """Seconds from the last sample to the first word."""
    thoughts: list[int] = field(default_factory=list)
    """Think tokens of an answer, those before the last sample too."""


class Asking:
    """Puts questions to a talker in one process with us."""

    def __init__(self, talker: Talker, model: Path, way: str, budget: int | None, chosen: argparse.Namespace) -> None:
        self._talker, self._family = talker, family_of(model)
        ended = Cut(WHOLE_SECONDS, max(0.0, chosen.pause - NOTICED))
        self._cut = {"after": None, "first": ended, "pause": ended}.get(way, Cut(chosen.segment))
        self._between, self._budget = (chosen.between if way in THINKING else 0), budget

    async def ask(self, prompt: trajectory_pb2.Prompt, point: Point) -> None:
        """One question."""
        clip, tokens = read_audio(prompt.audio_uri), Tokens()
        question = Question(
            question_text(prompt),
            () if self._cut else (clip,),
            segment_seconds=self._cut and self._cut.seconds,
            between=self._between,
            think_tokens=self._budget,
        )
        if self._cut is None:
            last = time.perf_counter()
            pieces = self._talker.answer(question, tokens)
        else:
            *heard, rest = segments(clip, self._family, self._cut)
            listening = await self._talker.listen(question)
            began, spoken = time.perf_counter(), 0.0
            for segment in heard:
                spoken += len(segment) / SAMPLE_RATE
                await asyncio.sleep(began + spoken - time.perf_counter())
                listening.hear(segment)
            await asyncio.sleep(began + len(clip) / SAMPLE_RATE - time.perf_counter())
            last = time.perf_counter()
            pieces = listening.answer(question, tokens, [rest])
        answer, first = "", None
        async for said in pieces:
            answer += said.answer
            if answer and first is None:
                first = time.perf_counter() - last
        if self._cut is not None:
            await listening.close()
        point.right.append(verify_answer(prompt, answer).correct)
        point.waits.append(time.perf_counter() - last if first is None else first)
        point.thoughts.append(tokens.reasoning)


async def measure(
    model: Path, prompts: Sequence[trajectory_pb2.Prompt], chosen: argparse.Namespace
) -> list[dict[str, Any]]:
    """A row for each point."""
    from serving.engine import EngineTalker  # loads vLLM

    talker, rows = await EngineTalker.start(Settings(model)), []
    try:
        await Asking(talker, model, "early", None, chosen).ask(prompts[0], Point())  # what is loaded at first use
        for way in chosen.ways:
            for budget in BUDGETS:
                asking, many, paced = Asking(talker, model, way, budget, chosen), Point(), Point()
                for start in range(0, chosen.clips, AT_A_TIME):
                    some = prompts[start : min(start + AT_A_TIME, chosen.clips)]
                    await asyncio.gather(*(asking.ask(prompt, many) for prompt in some))
                for prompt in prompts[chosen.clips :]:
                    await asking.ask(prompt, paced)
                rows.append({
                    "way": way,
                    "budget": budget,
                    "between": chosen.between if way in THINKING else 0,
                    "right": float(np.mean(many.right)),
                    "of": len(many.right),
                    "wait_p50_ms": 1_000 * float(np.percentile(paced.waits, 50)),
                    "wait_p95_ms": 1_000 * float(np.percentile(paced.waits, 95)),
                    "think_tokens": float(np.mean(many.thoughts)),
                    "load": os.getloadavg()[0],
                })  # fmt: skip
                print(rows[-1], file=sys.stderr)
    finally:
        talker.stop()
    return rows


def name_of(row: dict[str, Any]) -> str:
    """A way in words."""
    early, thoughts = "in segments, while it is spoken", f"at most {row['between']} thoughts"
    return {
        "after": "whole, after it has ended",
        "early": early,
        "between": f"{early}, {thoughts} between",
        "first": "whole, in its pause",
        "pause": f"whole, in its pause, {thoughts} there",
    }[row["way"]]


def show(rows: Sequence[dict[str, Any]]) -> None:
    """A table in Markdown."""
    print("| heard | think block | right | first word p50, p95 | think tokens |\n|---|---|---|---|---|")
    for row in rows:
        block = "whole" if row["budget"] is None else f"{row['budget']}"
        waits = f"{row['wait_p50_ms']:.0f}, {row['wait_p95_ms']:.0f} ms"
        right = f"{100 * row['right']:.1f} % of {row['of']}"
        print(f"| {name_of(row)} | {block} | {right} | {waits} | {row['think_tokens']:.0f} |")


def plot(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """The curves: a line for each way, a point for each length of the think block."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name in dict.fromkeys(map(name_of, rows)):
        of = [row for row in rows if name_of(row) == name]
        x, y = [row["wait_p50_ms"] for row in of], [100 * row["right"] for row in of]
        axes.plot(x, y, marker="o", label=name)
        for row, at in zip(of, zip(x, y, strict=True), strict=True):
            block = "all" if row["budget"] is None else str(row["budget"])
            axes.annotate(block, at, textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set_xlabel("from the last sample to the first word of the answer, ms (median)")
    axes.set_ylabel("right answers, %")
    axes.grid(alpha=0.3)
    axes.legend(title="the clip is heard", loc="lower right")
    figure.savefig(file, dpi=110)


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "listener", help="Hugging Face directory")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="when is heard and thought")
    parser.add_argument("--between", type=int, default=40, help="most thoughts behind a segment")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds of the pause at the end of a clip")
    parser.add_argument("--segment", type=float, default=0.5, help="seconds of a segment")
    parser.add_argument("--clips", type=int, default=140, help="clips for accuracy")
    parser.add_argument("--paced", type=int, default=10, help="further clips, for the wait")
    parser.add_argument("--rows", type=Path, nargs="+", help="rows of runs before, in place of one")
    parser.add_argument("--json", type=Path, help="file of the rows")
    parser.add_argument("--plot", type=Path, help="file of the drawing")
    chosen = parser.parse_args()
    if chosen.rows:
        rows = [row for file in chosen.rows for row in json.loads(file.read_text())]
    else:
        count = chosen.clips + chosen.paced
        with tempfile.TemporaryDirectory() as folder:
            manifest = write_split(folder, count, SEED, "eval", asked=Asked(pause_seconds=chosen.pause))
            rows = asyncio.run(measure(chosen.model, [e.prompt for e in read_manifest(manifest)], chosen))
    show(rows)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows))
    if chosen.plot:
        plot(rows, chosen.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
