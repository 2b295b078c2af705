"""Which sampled answers DPO prefers to which: a pure function over sampled groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from earwitness.chat import split_response
from earwitness.manifest import Example
from earwitness.recipe.schema import DpoStage
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


@dataclass(frozen=True)
class Paired:
    """What DPO learns from of a sampling pass."""

    examples: list[Example]
    """Chosen, rejected, chosen, rejected, ...: two lines of the manifest are a pair."""
    outcomes: dict[str, int]
    """Answers by what they are: `listens`, `does not listen`, or why they are neither."""


def pair_up(groups: Sequence[wire.Group], stage: DpoStage) -> Paired:
    """At most `max_per_prompt` pairs of each prompt, no text twice: best supported answers first."""
    examples: list[Example] = []
    outcomes: Counter[str] = Counter()
    for group in groups:
        kinds: dict[str, dict[str, wire.Trajectory]] = {}
        for trajectory in sorted(group.trajectories, key=lambda t: (-t.reward.supported, t.index)):
            kind = kind_of(trajectory)
            outcomes[kind] += 1
            kinds.setdefault(kind, {}).setdefault(trajectory.text, trajectory)
        chosen, rejected = (list(kinds.get(kind, {}).values()) for kind in ("listens", "does not listen"))
        for number, pair in enumerate(zip(chosen[: stage.max_per_prompt], rejected, strict=False)):
            examples += [_example(group, t, f"{number}{sign}") for t, sign in zip(pair, "+-", strict=True)]
    return Paired(examples, dict(outcomes))


def kind_of(trajectory: wire.Trajectory) -> str:
    """`listens`: right, coherent, neither surrogate nor denial. `does not listen`: one of the two, right or wrong."""
    reward = trajectory.reward
    if reward.truncated or not reward.well_formed:
        return "malformed"
    if reward.surrogate or reward.denial:
        return "does not listen"
    if not reward.correct:
        return "wrong answer"
    return "listens" if reward.coherent else "incoherent"


def _example(group: wire.Group, trajectory: wire.Trajectory, suffix: str) -> Example:
    reasoning, said = split_response(trajectory.text)
    prompt = wire.Prompt()
    prompt.CopyFrom(group.task.prompt)
    prompt.id = f"{prompt.id}~{suffix}"  # ids are unique within a manifest
    return Example(prompt, reasoning, said)
