"""The reference service: adds the frozen reference's log-probs to groups on their way from `scored` to `ready`.

`python -m services.reference`. The weights are those of the active job's `reference_uri`; until they are loaded, and
while no job asks for a reference, nothing is taken.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import redis.asyncio

from earwitness.active import ActiveJob, read_active_async
from earwitness.errors import ConflictError, InputError
from earwitness.log import Logger, get_logger
from earwitness.queue import READY, SCORED, AsyncQueue, Taken
from earwitness.queue.working import leaving, passed, settle_each
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import Settings, serve
from earwitness.settings import number
from earwitness.wire.reference.v1 import reference_pb2, reference_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from services.entry import process
from trainer.frozen import FrozenPolicy
from trainer.ranks.parallel import require_gpus

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


class ReferenceService(reference_pb2_grpc.ReferenceServiceServicer):
    """ScoreLogprobs, for tests and people."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    async def ScoreLogprobs(  # noqa: N802 - the proto's name
        self, request: reference_pb2.ScoreLogprobsRequest, context: grpc.aio.ServicerContext
    ) -> reference_pb2.ScoreLogprobsResponse:
        await self._reference.score(request.group)
        return reference_pb2.ScoreLogprobsResponse(group=request.group)


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


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    require_gpus()
    log = get_logger("reference").bind(name=settings.name)
    redis = await connect_async(settings.queue_url, Patience(log))
    reference = Reference(number(os.environ, "EW_REFERENCE_THREADS", 1, 1024, least=1))
    service = ReferenceService(reference)
    await serve(
        "reference",
        settings,
        lambda server: reference_pb2_grpc.add_ReferenceServiceServicer_to_server(service, server),
        [work(redis, reference, settings, log)],
    )
    await redis.aclose()


if __name__ == "__main__":
    sys.exit(process("reference", run))
