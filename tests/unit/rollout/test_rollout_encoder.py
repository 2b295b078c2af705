"""The audio tower of the vLLM model, without vLLM."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from earwitness.families.dims import AudioDims
from earwitness.families.family import Family
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.step_audio import STEP_AUDIO
from rollout.model.encoder import Adapter, AudioEncoder, Projector, adapter_of, embed_clips

DIMS = AudioDims(
    n_mels=16,
    positions=200,
    size=24,
    heads=3,
    layers=2,
    mlp_size=96,
    adapter_size=20,
    trailing_frames=0,
    learned_positions=True,
)
QWEN2_AUDIO_DIMS = replace(DIMS, adapter_size=None, trailing_frames=2)
FAMILIES = {STEP_AUDIO: DIMS, QWEN2_AUDIO: QWEN2_AUDIO_DIMS}
FRAMES = [3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 66, 400]
"""Every remainder of the three halvings, and the longest clip."""


@pytest.fixture(scope="module", params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def tower(request: pytest.FixtureRequest) -> tuple[Family, AudioEncoder, Adapter | Projector]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dims = FAMILIES[request.param]
    return request.param, AudioEncoder(dims), adapter_of(dims, 32)


def test_a_clip_has_as_many_embeddings_as_placeholders(tower: tuple[Family, AudioEncoder, Adapter]) -> None:
    family, *modules = tower
    embedded = embed_clips(*modules, [torch.randn(16, count) for count in FRAMES])
    assert [tuple(e.shape) for e in embedded] == [(family.audio_tokens(count), 32) for count in FRAMES]


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_neighbours(tower: tuple[Family, AudioEncoder, Adapter]) -> None:
    mels = [torch.randn(16, count) for count in FRAMES if tower[0].audio_tokens(count)]  # shorter ones are refused
    for together, mel in zip(embed_clips(*tower[1:], mels), mels, strict=True):
        (alone,) = embed_clips(*tower[1:], [mel])
        torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)
