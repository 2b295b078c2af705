"""A small model directory and a rank of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from earwitness.recipe.schema import ToyModel
from trainer.model.audio import AudioBatch
from trainer.model.toy import make_toy
from trainer.ranks.parallel import initialize

SMALL = ToyModel(
    hidden_size=32,
    layers=2,
    heads=4,
    kv_heads=2,
    intermediate_size=48,
    vocab_size=320,
    max_positions=128,
    encoder_size=16,
    encoder_layers=2,
    encoder_heads=2,
    adapter_size=24,
    n_mels=16,
)


@dataclass(frozen=True)
class Rows:
    """What the model reads of a micro-batch."""

    tokens: torch.Tensor
    audio: AudioBatch | None = None
    audio_index: torch.Tensor | None = None
    segments: tuple[int, ...] | None = None


@pytest.fixture(scope="session")
def toy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy with random weights everywhere, so that a forgotten bias or norm shows."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("model") / "toy"
    make_toy(str(out), SMALL, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    scatter_weights(out)
    return out


def scatter_weights(model_dir: Path) -> None:
    """Replaces the zeros and ones of fresh biases and norms by values that matter."""
    from safetensors.torch import load_file, save_file

    weights = load_file(model_dir / "model.safetensors")
    generator = torch.Generator().manual_seed(5)
    for name, tensor in weights.items():
        if tensor.dim() == 1:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
        elif name.startswith("model.layers"):
            tensor.mul_(5.0)  # attention and MLP weigh as much as the embedding
    save_file(weights, model_dir / "model.safetensors", metadata={"format": "pt"})


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    """One rank."""
    torch.set_num_threads(1)
    initialize(1, 1)


@pytest.fixture
def rows() -> type[Rows]:
    """Makes micro-batches."""
    return Rows
