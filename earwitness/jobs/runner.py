"""Runs jobs, one at a time. The whole life of a job is on this page.

Every phase can be stopped at any await and run again from its start: what it has done is in the store, the ledger, the
job's folder and the trainer's checkpoints. So a pause, a cancellation, and the death of this process are the same
thing to a phase.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import redis.asyncio
from prometheus_client import Counter

from earwitness import artifacts, tracing
from earwitness.active import ActiveJob, clear_active_async, write_active_async
from earwitness.errors import EarwitnessError, InfrastructureError, JobFailed
from earwitness.jobs.changes import Ended, Paused, PhaseDone, Prepared, Resumed, Running, Started
from earwitness.jobs.context import RunningJob
from earwitness.jobs.in_hand import StageInHand
from earwitness.jobs.leader import Leadership
from earwitness.jobs.preparing import active_job, prepare
from earwitness.jobs.report import report_metrics, write_report
from earwitness.jobs.states import State, Wish, next_action
from earwitness.jobs.store import JobStore, LeadershipLost
from earwitness.jobs.track import Tracking
from earwitness.jobs.trainer import Trainer, TrainerGone
from earwitness.jobs.training import stop_trainer
from earwitness.log import Logger
from earwitness.metrics import series
from earwitness.queue import AsyncQueue
from earwitness.recipe.load import load_recipe
from earwitness.recipe.stages.base import Learned, is_over
from earwitness.wire.trainer.v1 import trainer_pb2

IDLE_SECONDS = 0.3
"""Between two looks at the queue of jobs, and at what the person wants."""

ACTIVE_SECONDS = 5.0
"""Between two times that workers are told of the job: a queue that crashes may have lost the last."""

STOP_SECONDS = 7.0
"""A cancellation waits so long for the trainer; it then ends, and the next job waits for the trainer instead."""

START_TRIES = 5
"""So often a job that starts waits for the trainer as long as it takes to be called gone: ten minutes."""

SAVE_SECONDS = 60.0
"""A pause waits so long for the checkpoint that saves the steps since the last one."""


ENDED = Counter(*series("jobs_ended"))
for ended in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
    ENDED.labels(ended.lower())  # a series that begins at 1 has not increased


@dataclass(eq=False)
class Runner:
    """Takes jobs from the store and runs them while this process leads."""

    store: JobStore
    queue: AsyncQueue
    redis: redis.asyncio.Redis
    trainer: Trainer
    name: str
    log: Logger
    _active: ActiveJob | None = None
    """What the workers were told in the current phase."""

    async def run(self) -> None:
        """Run until cancelled. Redis away or the leadership lost: begin again, the state is where it was."""
        while True:
            leadership = Leadership(self.redis, self.name)
            try:
                await leadership.acquire()
                await self._lead(leadership)
            except (InfrastructureError, LeadershipLost) as error:
                self.log.warning("begin again", reason=str(error))
                await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                await leadership.release()
                raise

    async def _lead(self, leadership: Leadership) -> None:
        keep = asyncio.create_task(leadership.keep(), name="keep leadership")
        work = asyncio.create_task(self._work(leadership.holder), name="work")
        try:
            await asyncio.wait({keep, work}, return_when=asyncio.FIRST_COMPLETED)
            for task in (keep, work):
                if task.done():
                    task.result()
        finally:
            for task in (keep, work):
                task.cancel()
            await asyncio.gather(keep, work, return_exceptions=True)

    async def _work(self, holder: str) -> None:
        while True:
            job_id = await self.store.take(holder)
            if job_id is None:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            stored = await self.store.get(job_id)
            # Beside the event loop: a recipe may be a mebibyte of YAML.
            recipe = await asyncio.to_thread(load_recipe, stored.recipe)
            job = RunningJob(
                stored, recipe, holder, self.store, self.queue, self.redis, self.trainer,
                f"{self.name}-ready", self.log,
            )  # fmt: skip
            async with Tracking(job):
                await self._run_job(job)

    async def _run_job(self, job: RunningJob) -> None:
        """From wherever the job is to its end."""
        while True:
            match next_action(job.record.state, await self.store.wish(job.record.job_id)):
                case "nothing":
                    await job.commit(job.record, [])  # ended already: leave the mesh free
                    return
                case "start":
                    await job.tell("state", f"{job.record.job_id} starts", change=Started(time.time()))
                case "work":
                    await self._work_on_phase(job)
                case "stop for pause":
                    await self._pause(job)
                case "wait":
                    await asyncio.sleep(IDLE_SECONDS)
                case "go on":
                    await job.tell("state", f"{job.record.job_id} goes on", change=Resumed(time.time()))
                case "stop for cancel":
                    await self._stop(job)
                    await self._end(job, State.CANCELLED, "")

    async def _work_on_phase(self, job: RunningJob) -> None:
        """Run the current phase until it is done or the person wants something else."""
        self._active = None
        work = asyncio.create_task(self._traced(job), name=f"phase {job.phase.slug}")
        wished = asyncio.create_task(self._until_wished(job), name="wish")
        try:
            await asyncio.wait({work, wished}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                wished.result()
                return
            outcome = work.result()
        except EarwitnessError as error:
            if isinstance(error, LeadershipLost | InfrastructureError) and not isinstance(error, TrainerGone):
                raise  # not the job's fault: `run` begins again where the job stands
            await self._fail(job, str(error))
        except Exception as error:
            self.log.exception("job failed", error, job=job.record.job_id)
            await self._fail(job, f"internal error: {type(error).__name__}: {error}")
        else:
            await self._advance(job, outcome)
        finally:
            for task in (work, wished):
                task.cancel()
            await asyncio.gather(work, wished, return_exceptions=True)

    async def _until_wished(self, job: RunningJob) -> Wish:
        """Returns once the person wants something that changes what the runner does."""
        told = time.monotonic()
        while True:
            wish = await self.store.wish(job.record.job_id)
            if next_action(job.record.state, wish) != "work":
                return wish
            if self._active is not None and time.monotonic() - told > ACTIVE_SECONDS:
                told = time.monotonic()
                await write_active_async(job.redis, self._active)
            await asyncio.sleep(IDLE_SECONDS)

    async def _tell_workers(self, job: RunningJob, **changes: Any) -> None:
        self._active = active_job(job, **changes)
        await write_active_async(job.redis, self._active)

    async def _traced(self, job: RunningJob) -> Learned | Prepared | None:
        with tracing.inside("phase", job=job.record.job_id, phase=job.phase.slug):
            return await self._phase(job)

    async def _phase(self, job: RunningJob) -> Learned | Prepared | None:
        """The current phase from its start, or from where it stood; returns what it came to."""
        phase, record = job.phase, job.record
        await self._settle_trainer(job)
        if phase.name == "prepare":
            await self._tell_workers(job)
            return await prepare(job)
        if phase.name == "report":
            await write_report(job)
            return None
        in_hand = StageInHand(job)
        if await is_over(in_hand, job.stage):
            return None
        workers = dict(job.stage.workers(phase.name))
        if workers.get("needs_reference"):
            workers["reference_uri"] = f"{record.checkpoint_uri}/hf" if record.checkpoint_uri else record.model_uri
        await self._tell_workers(job, **workers)
        return await job.stage.run(phase.name, in_hand)

    async def _advance(self, job: RunningJob, outcome: Learned | Prepared | None) -> None:
        """The phase is done: on to the next, or to the end of the job."""
        record, phase, now = job.record, job.phase, time.time()
        spent = max(0.0, now - record.phase_started_at - record.paused_seconds)
        following = job.phases[record.cursor + 1] if record.cursor + 1 < len(job.phases) else None
        done = PhaseDone(phase, spent, now, following, outcome)
        if following is None:
            report = await asyncio.to_thread(artifacts.read_json, record.path("report.json"))
            await job.tell("report", f"report written to {record.output_uri}", report_metrics(report), done)
            await self._end(job, State.SUCCEEDED, "")
            return
        if record.state is State.STARTING:
            await job.tell("state", f"{record.job_id} runs", change=Running())
        title = f"{following.stage_type} {following.name}".strip()
        figures = {f"seconds.{phase.part}": record.seconds.get(phase.part, 0.0) + spent}
        await job.tell("stage", f"{title} begins ({phase.name} took {spent:.0f} s)", figures, done)

    async def _pause(self, job: RunningJob) -> None:
        """Hold at an update boundary; groups in flight go on to `ready` and wait there."""
        holding = asyncio.create_task(self._hold_trainer(job), name="hold trainer")
        try:
            while not holding.done():
                if await self.store.wish(job.record.job_id) == "cancel":
                    return
                await asyncio.wait({holding}, timeout=IDLE_SECONDS)
            holding.result()
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
        await job.tell("state", f"{job.record.job_id} is paused", change=Paused(time.time()))

    async def _hold_trainer(self, job: RunningJob) -> None:
        status = await job.trainer.status()
        if status.job_id != job.record.job_id or status.state != trainer_pb2.PHASE_STATE_RUNNING:
            return
        try:
            async with asyncio.timeout(SAVE_SECONDS):
                await job.trainer.save_checkpoint(job.record.job_id)
        except (TimeoutError, JobFailed) as error:
            job.log.warning("no checkpoint before the pause", reason=str(error))
        await stop_trainer(job)

    async def _fail(self, job: RunningJob, reason: str) -> None:
        await self._stop(job)
        await self._end(job, State.FAILED, reason)

    async def _stop(self, job: RunningJob) -> None:
        """Leave nothing of the job running: workers drop what belongs to a run that is not current."""
        job_id = job.record.job_id
        run_id = await job.queue.current_run()
        if run_id.startswith(f"{job_id}/"):
            await job.queue.close_run(run_id)
        await clear_active_async(job.redis)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await stop_trainer(job)
        except (TimeoutError, TrainerGone, JobFailed) as error:
            job.log.warning("the trainer has not stopped yet", reason=str(error))
        # The trainer may have opened its run between the two.
        run_id = await job.queue.current_run()
        if run_id.startswith(f"{job_id}/"):
            await job.queue.close_run(run_id)

    async def _end(self, job: RunningJob, state: State, reason: str) -> None:
        await clear_active_async(job.redis)
        message = f"{job.record.job_id} {state.lower()}" + (f": {reason}" if state is State.FAILED else "")
        await job.tell("state", message, change=Ended(state, time.time(), reason))
        ENDED.labels(state.lower()).inc()

    async def _settle_trainer(self, job: RunningJob) -> None:
        """Stop what an earlier job left running. A job that starts is patient: its mesh may just have come up."""
        tries = START_TRIES if job.phase.name == "prepare" else 1
        while True:
            try:
                status = await job.trainer.status()
                break
            except TrainerGone as error:
                tries -= 1
                if not tries:
                    raise
                await job.tell("worker", f"the trainer has not come up yet: {error}")
        if status.state == trainer_pb2.PHASE_STATE_RUNNING and status.job_id != job.record.job_id:
            await job.trainer.stop_phase(status.job_id)
