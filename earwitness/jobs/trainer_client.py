"""The trainer over gRPC: every call has a deadline and is repeated while the trainer restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from earwitness.errors import JobFailed
from earwitness.jobs.trainer import TrainerGone
from earwitness.log import Logger
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc

RETRY_SECONDS = 0.5

STATUS_SECONDS = 15.0
"""Deadline of calls that only read; a busy machine may be slow to schedule the answer."""

START_SECONDS = 60.0
"""Deadline of calls that only hand over work."""

WORK_SECONDS = 1800.0
"""Deadline of calls that answer when work is done: make a model, load and publish weights, finish an update."""

_ABSENT = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    # While pods are replaced, one with another token may still answer under the name.
    grpc.StatusCode.UNAUTHENTICATED,
)
"""What a trainer that is not there, or not the one we know, answers with."""


class TrainerClient:
    """Calls of the trainer service, as `earwitness.jobs.trainer.Trainer` says."""

    def __init__(self, channel: grpc.aio.Channel, log: Logger, gone_seconds: float) -> None:
        """A trainer that does not answer for `gone_seconds` is gone."""
        self._stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        self._log = log
        self._gone_seconds = gone_seconds

    async def prepare_model(self, request: wire.PrepareModelRequest) -> wire.PrepareModelResponse:
        return await self._call("PrepareModel", self._stub.PrepareModel, request, WORK_SECONDS)

    async def start_phase(self, request: wire.StartPhaseRequest) -> wire.StartPhaseResponse:
        return await self._call("StartPhase", self._stub.StartPhase, request, START_SECONDS)

    async def stop_phase(self, job_id: str) -> wire.StopPhaseResponse:
        return await self._call("StopPhase", self._stub.StopPhase, wire.StopPhaseRequest(job_id=job_id), WORK_SECONDS)

    async def publish_weights(self, request: wire.PublishWeightsRequest) -> wire.PublishWeightsResponse:
        return await self._call("PublishWeights", self._stub.PublishWeights, request, WORK_SECONDS)

    async def save_checkpoint(self, job_id: str) -> wire.SaveCheckpointResponse:
        request = wire.SaveCheckpointRequest(job_id=job_id)
        return await self._call("SaveCheckpoint", self._stub.SaveCheckpoint, request, WORK_SECONDS)

    async def status(self, after_step: int = 0) -> wire.GetStatusResponse:
        request = wire.GetStatusRequest(after_step=after_step)
        return await self._call("GetStatus", self._stub.GetStatus, request, STATUS_SECONDS)

    async def _call(self, name: str, method: Callable[..., Awaitable[Any]], request: Any, deadline: float) -> Any:
        absent_since: float | None = None
        while True:
            started = time.monotonic()
            try:
                return await method(request, timeout=deadline, wait_for_ready=False)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _ABSENT:
                    raise JobFailed(f"the trainer refused {name}: {error.details()}") from error
                now = time.monotonic()
                if absent_since is None:
                    # A deadline that passed was silence too: it began with the call.
                    absent_since = started
                    self._log.warning("trainer does not answer", call=name, detail=error.details())
                if now - absent_since > self._gone_seconds:
                    raise TrainerGone("the trainer", now - absent_since, f"{name}: {error.details()}") from error
                await asyncio.sleep(RETRY_SECONDS)
