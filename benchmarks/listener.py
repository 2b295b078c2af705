"""How well a model hears each kind of question of the probe: greedy answers to fresh clips, with 95 % intervals.

    python benchmarks/listener.py [--model models/listener] [--clips 100] [--seed 1] [--json]

`supported` is the share of the reasoning's checkable claims that the waveform supports. Clips are those of the probe's
held-out split; seeds of recipes are theirs, so take another one than the recipe that taught the model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else files beside this one would hide our packages

from earwitness.families.architecture import read_architecture  # noqa: E402
from earwitness.jobs.report.stats import wilson  # noqa: E402
from earwitness.manifest import read_manifest  # noqa: E402
from earwitness.probe import write_split  # noqa: E402
from earwitness.probe.kinds import KINDS  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.score import score_group  # noqa: E402
from rollout.contract import EngineConfig  # noqa: E402
from rollout.engine import RolloutEngine  # noqa: E402

LISTENER = Path(__file__).parents[1] / "models" / "listener"
GREEDY = trajectory_pb2.Sampling(samples=1, temperature=0.0, top_p=1.0, max_tokens=96, seed=1)
RULE = trajectory_pb2.RewardRule(
    correct_weight=0.8, reasoning_weight=0.2, reasoning_term=trajectory_pb2.REASONING_TERM_PRESENCE, min_think_chars=16
)


@dataclass(frozen=True)
class Heard:
    """What became of the questions of one kind."""

    kind: str
    clips: int
    right: int
    supported: int
    contradicted: int

    @property
    def figures(self) -> dict[str, Any]:
        """Accuracy with its interval, and the share of supported claims."""
        accuracy = self.right / self.clips
        claims = self.supported + self.contradicted
        return {
            "clips": self.clips,
            "accuracy": accuracy,
            "interval": wilson(accuracy, self.clips),
            "supported": self.supported / claims if claims else None,
        }


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=LISTENER, help="Hugging Face directory")
    parser.add_argument("--clips", type=int, default=100, help="clips of each kind")
    parser.add_argument("--seed", type=int, default=1, help="seed of the clips")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        heard = listen(chosen.model, Path(folder), chosen.clips, chosen.seed)
    if chosen.json:
        print(json.dumps({row.kind: row.figures for row in heard}))
    else:
        show(heard)
    return 0


def listen(model: Path, folder: Path, clips: int, seed: int) -> list[Heard]:
    """The answers of a model to `clips` fresh questions of each kind, and to all of them."""
    manifest = write_split(str(folder), clips * len(KINDS), seed, "eval")
    prompts = [example.prompt for example in read_manifest(manifest)]
    groups = asyncio.run(answers(model, prompts))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        scored = list(pool.map(scored_group, [group.SerializeToString() for group in groups], chunksize=8))
    rewards = [trajectory_pb2.Reward.FromString(reward) for reward in scored]
    kinds = [kind.name for kind in KINDS]
    by_kind = {kind: [r for r, p in zip(rewards, prompts, strict=True) if p.kind == kind] for kind in kinds}
    return [summed(kind, found) for kind, found in {**by_kind, "all": rewards}.items()]


async def answers(model: Path, prompts: Sequence[trajectory_pb2.Prompt]) -> list[trajectory_pb2.Group]:
    """A group of one greedy answer for each prompt."""
    longest = read_architecture(model).decoder.max_positions
    engine = await RolloutEngine.start(EngineConfig(str(model), max_model_len=longest))
    try:
        made = await asyncio.gather(
            *(engine.generate(prompt, GREEDY, ordinal=number) for number, prompt in enumerate(prompts))
        )
    finally:
        engine.stop()
    return [
        trajectory_pb2.Group(task=trajectory_pb2.GroupTask(prompt=prompt, reward=RULE), trajectories=trajectories)
        for prompt, (_, trajectories) in zip(prompts, made, strict=True)
    ]


def scored_group(group: bytes) -> bytes:
    """The reward of a group of one; bytes, to cross processes."""
    message = trajectory_pb2.Group.FromString(group)
    score_group(message)
    return message.trajectories[0].reward.SerializeToString()


def summed(kind: str, rewards: Sequence[trajectory_pb2.Reward]) -> Heard:
    """Counts over the rewards of a kind."""
    return Heard(
        kind,
        len(rewards),
        sum(reward.correct for reward in rewards),
        sum(reward.supported for reward in rewards),
        sum(reward.contradicted for reward in rewards),
    )


def show(heard: Sequence[Heard]) -> None:
    """A table in Markdown."""
    print("| kind | clips | right | 95 % interval | claims supported |")
    print("|---|---|---|---|---|")
    for row in heard:
        figures = row.figures
        low, high = (f"{100 * share:.1f}" for share in figures["interval"])
        supported = "" if figures["supported"] is None else f"{100 * figures['supported']:.1f} %"
        print(f"| {row.kind} | {row.clips} | {100 * figures['accuracy']:.1f} % | {low} to {high} | {supported} |")


if __name__ == "__main__":
    sys.exit(main())
