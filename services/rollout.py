"""The rollout worker: generates groups off `tasks` with vLLM, follows the weights; and answers Generate for itself.

A worker that cannot keep up with the trainer leaves with exit status 75.
"""

from __future__ import annotations

import os
import sys

from grpc.aio import ServicerContext as Context

from earwitness.errors import InfrastructureError, InputError
from earwitness.log import get_logger
from earwitness.queue import AsyncQueue
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import serve
from earwitness.settings import Settings
from earwitness.wire.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.figures import measure
from rollout.life import live, start_engine
from rollout.pace import CannotKeepUpError, Pace
from rollout.parent import WORKER_PID, end_with_worker
from rollout.serving import Serving
from rollout.settings import RolloutSettings
from rollout.worker import RolloutWorker
from services.entry import process

MAX_SAMPLES = 256
"""Most trajectories of one group: what the engine generates at a time."""

EXIT_CANNOT_KEEP_UP = 75
"""Exit status of a worker that leaves because it cannot keep up: EX_TEMPFAIL of sysexits.h, no crash."""


class RolloutService(rollout_pb2_grpc.RolloutServiceServicer):
    """Generate and GetStatus, for tests, evaluation and people."""

    def __init__(self, name: str, serving: Serving, worker: RolloutWorker) -> None:
        self._name = name
        self._serving = serving
        self._worker = worker

    async def Generate(self, request: rollout_pb2.GenerateRequest, context: Context) -> rollout_pb2.GenerateResponse:  # noqa: N802 (name of the wire)
        """One group with the weights in use; UNAVAILABLE while there are none."""
        check_sampling(request.sampling)
        if not self._serving.ready:
            raise InfrastructureError("weights to generate with", 0.0, "no job has published a version yet")
        async with self._serving.use(0) as engine:
            prompt_ids, trajectories = await engine.generate(
                request.prompt, request.sampling, ordinal=0, without_audio=request.without_audio
            )
        task = trajectory_pb2.GroupTask(
            prompt=request.prompt, sampling=request.sampling, without_audio=request.without_audio
        )
        group = trajectory_pb2.Group(
            task=task, prompt_token_ids=prompt_ids, trajectories=trajectories, worker=self._name
        )
        return rollout_pb2.GenerateResponse(group=group)

    async def GetStatus(self, request: rollout_pb2.GetStatusRequest, context: Context) -> rollout_pb2.GetStatusResponse:  # noqa: N802 (name of the wire)
        """What the worker does; version 0 and no lineage before the first version."""
        engine = self._serving.engine
        served = engine.served if engine else None
        return rollout_pb2.GetStatusResponse(
            worker=self._name,
            version=served.version if served else 0,
            lineage=served.lineage if served else "",
            groups=len(self._worker.flights),
            tokens=engine.tokens if engine else 0,
            state=self._worker.state,
        )


def check_sampling(sampling: trajectory_pb2.Sampling) -> None:
    """Raises InputError naming the field that is out of range."""
    if not 1 <= sampling.samples <= MAX_SAMPLES:
        raise InputError("sampling.samples", f"is {sampling.samples}", f"1 to {MAX_SAMPLES}")
    if not sampling.temperature > 0:
        raise InputError("sampling.temperature", f"is {sampling.temperature}", "above 0")
    if not 0 <= sampling.top_p <= 1:
        raise InputError("sampling.top_p", f"is {sampling.top_p}", "in (0, 1]")
    if sampling.max_tokens < 1:
        raise InputError("sampling.max_tokens", "is 0", "at least 1")


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    own = RolloutSettings.from_env()
    log = get_logger("rollout").bind(name=settings.name)
    client = await connect_async(settings.queue_url, Patience(log))
    serving = Serving(
        settings.name,
        client,
        settings.weights_urls,
        start_engine,
        log,
        threads=own.threads,
        tensor_parallel=own.tensor_parallel,
        gpu_share=own.gpu_percent / 100,
        pace=Pace(own.behind_seconds),
    )
    worker = RolloutWorker(
        AsyncQueue(client, settings.claim_idle_ms),
        serving,
        settings.name,
        log,
        max_groups=own.groups,
        claim_idle_ms=settings.claim_idle_ms,
        grace_seconds=own.grace_seconds,
    )
    measure(serving, worker)
    service = RolloutService(settings.name, serving, worker)
    await serve(
        "rollout",
        settings,
        lambda server: rollout_pb2_grpc.add_RolloutServiceServicer_to_server(service, server),
        [live(serving, worker)],
        ready=lambda: serving.settled,
    )
    # All is left in order. Taking down an interpreter with vLLM in it costs seconds, and before that asyncio would wait
    # for the thread on which vLLM may be starting.
    os._exit(0)


if __name__ == "__mp_main__":  # a process that vLLM starts imports this module before anything else
    end_with_worker()

if __name__ == "__main__":
    os.environ[WORKER_PID] = str(os.getpid())  # not that of a worker in whose shell a mesh was started
    try:
        sys.exit(process("rollout", run, CannotKeepUpError))
    except CannotKeepUpError:
        sys.exit(EXIT_CANNOT_KEEP_UP)
