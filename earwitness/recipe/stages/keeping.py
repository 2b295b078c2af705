"""What stages have in common that sample, keep examples of what came back, and tune on these."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from earwitness import artifacts
from earwitness.manifest import Example, write_manifest
from earwitness.recipe.schema.sampling import SamplingConfig
from earwitness.recipe.schema.updates import Training, Updates
from earwitness.recipe.stages.base import Asked, Learned, Stage, StageJob
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


@dataclass(frozen=True)
class Kept:
    """What is learned of a sampling pass."""

    examples: list[Example]
    outcomes: dict[str, int]
    """Samples by what became of them."""


class KeepingStage(Stage):
    """Samples, and tunes on what `keep` makes of it. Where that is nothing the stage is skipped, or the job fails."""

    if TYPE_CHECKING:  # fields of every subclass, which keeps their order
        prompts: int
        sampling: SamplingConfig
        tune: Updates

    def keep(self, groups: Sequence[wire.Group]) -> Kept:
        """What is learned of the groups: a pure function."""
        raise NotImplementedError

    def words(self, kept: Kept, counts: Mapping[str, int], groups: int) -> tuple[str, dict[str, float]]:
        """What is kept of so many groups, for people, and its figures; `counts`: the outcomes, most frequent first."""
        raise NotImplementedError

    def nothing(self, counts: Mapping[str, int], groups: int, earlier: Sequence[Stage]) -> str:
        """Why there is nothing to learn, for people. Raises JobFailed if the recipe cannot have meant it."""
        raise NotImplementedError

    @property
    def judges(self) -> bool:
        """Whether the reward workers' judge looks at each trace that could be learned from."""
        return False

    async def places(self, job: StageJob) -> Sequence[int] | None:
        """Which prompts of the manifest are sampled; None: all, in turn."""
        return None

    async def goes_on(self, job: StageJob, groups: Sequence[wire.Group], counts: Mapping[str, int]) -> bool:
        """Whether to learn from what was sampled, after a look at all of it; what is against it has been told."""
        return True

    def asked(self, prompts: Sequence[wire.Prompt]) -> Sequence[wire.Prompt]:
        """The prompts as they are sampled."""
        return prompts

    def phases(self) -> list[str]:
        return ["sample", "tune"]

    async def run(self, phase: str, job: StageJob) -> Learned | None:
        manifest = job.path(self.type, f"{job.index}.jsonl")
        if phase == "tune":
            # Without the manifest there was nothing to learn, and the job has said so.
            return await job.tune(manifest) if await asyncio.to_thread(artifacts.exists, manifest) else None
        groups = await job.sample(await self.places(job))
        kept = self.keep(groups)
        counts = dict(sorted(kept.outcomes.items(), key=lambda item: -item[1]))
        await asyncio.to_thread(artifacts.write_json, job.path(self.type, f"{job.index}.counts.json"), counts)
        if not await self.goes_on(job, groups, counts):
            return None
        if not kept.examples:
            await job.tell("stage", self.nothing(counts, len(groups), job.earlier))
            return None
        await asyncio.to_thread(write_manifest, manifest, kept.examples)
        await job.tell("stage", *self.words(kept, counts, len(groups)))
        return None

    def sampled(self) -> SamplingConfig:
        return self.sampling

    def asks(self, phase: str, prompts: Sequence[wire.Prompt]) -> Asked:
        if phase != "sample":
            return super().asks(phase, prompts)
        count = min(self.prompts, len(prompts))
        return Asked(self.asked(prompts), self.sampling, count, judge_traces=self.judges)

    def headroom(self, phase: str) -> bool:
        return phase == "sample"

    def training(self, phase: str) -> Training | None:
        return self.tune if phase == "tune" else None
