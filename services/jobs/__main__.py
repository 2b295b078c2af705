"""`python -m services.jobs`: the jobs service as a process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from prometheus_client import REGISTRY

from earwitness.errors import InputError
from earwitness.jobs.in_kubernetes import in_kubernetes
from earwitness.jobs.mesh import MeshView
from earwitness.jobs.mesh_metrics import MeshMetrics
from earwitness.jobs.runner import Runner
from earwitness.jobs.store import JobStore
from earwitness.jobs.trainer_client import TrainerClient
from earwitness.jobs.uploads import Uploads
from earwitness.log import get_logger
from earwitness.queue import AsyncQueue
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import Settings, open_channel, serve
from earwitness.wire.jobs.v1 import jobs_pb2_grpc
from services.entry import process
from services.jobs.servicer import JobService


async def run(settings: Settings) -> None:
    """Serve and run jobs until SIGTERM."""
    for variable, value in [("EW_QUEUE_URL", settings.queue_url), ("EW_TRAINER", settings.trainer)]:
        if not value:
            raise InputError(variable, "is not set", "the address of the queue Redis and of the trainer")
    log = get_logger("jobs").bind(name=settings.name)
    redis = await connect_async(settings.queue_url, at_first=Patience(log))
    queue, store = AsyncQueue(redis, settings.claim_idle_ms), JobStore(redis)
    async with open_channel(settings.trainer, settings) as channel:
        trainer = TrainerClient(channel, log, settings.trainer_gone_seconds)
        runner = Runner(store, queue, redis, trainer, settings.name, log)
        mesh = MeshView(store, queue, redis)
        service, metrics = JobService(store, mesh, Uploads(Path.cwd())), MeshMetrics(mesh)
        REGISTRY.register(metrics)
        await serve(
            "jobs",
            settings,
            lambda s: jobs_pb2_grpc.add_JobServiceServicer_to_server(service, s),
            [runner.run(), metrics.follow(), *in_kubernetes(os.environ, settings.name, redis, store, log)],
        )
    await redis.aclose()


if __name__ == "__main__":
    sys.exit(process("jobs", run))
