"""The listener as the vLLM model drives it, without vLLM."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from earwitness.families.architecture import Architecture
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.families.step_audio import STEP_AUDIO
from listener.build import build_listener
from rollout.model.clips import embed_clips

sys.path.insert(0, str(Path(__file__).parent))

from listener_dims import DECODER, DIMS

QWEN2_AUDIO_DIMS = replace(DIMS, adapter_size=None, trailing_frames=2)
QWEN3_ASR_DIMS = replace(QWEN2_AUDIO_DIMS, channels=4, longest_frames=1_000)
FAMILIES = {
    STEP_AUDIO: DIMS,
    QWEN2_AUDIO: QWEN2_AUDIO_DIMS,
    QWEN2_5_OMNI: QWEN2_AUDIO_DIMS,
    QWEN3_ASR: QWEN3_ASR_DIMS,
}
FRAMES = [3, 4, 5, 6, 7, 8, 9, 63, 64, 65, 66, 201, 202, 203, 207, 400]
"""Every remainder of the three halvings, both sides of a window of 2 s, and the longest clip."""


@pytest.fixture(scope="module", params=FAMILIES, ids=[family.model_type for family in FAMILIES])
def tower(request: pytest.FixtureRequest) -> tuple[Family, nn.Module, nn.Module]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return request.param, *build_listener(Architecture(request.param, DECODER, FAMILIES[request.param]))


def test_a_clip_has_as_many_embeddings_as_placeholders(tower: tuple[Family, nn.Module, nn.Module]) -> None:
    family, *modules = tower
    embedded = embed_clips(*modules, [torch.randn(16, count) for count in FRAMES])
    assert [tuple(e.shape) for e in embedded] == [(family.audio_tokens(count), 32) for count in FRAMES]


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_neighbours(tower: tuple[Family, nn.Module, nn.Module]) -> None:
    mels = [torch.randn(16, count) for count in FRAMES if tower[0].audio_tokens(count)]  # shorter ones are refused
    for together, mel in zip(embed_clips(*tower[1:], mels), mels, strict=True):
        (alone,) = embed_clips(*tower[1:], [mel])
        torch.testing.assert_close(together, alone, rtol=0, atol=2e-6)
