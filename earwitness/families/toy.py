"""Models made from nothing: what their family asks of them."""

from __future__ import annotations

from typing import Any

from earwitness.families.architecture import Architecture
from earwitness.families.step_audio import EOT, PAD, SPECIAL_TOKENS, config_of

TOKENS = SPECIAL_TOKENS
"""They take the first ids of a toy's tokenizer."""


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
