"""Toys in the layouts of published checkpoints of families that transformers and vLLM know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from earwitness.families.architecture import read_architecture
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3, CALLED
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.qwen3_asr import QWEN3_ASR
from trainer.model.toy import random_weights

TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>", "<sound>",
          "<|audio_pad|>", "<|audio_start|>", "<|audio_end|>"]  # fmt: skip
LONGEST = 2_048
"""Tokens: a clip of 60 s has 1,499."""
HIDDEN = 128
TEXT: dict[str, Any] = {
    "hidden_size": HIDDEN, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": LONGEST, "rms_norm_eps": 1e-5, "rope_theta": 10_000,
    "eos_token_id": TOKENS.index("<|im_end|>"),
}  # fmt: skip
AUDIO: dict[str, Any] = {
    "d_model": 32, "encoder_attention_heads": 4, "encoder_ffn_dim": 96, "encoder_layers": 2, "num_mel_bins": 128,
    "max_source_positions": 1500,
}  # fmt: skip
VISION: dict[str, Any] = {
    "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": HIDDEN,
    "fullatt_block_indexes": [0],
}  # fmt: skip


def qwen2_audio(vocab_size: int) -> dict[str, Any]:
    """Its config, without what stands in any."""
    return {
        "audio_token_index": TOKENS.index("<|AUDIO|>"),
        "audio_config": {"model_type": "qwen2_audio_encoder", **AUDIO},
        # any decoder of transformers may stand here: this one norms queries and keys
        "text_config": {"model_type": "qwen3", "head_dim": 64, "vocab_size": vocab_size, **TEXT},
    }


def qwen2_5_omni(vocab_size: int) -> dict[str, Any]:
    """The same."""
    rope = {"rope_scaling": {"mrope_section": [4, 6, 6], "rope_type": "default", "type": "default"}}
    return {
        "thinker_config": {
            "model_type": "qwen2_5_omni_thinker",
            "tie_word_embeddings": True,
            "vision_start_token_id": vocab_size - 1,
            "audio_token_index": TOKENS.index("<|AUDIO|>"),
            "audio_config": {
                "model_type": "qwen2_5_omni_audio_encoder",
                "output_dim": HIDDEN,
                "n_window": 100,
                **AUDIO,
            },
            "text_config": {"model_type": "qwen2_5_omni_text", "vocab_size": vocab_size, **TEXT, **rope},
            "vision_config": {"model_type": "qwen2_5_omni_vision_encoder", **VISION},
        },
        "talker_config": {"model_type": "qwen2_5_omni_talker", "tie_word_embeddings": False, **rope},
    }


def audioflamingo3(vocab_size: int) -> dict[str, Any]:
    """The same."""
    audio = {CALLED.get(name, name): value for name, value in AUDIO.items()}
    rope = {"rope_scaling": {"type": "yarn", "factor": 16.0, "original_max_position_embeddings": LONGEST // 16}}
    return {
        "audio_token_id": TOKENS.index("<sound>"),
        "audio_config": {"model_type": "audioflamingo3_encoder", **audio},
        "text_config": {"model_type": "qwen2", "vocab_size": vocab_size, **TEXT, **rope},
    }


def qwen3_asr(vocab_size: int) -> dict[str, Any]:
    """The same. It is tied, as published."""
    audio = {name: value for name, value in AUDIO.items() if name != "max_source_positions"}
    return {
        "audio_token_id": TOKENS.index("<|audio_pad|>"),
        "tie_word_embeddings": True,
        "audio_config": {
            "model_type": "qwen3_asr_encoder", "output_dim": HIDDEN, "downsample_hidden_size": 8, "n_window": 50,
            "n_window_infer": 800, "max_position_embeddings": 13, **audio,
        },
        "text_config": {
            "model_type": "qwen3", "head_dim": 64, "vocab_size": vocab_size,
            **{name: value for name, value in TEXT.items() if name != "rope_theta"},
            "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"},
        },
    }  # fmt: skip


CONFIGS = {
    QWEN2_AUDIO: qwen2_audio,
    QWEN2_5_OMNI: qwen2_5_omni,
    AUDIOFLAMINGO3: audioflamingo3,
    QWEN3_ASR: qwen3_asr,
}


def make_toy_of(family: Family, folder: Path, texts: list[str], sharpness: float = 5.0) -> Path:
    """A toy with the names of the published checkpoint, whose weights matter, and a tokenizer of its layout.

    `sharpness`: what layers and the output are multiplied by; 1 leaves a toy that learns.
    """
    folder.mkdir()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [AddedToken(token, special=True) for token in TOKENS]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    rows = -(-tokenizer.get_vocab_size() // 64) * 64
    named = {"architectures": [family.architecture], "model_type": family.model_type}
    (folder / "config.json").write_text(json.dumps(named | CONFIGS[family](rows)))
    generator = torch.Generator().manual_seed(3)
    weights = random_weights(read_architecture(folder), seed=3)
    for name, tensor in weights.items():
        if tensor.dim() == 1 and sharpness != 1.0:
            tensor.add_(0.2 * torch.randn(tensor.shape, generator=generator))
        elif name.startswith(("model.layers", "lm_head")):
            tensor.mul_(sharpness)
    published = {family.names.published(name): tensor for name, tensor in weights.items()}
    published |= {f"{other}weight": torch.full((2, HIDDEN), 0.5) for other in family.names.others}
    save_file(published, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
