"""Whole models with the encoders of published checkpoints and decoders of hidden 1,024, against transformers in fp32:
several clips in a row, of different lengths, and one of 60 s where the family hears so much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.precision_peer import qwen2
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.families.step_audio import STEP_AUDIO
from earwitness.recipe.schema import ToyModel
from tests.unit.model.conftest import scatter_weights
from tests.unit.model.described import described
from tests.unit.model.family_pairs import AUDIO, PATCH, TEXT, clips, compare, heard_by_us, make
from trainer.model.build import build_policy
from trainer.model.logprobs import response_logprobs
from trainer.model.toy import make_toy

pytestmark = pytest.mark.long

WIDE_TEXT: dict[str, Any] = {
    **TEXT, "hidden_size": 1024, "intermediate_size": 2816, "num_attention_heads": 16, "num_key_value_heads": 4,
    "vocab_size": 2048, "max_position_embeddings": 4096,
}  # fmt: skip
WIDE_AUDIO = {**AUDIO, "d_model": 1280, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "num_mel_bins": 128}
ROWS = [[2.613, 0.4, 5.0], [60.0]]
COLUMNS = 1_600
"""A row of 60 s has 1,500 audio tokens."""
YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 1024}
QWEN3 = {"model_type": "qwen3", "head_dim": 128, "rope_parameters": YARN}


@pytest.mark.parametrize(
    ("family", "text", "tied"),
    [
        pytest.param(QWEN2_AUDIO, {}, False, id="qwen2_audio"),
        pytest.param(QWEN2_AUDIO, QWEN3, False, id="qwen2_audio-qwen3-yarn"),
        pytest.param(QWEN2_5_OMNI, {}, False, id="qwen2_5_omni"),
        pytest.param(QWEN2_5_OMNI, {}, True, id="qwen2_5_omni-tied"),
        pytest.param(AUDIOFLAMINGO3, {}, False, id="audioflamingo3"),
        pytest.param(QWEN3_ASR, QWEN3, True, id="qwen3_asr-tied-yarn"),
    ],
)
def test_a_wide_model_is_transformers(family: Family, text: dict[str, Any], tied: bool, tmp_path: Path) -> None:
    wide = make(family, tmp_path / "wide", {**WIDE_TEXT, **text}, WIDE_AUDIO, tied=tied)
    rows = [[min(seconds, family.longest_seconds) for seconds in row] for row in ROWS]
    compare(wide, rows, COLUMNS)


@torch.no_grad()
def test_a_wide_step_audio_is_its_description(tmp_path: Path) -> None:
    """transformers has no class of it: its listener stands here operation by operation, its decoder is Qwen2's."""
    toy = ToyModel(
        hidden_size=1024, layers=2, heads=16, kv_heads=4, intermediate_size=2816, vocab_size=320, max_positions=4096,
        encoder_size=1280, encoder_layers=2, encoder_heads=20, adapter_size=2048, n_mels=128,
    )  # fmt: skip
    make_toy(str(tmp_path / "wide"), toy, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    scatter_weights(tmp_path / "wide")
    ours = build_policy(tmp_path / "wide").eval()
    patch = json.loads((tmp_path / "wide/tokenizer.json").read_text())["model"]["vocab"]["<audio_patch>"]
    assert patch == PATCH == ours.audio_patch_id
    weights, theirs = load_file(tmp_path / "wide/model.safetensors"), qwen2(tmp_path / "wide")
    for row in ROWS:
        audio, _ = heard_by_us(clips(row), 128, STEP_AUDIO)
        counts = [STEP_AUDIO.audio_tokens(int(frames)) for frames in audio.frames]
        tokens = torch.randint(20, 300, (1, COLUMNS), generator=torch.Generator().manual_seed(1))
        at, embedded = 3, []
        for count in counts:
            tokens[0, at : at + count] = PATCH
            at += count + 2
        for mel, frames in zip(audio.mels, audio.frames, strict=True):
            embedded.append(described(weights, mel[:, : int(frames)], 20))
        expected = theirs.get_input_embeddings()(tokens)
        expected[tokens == PATCH] = torch.cat(embedded)
        wanted = theirs(inputs_embeds=expected).logits.log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])
        found = response_logprobs(ours(tokens, audio, torch.arange(len(counts))[None]), tokens)[:, 1:]
        assert wanted.std() > 0.1, "a flat distribution would hide mistakes"
        torch.testing.assert_close(found, wanted.squeeze(-1), atol=1e-4, rtol=0)
        print(f"largest difference {float((found - wanted.squeeze(-1)).abs().max()):.1e} of {found.numel()} log-probs")
