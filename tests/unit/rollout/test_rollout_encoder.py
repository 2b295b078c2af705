"""The audio tower of the vLLM model, without vLLM."""

from __future__ import annotations

import pytest
import torch

from earwitness.logmel import audio_tokens
from rollout.model.encoder import Adapter, AudioEncoder, embed_clips

CONFIG = {
    "n_mels": 16,
    "n_audio_ctx": 200,
    "n_audio_state": 24,
    "n_audio_head": 3,
    "n_audio_layer": 2,
    "kernel_size": 3,
    "adapter_stride": 2,
    "adapter_size": 20,
}
FRAMES = [3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 66, 400]
"""Every remainder of the three halvings, and the longest clip."""


@pytest.fixture(scope="module")
def tower() -> tuple[AudioEncoder, Adapter]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return AudioEncoder(CONFIG), Adapter(CONFIG, 32)


def test_a_clip_has_as_many_embeddings_as_placeholders(tower: tuple[AudioEncoder, Adapter]) -> None:
    embedded = embed_clips(*tower, [torch.randn(16, count) for count in FRAMES])
    assert [tuple(e.shape) for e in embedded] == [(audio_tokens(count), 32) for count in FRAMES]


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_neighbours(tower: tuple[AudioEncoder, Adapter]) -> None:
    mels = [torch.randn(16, count) for count in FRAMES]
    for together, mel in zip(embed_clips(*tower, mels), mels, strict=True):
        (alone,) = embed_clips(*tower, [mel])
        torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)
