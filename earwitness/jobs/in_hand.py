"""The stage that a job is in: what `earwitness.recipe.stages` asks of a job, done with the mesh."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from earwitness import artifacts
from earwitness.data.mixture import write_mix
from earwitness.jobs.context import RunningJob
from earwitness.jobs.preparing import Prompts, apart_from, read_examples, read_prompts
from earwitness.jobs.sampling import run_sampling
from earwitness.jobs.tasks import Pass, pass_of
from earwitness.jobs.training import run_train, run_tune
from earwitness.recipe.stages.base import BENCHMARK, BENCHMARKS, Learned, Stage, StageJob
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

SCORE_SECONDS = 600.0
"""Longest that scoring a benchmark may take: a rule costs microseconds a row, the page of mistakes a second."""


class StageInHand(StageJob):
    """A `StageJob` for the current phase of a running job."""

    def __init__(self, job: RunningJob) -> None:
        self._job = job
        self._pass: Pass | None = None

    @property
    def index(self) -> int:
        return self._job.phase.stage_index

    @property
    def earlier(self) -> Sequence[Stage]:
        return self._job.recipe.stages[: self.index]

    def path(self, *parts: str) -> str:
        return self._job.record.path(*parts)

    async def examples(self) -> str:
        parts = self._job.stage.parts
        if len(parts) == 1:
            return self._job.recipe.data[parts[0].name]
        uri = self.path("mixed", f"{self.index}.jsonl")
        if not await asyncio.to_thread(artifacts.exists, uri):
            mixed = [(part.name, part.weight, await read_examples(self._job, part.name)) for part in parts]
            given = await asyncio.to_thread(write_mix, uri, mixed)
            await self.tell("stage", f"examples mixed: {', '.join(f'{n} of {name}' for name, n in given.items())}")
        return uri

    async def prompts(self, places: Sequence[int] | None = None) -> Prompts:
        prompts = await read_prompts(self._job)
        return prompts if places is None else prompts.at(places)

    def place(self, ordinal: int) -> int:
        if self._pass is None:
            raise ValueError("nothing was sampled")
        return self._pass.place_of(ordinal)

    async def sample(self, places: Sequence[int] | None = None) -> list[wire.Group]:
        job, phase = self._job, self._job.phase
        prompts = await self.prompts(places)
        asked = job.stage.asks(phase.name, prompts)
        self._pass = pass_of(asked, job.recipe, phase, phase.run_id(job.record.job_id), prompts.portions)
        most = self._pass.before_a_repeat
        if most < asked.count:
            why = "then one of its manifests would be asked a second time"
            await self.tell("stage", f"{most} of {asked.count} prompts are sampled: {why}")
        return await run_sampling(job, self._pass, min(most, asked.count))

    async def tune(self, manifest_uri: str) -> Learned:
        return await run_tune(self._job, manifest_uri)

    async def train(self, prompts: Sequence[wire.Prompt]) -> Learned:
        if not isinstance(prompts, Prompts):
            raise TypeError("training is on prompts of the stage")
        return await run_train(self._job, self._job.stage.asks(self._job.phase.name, prompts), prompts.portions)

    async def score_benchmark(self, benchmark: str) -> None:
        job, (part,) = self._job, self._job.stage.parts
        given = {
            "name": benchmark,
            "manifest": job.recipe.data[part.name],
            "samples": self.path("samples", f"{job.phase.slug}.jsonl"),
            "folder": self.path(BENCHMARKS, str(self.index)),
        }
        figures = await apart_from(job, "score", given, SCORE_SECONDS)
        await asyncio.to_thread(artifacts.write_json, self.path(BENCHMARKS, str(self.index), BENCHMARK), figures)
        rule = "" if figures["official"] is None else f", {figures['official']:.1f} % by its published rule"
        await self.tell("stage", f"{benchmark}: {figures['strict']:.1f} % strictly{rule}")

    async def tell(self, kind: str, message: str, metrics: dict[str, float] | None = None) -> None:
        await self._job.tell(kind, message, metrics)
