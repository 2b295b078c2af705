"""A sampling pass: every ordinal once through rollout and reward, results kept before they count as used.

Used by evaluation, MGRD and prompt selection. It can be stopped at any point and started again: the ledger knows what
was issued, the store what has come back.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping

from google.protobuf.message import DecodeError

from earwitness import artifacts, tracing
from earwitness.admission import admit
from earwitness.errors import JobFailed
from earwitness.jobs.changes import Published, RunClosed, Sampled
from earwitness.jobs.context import RunningJob
from earwitness.jobs.progress import TimeLeft
from earwitness.jobs.tasks import Pass
from earwitness.metrics import DROPPED
from earwitness.queue import READY, StaleRunError
from earwitness.recipe.stages.base import told
from earwitness.wire.trainer.v1 import trainer_pb2
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

MAX_RUNNING = 64
"""Groups in flight: several workers full of groups of one, without a long tail when a pass is cancelled."""

TAKE_COUNT = 32
"""Groups taken at once."""

TAKE_BLOCK_MS = 300
"""Longest wait of one take; bounds how stale the issuing is."""

TELL_SECONDS = 1.0
"""Seconds between two progress events."""

SILENT_SECONDS = 60.0
"""After so long without a result the job says what it waits for, and again each time."""

REASON_CHARS = 60
"""Of a reason in the name of a figure."""


async def run_sampling(job: RunningJob, pass_: Pass, total: int) -> list[wire.Group]:
    """Sample ordinals 0 to total - 1 with the current policy; returns the groups that came back, by ordinal.

    Dropped ordinals count as done. Raises JobFailed if none came back.
    """
    if not artifacts.exists(_file(job)):
        await _publish(job)
        await job.tell("stage", f"weight version {job.record.version} published", change=Published(job.record.version))
        await _collect(job, pass_, total)
        results = [wire.Group.FromString(data) for data in await job.store.results(pass_.run_id)]
        await asyncio.to_thread(artifacts.write_groups, _file(job), results)
    # From here on the file is the truth: the run may be closed and the results in Redis forgotten.
    await finish_run(job, pass_.run_id)
    groups = list(await asyncio.to_thread(artifacts.read_groups, _file(job)))
    await job.store.forget_results(pass_.run_id)
    if not groups:
        reasons = drop_reasons(await job.queue.ledger(pass_.run_id))
        raise JobFailed(f"all {total} groups of {job.phase.name} were dropped: {told(reasons)}")
    return groups


async def _publish(job: RunningJob) -> None:
    """Give the rollout workers the policy as it is, unless they have it."""
    record = job.record
    await job.trainer.publish_weights(
        trainer_pb2.PublishWeightsRequest(
            job_id=record.job_id,
            model_uri=record.model_uri,
            checkpoint_uri=record.checkpoint_uri,
            version=record.version,
            recipe_yaml=job.recipe_yaml,
            lineage=record.lineage,
        )
    )


async def _collect(job: RunningJob, pass_: Pass, total: int) -> None:
    """Issue and take until every ordinal is used or dropped."""
    run_id, queue, store = pass_.run_id, job.queue, job.store
    waiting = await _open(job, run_id, total)
    progress, told, last_result, last_done = TimeLeft(), 0.0, time.monotonic(), -1
    while True:
        counts = await queue.counts(run_id)
        if counts.total + len(waiting) < total:
            # The queue has lost its last second, and with it what was issued then.
            waiting = await _open(job, run_id, total)
            counts = await queue.counts(run_id)
        for _ in range(min(len(waiting), admit(MAX_RUNNING, counts.running, 0, 0, total, counts.accepted))):
            ordinal = waiting.popleft()
            await issue(job, pass_, ordinal, job.record.version, job.record.lineage)
        taken = await queue.take(READY, job.consumer, TAKE_COUNT, TAKE_BLOCK_MS)
        for message_id, data in taken:
            try:
                group = wire.Group.FromString(data)
            except DecodeError as error:
                await queue.fail(READY, job.consumer, message_id, f"cannot be read ({error})")
                continue
            if group.task.run_id == run_id:
                await store.save_result(run_id, group.task.ordinal, artifacts.compact(group).SerializeToString())
                await queue.use(run_id, 0, [(message_id, group.task.ordinal)])
                tracing.child(group.task.traceparent, "keep", time.time(), time.time(), ordinal=group.task.ordinal)
        counts = await queue.counts(run_id)
        done, now = counts.used + counts.dropped, time.monotonic()
        if done > last_done:
            last_done, last_result = done, now
        if done >= total and not waiting:
            return
        if now - last_result > SILENT_SECONDS:
            last_result = now
            await job.tell("worker", f"no result for {SILENT_SECONDS:.0f} s: {await what_waits(job)}")
            await queue.recount(run_id)
            await _publish(job)  # the weight plane forgets what it held when it is restarted
        elif now - told > TELL_SECONDS and done != job.record.step:
            told = now
            left = progress.seconds_left(done, total, now)
            await job.tell("sample", f"{done} of {total} groups", change=Sampled(done, total, left))


async def issue(job: RunningJob, pass_: Pass, ordinal: int, min_version: int, lineage: int) -> int:
    """Puts the task of an ordinal onto the queue, with the first spans of its trace; 1 if it was not there."""
    begun = time.time()
    task = await asyncio.to_thread(pass_.task, ordinal, min_version, f"{job.record.job_id}/{lineage}")
    record = job.record
    submitted = tracing.root("submit", record.submitted_at, record.started_at, job=record.job_id)
    about: dict[str, str | int | float] = {
        "run": task.run_id,
        "ordinal": ordinal,
        "lineage": task.lineage,
        "min_version": min_version,
    }
    task.traceparent = tracing.child(submitted, "issue", begun, time.time(), **about)
    return await job.queue.issue(task)


async def _open(job: RunningJob, run_id: str, total: int) -> deque[int]:
    """Makes the run current, with the results that are kept as used; the ordinals that are still to be issued."""
    came_back = await job.store.result_ordinals(run_id)
    try:
        await job.queue.open_run(run_id, used=dict.fromkeys(came_back, 0))
    except StaleRunError as error:
        raise JobFailed(f"a later run was opened on this queue in the middle of {run_id}") from error
    known = await job.queue.ledger(run_id)
    return deque(ordinal for ordinal in range(total) if ordinal not in known)


async def finish_run(job: RunningJob, run_id: str, *, trained: bool = False) -> None:
    """Close a run and keep the summary of its ledger. `trained`: its steps are the trainer's, not its groups."""
    await job.queue.close_run(run_id)
    ledger = await job.queue.ledger(run_id)
    reasons = drop_reasons(ledger)
    used = sum(state.startswith("used") for state in ledger.values())
    await asyncio.to_thread(
        artifacts.write_json,
        job.record.path("ledger", f"{job.phase.slug}.json"),
        {"run_id": run_id, "ordinals": {str(o): ledger[o] for o in sorted(ledger)}},
    )
    summary = {"used": used, **{f"dropped: {reason}": n for reason, n in reasons.items()}}
    message = f"{used} groups used, {sum(reasons.values())} dropped" + (f" ({told(reasons)})" if reasons else "")
    done = used + sum(reasons.values())
    await job.tell("drop", message, outcomes(used, reasons), RunClosed(run_id, summary, None if trained else done))


def outcomes(used: int, reasons: Mapping[str, int]) -> dict[str, float]:
    """What became of a run's groups, as figures; of a reason what stands before its colon, the rest is of one group."""
    figures = {"groups.used": float(used), "groups.dropped": float(sum(reasons.values()))}
    for reason, count in reasons.items():
        name = DROPPED + reason.partition(":")[0][:REASON_CHARS]
        figures[name] = figures.get(name, 0.0) + count
    return figures


def drop_reasons(ledger: dict[int, str]) -> dict[str, int]:
    """Dropped ordinals by reason, most frequent first."""
    prefix = "dropped:"
    return dict(Counter(s.removeprefix(prefix) for s in ledger.values() if s.startswith(prefix)).most_common())


async def what_waits(job: RunningJob) -> str:
    """Where work stands still, for people."""
    roles = Counter(w.role for w in await job.queue.workers())
    lags = [f"{lag.stream.removeprefix('ew:')} {lag.waiting + lag.pending}" for lag in await job.queue.lag()]
    return f"{roles['rollout']} rollout and {roles['reward']} reward workers are here; in the queue: {', '.join(lags)}"


def _file(job: RunningJob) -> str:
    return job.record.path("samples", f"{job.phase.slug}.jsonl")
