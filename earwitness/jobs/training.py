"""Phases of the trainer: start it, follow it, and for RL keep it fed.

The trainer remembers nothing that its checkpoints do not hold: when it comes back empty, it is told again what to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from earwitness.admission import admit
from earwitness.data.mixture import Portion
from earwitness.errors import JobFailed
from earwitness.jobs.alerts import Alerts
from earwitness.jobs.changes import StepTold, TrainerSeen, WentBack, apply
from earwitness.jobs.context import RunningJob
from earwitness.jobs.progress import TimeLeft
from earwitness.jobs.sampling import SILENT_SECONDS, drop_reasons, finish_run, issue, outcomes, what_waits
from earwitness.jobs.store import DAMAGE, event
from earwitness.jobs.tasks import pass_of
from earwitness.queue import Counts
from earwitness.recipe.schema import Reinforcement
from earwitness.recipe.stages.base import Asked, Learned, told
from earwitness.wire.errors.v1 import errors_pb2
from earwitness.wire.trainer.v1 import trainer_pb2 as wire

POLL_SECONDS = 0.5
"""Between two questions to the trainer: a step of the toy takes a few seconds."""

FUTILE_STARTS = 4
"""So many starts without one finished step between them mean that the phase kills the trainer."""

BARREN_STEPS = 40
"""So many steps' worth of groups dropped in a row mean that no prompt is left to learn from."""

FIRST_DROPS = 32
"""So many dropped groups are told of, and then each time their number has doubled."""


class Follower:
    """Follows one phase of the trainer to its end; `latest` is what the trainer last said about it."""

    def __init__(self, job: RunningJob, start: wire.StartPhaseRequest) -> None:
        self.latest: wire.GetStatusResponse | None = None
        self._job = job
        self._start = start
        self._alerts = Alerts(job)
        self._progress = TimeLeft()
        self._passed_over: set[str] = set()
        """Damaged checkpoints that the job's events tell of."""

    async def run(self) -> wire.GetStatusResponse:
        """Returns the status of the phase that is done. Raises JobFailed with the trainer's reason, TrainerGone."""
        job, starts = self._job, 0
        furthest = job.record.after_step
        while True:
            status = await job.trainer.status(job.record.after_step)
            if not self._is_ours(status):
                await self._tell_rest(status)
                if status.state == wire.PHASE_STATE_RUNNING:
                    await job.trainer.stop_phase(status.job_id)
                starts += 1
                if starts > FUTILE_STARTS:
                    last = status.reason or "its process ended"
                    raise JobFailed(f"the trainer was started {FUTILE_STARTS} times without finishing a step: {last}")
                step = (await job.trainer.start_phase(self._start)).step
                if starts > 1 or step:
                    await job.tell("stage", f"{job.phase.name} goes on from step {step}")
                # Steps after the checkpoint will be taken again, and told again.
                if step < job.record.after_step:
                    await job.change(WentBack(step))
                continue
            self.latest = status
            for problem in set(status.passed_over) - self._passed_over:
                self._passed_over.add(problem)
                await job.tell(DAMAGE, f"{job.phase.name}: {problem}; an earlier checkpoint is used")
            await self._tell(status)
            if status.step > furthest:
                furthest, starts = status.step, 0
            if status.state == wire.PHASE_STATE_FAILED:
                raise JobFailed(f"the trainer failed: {status.reason}")
            if status.state == wire.PHASE_STATE_DONE:
                return status
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self) -> None:
        """Stops the phase at an update boundary. What it did since it was last asked is told before this returns."""
        trainer, record = self._job.trainer, self._job.record
        await trainer.stop_phase(record.job_id)
        await self._tell_rest(await trainer.status(record.after_step))

    async def _tell_rest(self, status: wire.GetStatusResponse) -> None:
        """Tells of the steps that were done while nobody asked: before a stop, or while this service was away.

        The trainer forgets them when it is started again.
        """
        while self._is_of_this_phase(status) and status.steps_done:
            await self._tell(status)
            status = await self._job.trainer.status(self._job.record.after_step)

    def _is_of_this_phase(self, status: wire.GetStatusResponse) -> bool:
        ours = (self._start.job_id, self._start.stage_index, self._start.phase)
        return (status.job_id, status.stage_index, status.phase) == ours

    def _is_ours(self, status: wire.GetStatusResponse) -> bool:
        """True if the trainer has this phase in hand or at its end, so that it need not be told again."""
        if not self._is_of_this_phase(status) or status.state in (wire.PHASE_STATE_IDLE, wire.PHASE_STATE_STOPPED):
            return False
        # A server that the trainer could not reach may be back: only `FUTILE_STARTS` of these end the job.
        unreachable = status.reason_kind == errors_pb2.ERROR_KIND_INFRASTRUCTURE
        return not (status.state == wire.PHASE_STATE_FAILED and unreachable)

    async def _tell(self, status: wire.GetStatusResponse) -> None:
        """One event for each step that has not been told."""
        job, record = self._job, self._job.record
        new = [s for s in status.steps_done if s.step > record.after_step]
        if not new and (status.step, status.lineage) == (record.step, record.lineage):
            return
        seen = TrainerSeen(
            status.step,
            status.steps,
            self._progress.seconds_left(status.step, status.steps, time.monotonic()),
            lineage=status.lineage if status.run_id else None,
            version=status.version if status.run_id else None,
        )
        events = []
        for done in new:
            record = apply(record, seen, StepTold(done.step))
            metrics = {m.name: m.value for m in done.metrics}
            events.append(event(record, "step", f"step {done.step} of {status.steps}", metrics))
        await job.commit(apply(record, seen), events)
        await self._alerts.see(events)


def start_request(job: RunningJob, phase: str, manifest_uri: str = "") -> wire.StartPhaseRequest:
    """What the trainer is told to do in the current phase."""
    record = job.record
    return wire.StartPhaseRequest(
        job_id=record.job_id,
        recipe_yaml=job.recipe_yaml,
        stage_index=job.phase.stage_index,
        phase=phase,
        model_uri=record.model_uri,
        init_uri=record.checkpoint_uri,
        manifest_uri=manifest_uri,
        checkpoint_uri=record.path("checkpoints", f"{job.phase.stage_index}-{job.phase.stage_type}"),
        base_version=record.version,
        base_lineage=record.lineage,
    )


async def stop_trainer(job: RunningJob) -> None:
    """Whatever the trainer does of the job, it does no longer, and each step that it did is told."""
    await Follower(job, start_request(job, job.phase.name)).stop()


async def run_tune(job: RunningJob, manifest_uri: str) -> Learned:
    """Updates on the examples of a manifest."""
    status = await Follower(job, start_request(job, job.phase.name, manifest_uri)).run()
    return Learned(status.checkpoint_uri, updates=1)


async def run_train(job: RunningJob, asked: Asked, portions: Sequence[Portion]) -> Learned:
    """RL: the trainer consumes and publishes while tasks are issued, of manifests in `portions`."""
    training = job.stage.training(job.phase.name)
    if not isinstance(training, Reinforcement):
        raise TypeError(f"phase {job.phase.name} of {job.phase.stage_type} does not train on what it samples")
    follower = Follower(job, start_request(job, job.phase.name))
    following = asyncio.create_task(follower.run(), name="follow")
    issuing = asyncio.create_task(_issue(job, training, asked, portions, follower), name="issue")
    try:
        await asyncio.wait({following, issuing}, return_when=asyncio.FIRST_COMPLETED)
        if not following.done():
            issuing.result()  # it ends by itself only with an error
        status = await following
    finally:
        for task in (following, issuing):
            task.cancel()
        await asyncio.gather(following, issuing, return_exceptions=True)
    if status.run_id:
        await finish_run(job, status.run_id, trained=True)
    return Learned(status.checkpoint_uri, training.steps, status.lineage)


async def _issue(
    job: RunningJob, training: Reinforcement, asked: Asked, portions: Sequence[Portion], follower: Follower
) -> None:
    """Issue tasks as the admission rule allows, until cancelled. Raises JobFailed if nothing is left to learn from."""
    run_id, next_ordinal, known, total = "", 0, set[int](), 0
    fruit = (-1, 0)  # groups accepted and dropped when one was last accepted
    last_counts, last_change = Counts(), time.monotonic()
    drops_to_tell = FIRST_DROPS
    while True:
        await asyncio.sleep(POLL_SECONDS / 2)
        status = follower.latest
        if status is None or not status.run_id or await job.queue.current_run() != status.run_id:
            continue
        if status.run_id != run_id:
            # A run of its own for every lineage; its ledger starts with what the checkpoint has consumed.
            run_id, total = status.run_id, 0
            next_ordinal, known = 0, set(await job.queue.ledger(run_id))
            fruit = (-1, 0)
            last_counts, last_change = Counts(), time.monotonic()
        tasks = pass_of(asked, job.recipe, job.phase, run_id, portions)
        counts = await job.queue.counts(run_id)
        if counts.total < total:  # the queue has lost its last second: what was issued then is issued again
            next_ordinal, known = 0, set(await job.queue.ledger(run_id))
        total = counts.total
        updates = max(0, status.version - job.record.version)
        allowed = admit(
            training.max_running,
            counts.running,
            training.max_staleness,
            updates,
            training.groups_per_step,
            counts.accepted,
        )
        # Nothing beyond the last step is ever consumed.
        allowed = min(allowed, training.steps * training.groups_per_step - counts.accepted - counts.running)
        for _ in range(allowed):
            while next_ordinal in known:
                next_ordinal += 1
            total += await issue(job, tasks, next_ordinal, job.record.version + updates, status.lineage)
            next_ordinal += 1
        if counts != last_counts:
            last_counts, last_change = counts, time.monotonic()
        elif time.monotonic() - last_change > SILENT_SECONDS and counts.running:
            last_change = time.monotonic()
            await job.tell("worker", f"no group moved for {SILENT_SECONDS:.0f} s: {await what_waits(job)}")
            await job.queue.recount(run_id)
        if counts.dropped >= drops_to_tell:
            drops_to_tell = 2 * counts.dropped
            reasons = drop_reasons(await job.queue.ledger(run_id))
            message = f"{counts.dropped} groups dropped so far: {told(reasons)}"
            await job.tell("drop", message, outcomes(counts.used, reasons))
        if counts.accepted != fruit[0]:
            fruit = (counts.accepted, counts.dropped)
        barren = counts.dropped - fruit[1]
        if barren > BARREN_STEPS * training.groups_per_step:
            reasons = drop_reasons(await job.queue.ledger(run_id))
            raise JobFailed(f"no group to learn from among the last {barren}; dropped so far: {told(reasons)}")
