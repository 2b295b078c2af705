"""One job while it runs: what its phases work with, and the one way its record changes."""

from __future__ import annotations

import asyncio

import redis.asyncio

from earwitness.jobs.changes import Change, apply
from earwitness.jobs.phases import Phase, phases_of
from earwitness.jobs.record import JobRecord, effective_recipe, recipe_yaml
from earwitness.jobs.store import JobStore, StoredJob, event
from earwitness.jobs.trainer import Trainer
from earwitness.log import Logger
from earwitness.queue import AsyncQueue
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.stages.base import Stage
from earwitness.wire.jobs.v1 import jobs_pb2


class RunningJob:
    """A job in the hands of its runner."""

    def __init__(
        self,
        stored: StoredJob,
        recipe: Recipe,
        holder: str,
        store: JobStore,
        queue: AsyncQueue,
        redis: redis.asyncio.Redis,
        trainer: Trainer,
        consumer: str,
        log: Logger,
    ) -> None:
        self.record: JobRecord = stored.record
        self.submitted_recipe = recipe
        self.phases = phases_of(recipe)
        self.store = store
        self.queue = queue
        self.redis = redis
        self.trainer = trainer
        self.consumer = consumer
        """Name under which the jobs service takes groups from the queue."""
        self.log = log.bind(job=stored.record.job_id)
        self._holder = holder
        self._lock = asyncio.Lock()
        self._sequence = stored.sequence

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.phases[self.record.cursor]

    @property
    def stage(self) -> Stage:
        """The stage that the current phase is one of."""
        return self.submitted_recipe.stages[self.phase.stage_index]

    @property
    def recipe(self) -> Recipe:
        """The recipe as it runs: in the job's own folder, with every manifest by its URI."""
        return effective_recipe(self.record, self.submitted_recipe)

    @property
    def recipe_yaml(self) -> bytes:
        """The recipe as it runs, as text."""
        return recipe_yaml(self.recipe)

    async def tell(
        self, kind: str, message: str, metrics: dict[str, float] | None = None, change: Change | None = None
    ) -> None:
        """Change the record and say so in one event, at once. Raises LeadershipLost."""
        async with self._lock:
            changed = self.record if change is None else apply(self.record, change)
            await self._write(changed, [event(changed, kind, message, metrics)])

    async def change(self, change: Change) -> None:
        """Change the record without a word. Raises LeadershipLost."""
        async with self._lock:
            await self._write(apply(self.record, change), [])

    async def commit(self, record: JobRecord, events: list[jobs_pb2.Event]) -> None:
        """Write a changed record with its events. Raises LeadershipLost."""
        async with self._lock:
            await self._write(record, events)

    async def _write(self, record: JobRecord, events: list[jobs_pb2.Event]) -> None:
        """One at a time: what is written stands behind a known event."""
        self._sequence = await self.store.commit(self._holder, self._sequence, record, events)
        self.record = record
        for told in events:
            figures = {metric.name: metric.value for metric in told.metrics}
            self.log.info(told.message, kind=told.kind, **({"figures": figures} if figures else {}))
