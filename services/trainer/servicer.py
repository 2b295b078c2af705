"""TrainerService: calls that read or make files are answered at once; phases are handed to the main thread."""

# ruff: noqa: N802  (gRPC names the methods)
from __future__ import annotations

import threading
from typing import Any

import torch

from earwitness.families.architecture import read_architecture
from earwitness.recipe.load import load_recipe
from earwitness.settings import Settings
from earwitness.weights import WeightPublisher
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from trainer.board import Board
from trainer.checkpoint import weights_of
from trainer.phase import steps_of
from trainer.prepared import prepared
from trainer.publish.publication import publish_directory
from trainer.tuning.examples import load_tokenizer

WAIT_SECONDS = 1800.0
"""Longest wait for the update in hand and its checkpoint; callers set deadlines of their own."""


class TrainerServicer(trainer_pb2_grpc.TrainerServiceServicer):
    """Every call may be repeated."""

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._making = threading.Lock()

    def PrepareModel(self, request: wire.PrepareModelRequest, context: Any) -> wire.PrepareModelResponse:
        """Makes the toy under the job's output unless it is there, or checks the given directory."""
        recipe = load_recipe(request.recipe_yaml)
        with self._making:
            folder = prepared(recipe)
        architecture = read_architecture(folder)
        load_tokenizer(folder)
        parameters = sum(torch.Size(shape).numel() for shape in architecture.weight_shapes().values())
        return wire.PrepareModelResponse(model_uri=str(folder), parameters=parameters)

    def StartPhase(self, request: wire.StartPhaseRequest, context: Any) -> wire.StartPhaseResponse:
        """Checks what can be checked at once, then hands the phase over."""
        steps = steps_of(request)
        return wire.StartPhaseResponse(step=self._board.start(request, steps))

    def StopPhase(self, request: wire.StopPhaseRequest, context: Any) -> wire.StopPhaseResponse:
        """Waits for the update in hand."""
        return wire.StopPhaseResponse(step=self._board.stop(request.job_id, WAIT_SECONDS))

    def PublishWeights(self, request: wire.PublishWeightsRequest, context: Any) -> wire.PublishWeightsResponse:
        """Publishes from the files: a Hugging Face directory holds the very tensors of the weight plane."""
        recipe = load_recipe(request.recipe_yaml)
        dtype = getattr(torch, recipe.model.dtype)
        publisher = WeightPublisher(
            self._settings.weights_urls,
            f"{request.job_id}/{request.lineage}",
            anchors_uri=self._settings.weights_anchors,
        )
        folder = weights_of(request.checkpoint_uri or request.model_uri)
        with self._making:
            return wire.PublishWeightsResponse(bytes=publish_directory(publisher, request.version, folder, dtype))

    def GetStatus(self, request: wire.GetStatusRequest, context: Any) -> wire.GetStatusResponse:
        """What the trainer does."""
        return self._board.status(request.after_step)

    def SaveCheckpoint(self, request: wire.SaveCheckpointRequest, context: Any) -> wire.SaveCheckpointResponse:
        """Waits for the update in hand."""
        return wire.SaveCheckpointResponse(checkpoint_uri=self._board.save(request.job_id, WAIT_SECONDS))
