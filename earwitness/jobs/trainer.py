"""The trainer as the life of a job knows it: what it can be asked, whatever carries the question."""

from __future__ import annotations

from typing import Protocol

from earwitness.errors import InfrastructureError
from earwitness.wire.trainer.v1 import trainer_pb2 as wire


class TrainerGone(InfrastructureError):
    """The trainer did not answer for so long that a restart cannot be the reason."""


class Trainer(Protocol):
    """Every call has a deadline and is repeated while the trainer restarts.

    Raises TrainerGone, or JobFailed with the trainer's words if it refuses.
    """

    async def prepare_model(self, request: wire.PrepareModelRequest) -> wire.PrepareModelResponse:
        """Make or check the job's model."""

    async def start_phase(self, request: wire.StartPhaseRequest) -> wire.StartPhaseResponse:
        """Start or resume a phase."""

    async def stop_phase(self, job_id: str) -> wire.StopPhaseResponse:
        """Stop after the update in hand."""

    async def publish_weights(self, request: wire.PublishWeightsRequest) -> wire.PublishWeightsResponse:
        """Publish a checkpoint's weights."""

    async def save_checkpoint(self, job_id: str) -> wire.SaveCheckpointResponse:
        """Write a checkpoint after the update in hand."""

    async def status(self, after_step: int = 0) -> wire.GetStatusResponse:
        """What the trainer does, with figures of steps after `after_step`."""
