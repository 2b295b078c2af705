"""Trainer and rollout hear the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from earwitness.families.architecture import Architecture
from earwitness.families.family import Family
from earwitness.families.qwen3_asr import LONGEST_FRAMES, POSITIONS, QWEN3_ASR
from earwitness.families.registry import FAMILIES
from listener.build import build_listener
from rollout.model.clips import embed_clips
from trainer.model.attention import LONG
from trainer.model.audio import AudioBatch, AudioTower

sys.path.insert(0, str(Path(__file__).parent))

from listener_dims import DECODER, DIMS

LONG_DIMS = replace(DIMS, positions=1500)
OTHERS = {QWEN3_ASR: replace(DIMS, positions=POSITIONS, channels=4, longest_frames=LONGEST_FRAMES)}


@torch.no_grad()
@pytest.mark.parametrize("family", FAMILIES, ids=[family.model_type for family in FAMILIES])
@pytest.mark.parametrize("longest", [2 * LONG + 10, 163])
def test_trainer_and_rollout_hear_the_same(family: Family, longest: int) -> None:
    """To the bit where both take torch's kernel of attention; the trainer has another for short clips on the CPU."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    architecture = Architecture(family, DECODER, OTHERS.get(family, LONG_DIMS))
    tower = AudioTower(architecture)
    encoder, adapter = build_listener(architecture)
    encoder.load_state_dict(tower.encoder.state_dict())
    adapter.load_state_dict(tower.adapter.state_dict())
    attended = min(longest // 2, encoder.dims.positions)
    bound = 0.0 if attended > LONG else 2e-6
    frames = [longest, 102, 41]
    mels = torch.randn(len(frames), 16, longest)
    heard, counts = tower(AudioBatch(mels, torch.tensor(frames)))
    embedded = embed_clips(encoder, adapter, [mel[:, :count] for mel, count in zip(mels, frames, strict=True)])
    for row, count, clip in zip(heard, counts.tolist(), embedded, strict=True):
        torch.testing.assert_close(row[:count], clip, rtol=0.0, atol=bound)
