"""A Qwen2-Audio checkpoint on a real vLLM: its log-probs are the trainer's, with clips as long as they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from earwitness.audio import read_audio
from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from earwitness.families.qwen2_audio import LAYOUT, QWEN2_AUDIO
from earwitness.logmel import frames
from earwitness.redis_server import RedisServer
from earwitness.weights import WeightPublisher
from rollout.contract import EngineConfig
from rollout.engine import RolloutEngine
from tests.integration.rollout_toy import TEXTS, make_clips, prompt, sampling, trainer_logprobs, weight_tensors
from trainer.model.toy import random_weights

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

LINEAGE = "job/0"
GAP_BOUND = 1e-3
"""Mean |rollout - trainer log-prob| in fp32."""
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
LONGEST = 1_024
"""Tokens: a clip of 30 s has 749."""


def make_qwen2_audio(folder: Path) -> Path:
    """A toy with the names of the published checkpoint, whose weights matter, and a tokenizer of its layout."""
    folder.mkdir()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=TOKENS, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(TEXTS * 20, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "architectures": [QWEN2_AUDIO.architecture],
        "model_type": QWEN2_AUDIO.model_type,
        "audio_token_index": TOKENS.index("<|AUDIO|>"),
        "audio_config": {
            "model_type": "qwen2_audio_encoder", "d_model": 32, "encoder_attention_heads": 4, "encoder_ffn_dim": 96,
            "encoder_layers": 2, "num_mel_bins": 128, "max_source_positions": 1500,
        },
        "text_config": {
            "model_type": "qwen2", "hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 448, "max_position_embeddings": LONGEST,
            "rms_norm_eps": 1e-5, "rope_theta": 10_000, "eos_token_id": 2,
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(3)
    weights = random_weights(read_architecture(folder), seed=3)
    for name, tensor in weights.items():
        if tensor.dim() == 1:
            tensor.add_(0.2 * torch.randn(tensor.shape, generator=generator))
        elif name.startswith(("model.layers", "lm_head")):
            tensor.mul_(5.0)
    published = {QWEN2_AUDIO.names.published(name): tensor for name, tensor in weights.items()}
    assert "language_model.model.layers.0.self_attn.q_proj.weight" in published
    save_file(published, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@dataclass
class Setting:
    """A running engine, and what it is fed with."""

    engine: RolloutEngine
    model_dir: Path
    clips: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    folder = tmp_path_factory.mktemp("qwen2-audio")
    model_dir = make_qwen2_audio(folder / "toy")
    with RedisServer("weights", folder / "redis") as redis:
        WeightPublisher([redis.url], LINEAGE).publish_anchor(1, weight_tensors(model_dir))
        config = EngineConfig(str(model_dir), weight_urls=(redis.url,), max_model_len=LONGEST)
        engine = await RolloutEngine.start(config)
        try:
            await engine.serve(LINEAGE, 1)
            yield Setting(engine, model_dir, make_clips(folder))
        finally:
            engine.stop()


async def test_logprobs_are_the_trainers_and_clips_have_their_tokens(setting: Setting, tmp_path: Path) -> None:
    asked = [*setting.clips[1:], ""]  # the first is too short for a token
    groups = await asyncio.gather(
        *[setting.engine.generate(prompt(i, clip), sampling(), ordinal=i) for i, clip in enumerate(asked)]
    )
    rows, found = [], []
    for clip, (prompt_ids, trajectories) in zip(asked, groups, strict=True):
        expected = QWEN2_AUDIO.audio_tokens(frames(len(read_audio(clip)))) if clip else 0
        assert prompt_ids.count(TOKENS.index(LAYOUT.audio_patch)) == expected
        for trajectory in trajectories:
            tokens = [*prompt_ids, *trajectory.token_ids]
            rows.append({"tokens": tokens, "prompt_tokens": len(prompt_ids), "audio": clip, "temperature": 0.7})
            found.extend(trajectory.logprobs)
    wanted = [p for row in trainer_logprobs(setting.model_dir, rows, tmp_path) for p in row]
    gaps = np.abs(np.array(wanted) - np.array(found))
    print(f"log-prob gap: mean {gaps.mean():.2e}, largest {gaps.max():.2e}")
    assert np.std(found) > 0.1, "a flat distribution would hide mistakes"
    assert gaps.mean() <= GAP_BOUND


async def test_a_clip_without_a_single_token_is_refused(setting: Setting) -> None:
    with pytest.raises(InputError, match="too short for an audio token"):
        await setting.engine.generate(prompt(0, setting.clips[0]), sampling(), ordinal=0)
    setting.engine.check()
