"""The reference service: `python -m services.reference`, the frozen reference's log-probs for groups and callers."""

from __future__ import annotations

import os
import sys

import grpc

from earwitness.log import get_logger
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import Settings, serve
from earwitness.settings import number
from earwitness.wire.reference.v1 import reference_pb2, reference_pb2_grpc
from services.entry import process
from trainer.frozen_worker import Reference, work
from trainer.ranks.parallel import require_gpus


class ReferenceService(reference_pb2_grpc.ReferenceServiceServicer):
    """ScoreLogprobs, for tests and people."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    async def ScoreLogprobs(  # noqa: N802 - the proto's name
        self, request: reference_pb2.ScoreLogprobsRequest, context: grpc.aio.ServicerContext
    ) -> reference_pb2.ScoreLogprobsResponse:
        await self._reference.score(request.group)
        return reference_pb2.ScoreLogprobsResponse(group=request.group)


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
