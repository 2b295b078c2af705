"""Stage `dpo`: self-cognition correction. Which answer is preferred to which is a pure function."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from earwitness import artifacts
from earwitness.chat import split_response
from earwitness.errors import JobFailed
from earwitness.manifest import Example, write_manifest
from earwitness.recipe.schema.fields import Name, Positive
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import PreferenceTune, Training
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob, numbered, told
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


class DpoStage(Stage):
    """Self-cognition correction: of answers to one prompt, those that listen are preferred to those that do not.

    Preferred: right and coherent, without a surrogate or a denial. Rejected: with one ("I am a text model").
    """

    type: Literal["dpo"] = "dpo"
    data: Name = "train"
    """Manifest of the prompts."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig()
    """Candidates."""
    max_per_prompt: Positive = 2
    """Most pairs of one prompt."""
    tune: PreferenceTune
    """The updates on the pairs; the reference is the policy as the stage begins."""

    def phases(self) -> list[str]:
        return ["sample", "tune"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        pairs = job.path(self.type, f"{job.index}.jsonl")
        if phase == "tune":
            # Without the manifest there was nothing to correct, and the job has said so.
            return await job.tune(pairs) if await asyncio.to_thread(artifacts.exists, pairs) else None
        groups = await job.sample()
        paired = pair_up(groups, self)
        counts = dict(sorted(paired.outcomes.items(), key=lambda item: -item[1]))
        await asyncio.to_thread(artifacts.write_json, job.path(self.type, f"{job.index}.counts.json"), counts)
        if not paired.examples:
            found = f"dpo found no pair among {len(groups)} groups: {told(counts)}"
            if not counts.get("listens"):
                raise JobFailed(f"{found}; no answer could be the better one")
            await job.tell("stage", f"{found}; there is nothing to correct, so the stage is skipped")
            return None
        await asyncio.to_thread(write_manifest, pairs, paired.examples)
        found_pairs = len(paired.examples) // 2
        answers = {f"answers.{what.replace(' ', '_')}": float(n) for what, n in counts.items()}
        message = f"dpo has {found_pairs} pairs of {len(groups)} groups ({told(counts)})"
        await job.tell("stage", message, {"pairs": float(found_pairs), **answers})
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        if phase != "sample":
            return super().asks(phase, prompts)
        return Asked(prompts, self.sampling, min(self.prompts, len(prompts)))

    def training(self, phase: str) -> Training | None:
        return self.tune if phase == "tune" else None


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
            for trajectory, sign in zip(pair, "+-", strict=True):
                prompt = numbered(group.task.prompt, f"{number}{sign}")
                examples.append(Example(prompt, *split_response(trajectory.text)))
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
