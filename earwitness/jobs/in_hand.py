"""The stage that a job is in: what `earwitness.recipe.stages` asks of a job, done with the mesh."""

from __future__ import annotations

from collections.abc import Sequence

from earwitness.jobs.context import RunningJob
from earwitness.jobs.preparing import read_prompts
from earwitness.jobs.sampling import run_sampling
from earwitness.jobs.tasks import Pass, pass_of
from earwitness.jobs.training import run_train, run_tune
from earwitness.recipe.stages.base import Learned, Stage, StageJob
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


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

    def data(self, name: str) -> str:
        return self._job.recipe.data[name]

    async def prompts(self, places: Sequence[int] | None = None) -> Sequence[wire.Prompt]:
        prompts = await read_prompts(self._job, self._job.stage.data)
        return prompts if places is None else prompts.at(places)

    def place(self, ordinal: int) -> int:
        if self._pass is None:
            raise ValueError("nothing was sampled")
        return self._pass.place_of(ordinal)

    async def sample(self) -> list[wire.Group]:
        job, phase = self._job, self._job.phase
        asked = job.stage.asks(phase.name, await self.prompts())
        self._pass = pass_of(asked, job.recipe, phase, phase.run_id(job.record.job_id))
        return await run_sampling(job, self._pass, asked.count)

    async def tune(self, manifest_uri: str) -> Learned:
        return await run_tune(self._job, manifest_uri)

    async def train(self, prompts: Sequence[wire.Prompt]) -> Learned:
        return await run_train(self._job, self._job.stage.asks(self._job.phase.name, prompts))

    async def tell(self, kind: str, message: str, metrics: dict[str, float] | None = None) -> None:
        await self._job.tell(kind, message, metrics)
