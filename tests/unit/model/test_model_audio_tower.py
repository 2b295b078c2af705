"""The listener against a plain implementation written from its description, and clips against their neighbours."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from earwitness.logmel import audio_tokens
from trainer.model.audio import AudioBatch, AudioTower
from trainer.model.policy import build_policy

HEADS = 2


@pytest.fixture(scope="module")
def tower(toy_dir: Path) -> AudioTower:
    audio = build_policy(toy_dir).audio
    assert audio is not None
    return audio


def described(weights: dict[str, Tensor], mel: Tensor) -> Tensor:
    """One clip [n_mels, frames] to [tokens, hidden], operation by operation."""

    def linear(name: str, x: Tensor) -> Tensor:
        y = x @ weights[f"{name}.weight"].T
        return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def conv(name: str, x: Tensor, stride: int) -> Tensor:  # [channels, length]
        padded = F.pad(x, (1, 1))
        windows = padded.unfold(1, 3, stride)  # [channels, out, 3]
        return torch.einsum("clk,ock->ol", windows, weights[f"{name}.weight"]) + weights[f"{name}.bias"][:, None]

    def gelu(x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

    x = gelu(conv("encoder.conv2", gelu(conv("encoder.conv1", mel, 1)), 2)).T
    x = x + weights["encoder.positional_embedding.weight"][: len(x)]
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.blocks"))
    for layer in range(layers):
        block = f"encoder.blocks.{layer}"
        y = norm(f"{block}.attn_ln", x)
        parts = [linear(f"{block}.attn.{n}", y).chunk(HEADS, dim=1) for n in ("query", "key", "value")]
        heads = [(q @ k.T / math.sqrt(q.shape[1])).softmax(-1) @ v for q, k, v in zip(*parts, strict=True)]
        x = x + linear(f"{block}.attn.out", torch.cat(heads, dim=1))
        y = norm(f"{block}.mlp_ln", x)
        x = x + linear(f"{block}.mlp.2", gelu(linear(f"{block}.mlp.0", y)))
    pairs = len(x) // 2
    x = norm("encoder.after_norm", x[: 2 * pairs].reshape(pairs, 2, -1).mean(1))
    x = gelu(conv("adapter.conv", x.T, 2)).T
    return linear("adapter.linear2", linear("adapter.linear1", x).relu())


@pytest.mark.parametrize("frames", [4, 5, 101, 102, 103, 104])
def test_equals_the_description(tower: AudioTower, toy_dir: Path, frames: int) -> None:
    mel = torch.randn(16, frames, generator=torch.Generator().manual_seed(frames))
    with torch.no_grad():
        heard, counts = tower(AudioBatch(mel[None], torch.tensor([frames])))
    expected = described(load_file(toy_dir / "model.safetensors"), mel)
    assert heard.shape[1] == int(counts) == len(expected)
    torch.testing.assert_close(heard[0], expected, atol=1e-5, rtol=1e-5)


def test_a_clip_does_not_hear_its_neighbours(tower: AudioTower) -> None:
    lengths = [40, 41, 42, 43, 97, 160]
    mels = 3.0 * torch.randn(len(lengths), 16, 170)  # what lies beyond a clip's frames is noise
    with torch.no_grad():
        together, counts = tower(AudioBatch(mels, torch.tensor(lengths)))
        for row, frames in enumerate(lengths):
            alone, count = tower(AudioBatch(mels[row : row + 1, :, :frames], torch.tensor([frames])))
            assert int(counts[row]) == int(count)
            torch.testing.assert_close(together[row, : int(count)], alone[0], atol=1e-5, rtol=1e-5)


def test_as_many_embeddings_as_the_front_end_says(tower: AudioTower) -> None:
    for frames in [*range(4, 60), 2998, 2999, 3000]:
        with torch.no_grad():
            heard, counts = tower(AudioBatch(torch.zeros(1, 16, frames), torch.tensor([frames])))
        assert heard.shape[1] == int(counts) == audio_tokens(frames), frames


def test_refuses_a_clip_beyond_the_positions(tower: AudioTower) -> None:
    with pytest.raises(ValueError, match="longer than the encoder's 3000"):
        tower(AudioBatch(torch.zeros(1, 16, 3001), torch.tensor([3001])))
