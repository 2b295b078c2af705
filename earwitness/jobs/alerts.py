"""Looks at a phase while it runs: a rule of `explain` that begins to hold is an event at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from earwitness.explain.learning import Finding, Seen, findings
from earwitness.explain.window import Window
from earwitness.jobs.changes import InTrouble
from earwitness.jobs.context import RunningJob
from earwitness.series import Steps, steps_of
from earwitness.wire.jobs.v1 import jobs_pb2

LOOK_SECONDS = 10.0
"""Between two looks: trends are over many steps."""


class Alerts:
    """The trouble of one phase of the trainer. What holds now is in the job's record, and so on /metrics."""

    def __init__(self, job: RunningJob) -> None:
        self._job = job
        self._steps: Steps | None = None
        self._looked = 0.0
        self._told = set(job.record.trouble)

    async def see(self, events: Sequence[jobs_pb2.Event]) -> None:
        """Takes notice of what the phase has told."""
        if self._steps is None:  # a jobs service that was started again has the steps before in the store
            before = await self._job.store.all_events(self._job.record.job_id)
            self._steps = await asyncio.to_thread(self._of_phase, before)
        self._steps |= self._of_phase(events)
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        found = await asyncio.to_thread(findings, Seen(Window(dict(self._steps)), {}))
        await self._say(found)

    async def _say(self, found: Iterable[Finding]) -> None:
        """An event for what is new; what is over, or back, only changes the record."""
        holds = InTrouble(tuple(finding.rule for finding in found))
        new = [finding for finding in found if finding.rule not in self._told]
        self._told |= set(holds.rules)
        for finding in new:
            await self._job.tell("alert", f"{finding.words}. Try: {finding.advice}", finding.figures, holds)
        if not new and list(holds.rules) != self._job.record.trouble:
            await self._job.change(holds)

    def _of_phase(self, events: Iterable[jobs_pb2.Event]) -> Steps:
        phase = self._job.phase
        return steps_of(events).get((phase.stage_index, phase.stage_type, phase.name), {})
