"""The life of a reference worker: adds the frozen reference's log-probs to groups on their way to `ready`.

The weights are those of the active job's `reference_uri`; until they are loaded, and while no job asks for a reference,
nothing is taken.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import redis.asyncio

from earwitness.active import ActiveJob, read_active_async
from earwitness.errors import ConflictError, InputError
from earwitness.log import Logger
from earwitness.queue import READY, SCORED, AsyncQueue, Taken
from earwitness.queue.working import leaving, passed, settle_each
from earwitness.settings import Settings
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.frozen import FrozenPolicy

TAKE = 4
"""Groups taken at a time."""

BLOCK_MS = 500
"""Longest wait for work, milliseconds."""

POLL_SECONDS = 1.0
"""Between two looks at the active job while there is nothing to do."""


class Reference:
    """The frozen policy, on a thread of its own so that heartbeats and calls stay prompt."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._policy: FrozenPolicy | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reference")

    @property
    def model_dir(self) -> str:
        """Whose weights are loaded; empty if none."""
        return self._policy.model_dir if self._policy else ""

    async def load(self, model_dir: str, dtype: str) -> None:
        """Replace the weights. Raises InputError."""
        loop = asyncio.get_running_loop()
        self._policy = await loop.run_in_executor(self._thread, FrozenPolicy, model_dir, dtype, self._threads)

    async def score(self, group: trajectory_pb2.Group) -> None:
        """Fill in the group's reference log-probs. Raises InputError, or ConflictError without weights."""
        if self._policy is None:
            raise ConflictError("no reference is loaded: the active job does not ask for one (kl_coef is 0)")
        await asyncio.get_running_loop().run_in_executor(self._thread, self._policy.score, group)


async def work(redis: redis.asyncio.Redis, reference: Reference, settings: Settings, log: Logger) -> None:
    """Score what arrives until cancelled; then leave the consumer group, so that nothing waits for this worker."""
    queue = AsyncQueue(redis, settings.claim_idle_ms)
    refused = ""
    async with leaving(queue, SCORED, settings.name, log):
        while True:
            job = await read_active_async(redis)
            wanted = job.reference_uri if job and job.needs_reference else ""
            ready = bool(wanted) and reference.model_dir == wanted
            state = "working" if ready else "loading" if wanted and wanted != refused else "idle"
            await queue.announce("reference", settings.name, {"state": state})
            if job and state == "loading":
                refused = "" if await _load(reference, job, log) else wanted
            elif ready:
                await _score_some(queue, reference, settings, log)
            else:
                await asyncio.sleep(POLL_SECONDS)


async def _load(reference: Reference, job: ActiveJob, log: Logger) -> bool:
    """False if the weights cannot be used: said once, and not tried again."""
    started = time.monotonic()
    try:
        await reference.load(job.reference_uri, job.dtype)
    except InputError as error:
        log.error("reference refused", job=job.job_id, reference=job.reference_uri, reason=str(error))
        return False
    log.info("reference loaded", job=job.job_id, reference=job.reference_uri, seconds=time.monotonic() - started)
    return True


async def _score_some(queue: AsyncQueue, reference: Reference, settings: Settings, log: Logger) -> None:
    batch = await queue.take(SCORED, settings.name, count=TAKE, block_ms=BLOCK_MS)
    await settle_each(
        queue, SCORED, settings.name, log, batch, lambda taken: settle(queue, reference, settings.name, taken, log)
    )


async def settle(queue: AsyncQueue, reference: Reference, name: str, taken: Taken, log: Logger) -> None:
    """Score one group and hand it on, or drop its ordinal with the reason."""
    group = trajectory_pb2.Group.FromString(taken.data)
    task = group.task
    begun = time.time()
    try:
        await reference.score(group)
    except InputError as error:
        log.warning("group dropped", run=task.run_id, ordinal=task.ordinal, reason=str(error))
        await queue.drop(SCORED, taken.message_id, task.run_id, task.ordinal, f"reference: {error}")
        return
    passed(group, "reference", name, taken, begun)
    await queue.hand_off(SCORED, taken.message_id, group, READY)
