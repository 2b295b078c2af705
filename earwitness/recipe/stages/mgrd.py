"""Stage `mgrd`: Modality Grounded Reasoning Distillation. What it keeps of what was sampled is a pure function."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from earwitness import artifacts
from earwitness.chat import split_response
from earwitness.errors import JobFailed
from earwitness.manifest import Example, write_manifest
from earwitness.recipe.schema.fields import Name, Positive, Share
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Training, Tune
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob, numbered, told
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


class MgrdStage(Stage):
    """Modality Grounded Reasoning Distillation: sample, keep what is grounded, coherent and correct, tune on it."""

    type: Literal["mgrd"] = "mgrd"
    data: Name = "train"
    """Manifest of the prompts."""
    prompts: Positive = 600
    """Prompts to sample, from the start of the seeded shuffle."""
    sampling: SamplingConfig = SamplingConfig(samples=4)
    """Candidates."""
    instruction: Annotated[str, Field(max_length=1000)] = ""
    """Put behind each question with a clip while candidates are sampled, for example to name what is heard; what is
    kept is learned without it."""
    min_supported: Positive = 1
    """Fewest distinct supported claims of a kept trace."""
    min_supported_share: Share = 1.0
    """Smallest supported / (supported + contradicted) of a kept trace."""
    max_per_prompt: Positive = 2
    """Most traces kept for one prompt, so that easy prompts do not crowd out the rest."""
    tune: Tune
    """The updates on what was kept."""

    def phases(self) -> list[str]:
        return ["sample", "tune"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        kept = job.path(self.type, f"{job.index}.jsonl")
        if phase == "tune":
            # Without the manifest there was nothing left to learn, and the job has said so.
            return await job.tune(kept) if await asyncio.to_thread(artifacts.exists, kept) else None
        distilled = distil(await job.sample(), self)
        counts = dict(sorted(distilled.reasons.items(), key=lambda item: -item[1]))
        await asyncio.to_thread(artifacts.write_json, job.path(self.type, f"{job.index}.counts.json"), counts)
        if not distilled.examples:
            found = f"mgrd kept no trace of {sum(counts.values())}: {told(counts)}"
            if not any(isinstance(earlier, MgrdStage) for earlier in job.earlier):
                raise JobFailed(found)
            await job.tell("stage", f"{found}; an earlier round has learned what there was, so this one is skipped")
            return None
        await asyncio.to_thread(write_manifest, kept, distilled.examples)
        figures = {f"traces.{reason.replace(' ', '_')}": float(n) for reason, n in counts.items()}
        message = f"mgrd keeps {counts['kept']} of {sum(counts.values())} traces ({told(counts)})"
        await job.tell("stage", message, figures)
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        if phase != "sample":
            return super().asks(phase, prompts)
        asked = Instructed(prompts, self.instruction) if self.instruction else prompts
        return Asked(asked, self.sampling, min(self.prompts, len(prompts)))

    def training(self, phase: str) -> Training | None:
        return self.tune if phase == "tune" else None


class Instructed(Sequence[wire.Prompt]):
    """Prompts with an instruction behind the question of those that have something to hear."""

    def __init__(self, prompts: Sequence[wire.Prompt], instruction: str) -> None:
        self._prompts = prompts
        self._instruction = instruction

    def __len__(self) -> int:
        return len(self._prompts)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return Instructed(self._prompts[place], self._instruction)
        asked = wire.Prompt()
        asked.CopyFrom(self._prompts[place])
        if asked.audio_uri:
            asked.question = f"{asked.question}\n{self._instruction}"
        return asked


@dataclass(frozen=True)
class Distilled:
    """What MGRD keeps of a sampling pass."""

    examples: list[Example]
    reasons: dict[str, int]
    """Traces by what became of them: `kept`, or the first rule they broke."""


def verdict(trajectory: wire.Trajectory, stage: MgrdStage, *, heard: bool = True) -> str:
    """`kept`, or the first rule of MGRD the trace breaks: correct, coherent, neither surrogate nor denial, grounded.

    A trace about text alone has nothing to be grounded in: the other rules decide.
    """
    reward = trajectory.reward
    checked = reward.supported + reward.contradicted
    if reward.truncated or not reward.well_formed:
        return "malformed"
    if not reward.correct:
        return "wrong answer"
    if not reward.coherent:
        return "incoherent"
    if reward.surrogate:
        return "surrogate"
    if reward.denial:
        return "denial"
    if not heard:
        return "kept"
    if reward.supported < stage.min_supported:
        return "too few supported claims"
    if reward.supported < stage.min_supported_share * checked:
        return "contradicted by the sound"
    return "kept"


def distil(groups: Sequence[wire.Group], stage: MgrdStage) -> Distilled:
    """The kept traces: at most `max_per_prompt` of each prompt, no text twice, best supported first."""
    examples: list[Example] = []
    reasons: Counter[str] = Counter()
    for group in groups:
        kept: dict[str, wire.Trajectory] = {}
        for trajectory in sorted(group.trajectories, key=lambda t: (-t.reward.supported, t.index)):
            outcome = verdict(trajectory, stage, heard=bool(group.task.prompt.audio_uri))
            if outcome == "kept" and trajectory.text in kept:
                outcome = "same text again"
            elif outcome == "kept" and len(kept) == stage.max_per_prompt:
                outcome = "enough of this prompt"
            if outcome == "kept":
                kept[trajectory.text] = trajectory
            reasons[outcome] += 1
        for number, trajectory in enumerate(kept.values()):
            prompt = numbered(group.task.prompt, f"{number}")
            prompt.question = prompt.question.removesuffix(f"\n{stage.instruction}")
            examples.append(Example(prompt, *split_response(trajectory.text)))
    return Distilled(examples, dict(reasons))
