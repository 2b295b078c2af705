"""Checkpoints of one rank, of a tensor and the state of the random numbers."""

import io

import pytest
import torch

from earwitness.log import Logger
from trainer.checkpoint import Progress
from trainer.checkpoint.pieces import Piece, Region, file_of
from trainer.ranks import parallel

SHARD = file_of(0)


@pytest.fixture(scope="module", autouse=True)
def ranks():
    parallel.initialize(1, 1)


@pytest.fixture
def log():
    return Logger("trainer", stream=io.StringIO())


def tensors(step):
    return [Piece("a", torch.arange(4.0) + step, Region(0, 1, (4,), 0)), Piece("rng/cpu", torch.get_rng_state())]


def write(checkpoints, step, **progress):
    checkpoints.save(Progress(step=step, **progress), lambda: tensors(step))
    checkpoints.finish()
    return checkpoints.folder / f"step-{step:08d}"
