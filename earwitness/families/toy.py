"""Models made from nothing: which family's they are, their dimensions and their config."""

from __future__ import annotations

import math
from typing import Any

from earwitness.families.architecture import Architecture
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.registry import MADE
from earwitness.families.step_audio import EOT, MLP_RATIO, PAD, SPECIAL_TOKENS, config_of
from earwitness.recipe.schema import ToyModel

VOCAB_MULTIPLE = 64
"""The vocabulary is padded to this, so that any usual tensor-parallel size divides it."""
AUDIO_POSITIONS = 1500
"""As in the full model: 30 s of sound, so that every clip the front end accepts fits."""
ROPE_THETA = 10_000.0
"""For short contexts; the full model's 1e6 is for 65,536 tokens."""

TOKENS = SPECIAL_TOKENS
"""They take the first ids of a toy's tokenizer."""


def toy_architecture(toy: ToyModel, tokens: int) -> Architecture:
    """Dimensions of the toy with a tokenizer of `tokens` tokens."""
    decoder = DecoderDims(
        hidden_size=toy.hidden_size,
        intermediate_size=toy.intermediate_size,
        layers=toy.layers,
        heads=toy.heads,
        kv_heads=toy.kv_heads,
        vocab_size=math.ceil(tokens / VOCAB_MULTIPLE) * VOCAB_MULTIPLE,
        max_positions=toy.max_positions,
        norm_eps=1e-5,
        rope_theta=ROPE_THETA,
    )
    audio = AudioDims(
        n_mels=toy.n_mels,
        positions=AUDIO_POSITIONS,
        size=toy.encoder_size,
        heads=toy.encoder_heads,
        layers=toy.encoder_layers,
        mlp_size=MLP_RATIO * toy.encoder_size,
        adapter_size=toy.adapter_size,
        trailing_frames=0,
        learned_positions=True,
    )
    return Architecture(MADE, decoder, audio)


def toy_files(architecture: Architecture) -> dict[str, dict[str, Any]]:
    """What stands beside a toy's weights and tokenizer: JSON files by name."""
    eos, pad = TOKENS.index(EOT), TOKENS.index(PAD)
    decoder, audio = architecture.decoder, architecture.audio
    return {
        "config.json": config_of(decoder, audio, eos_token_id=eos, pad_token_id=pad, dtype="float32"),
        "generation_config.json": {"eos_token_id": eos, "pad_token_id": pad},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": EOT,
            "pad_token": PAD,
            "model_max_length": decoder.max_positions,
            "clean_up_tokenization_spaces": False,
        },
    }
