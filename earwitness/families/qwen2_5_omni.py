"""Qwen2.5-Omni: the thinker of Qwen2.5-Omni-3B and -7B (https://arxiv.org/abs/2503.20215).

Trained and rolled out is what hears and writes: the audio encoder and the decoder. What sees (`visual`) and speaks
(`talker`, `token2wav`) travels through untouched. Its decoder's positions have three components (time, height, width),
which differ for pictures alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from earwitness.families.decoder import QWEN2_DEFAULTS, TIED, read_decoder
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import CHATML, Family, chatml
from earwitness.families.names import Names
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import (
    ENCODER_DEFAULTS,
    TRAILING_FRAMES,
    block_names,
    counted,
    encoder_shapes,
    projector_shapes,
    read_encoder,
)

LAYOUT = chatml("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>")

HALF_WINDOW = 100
"""`n_window` of the published configs."""
WINDOW = 2 * HALF_WINDOW
"""Mel frames that the encoder hears by themselves: 2 s. It convolves and attends within a window, whose positions begin
at 0; the last one is as long as what is left. It sees none of the trailing frames."""
LONGEST_SECONDS = 300.0
"""Its processor cuts off what is behind it."""
LONGEST_FRAMES = 100 * int(LONGEST_SECONDS) + TRAILING_FRAMES

TEXT_DEFAULTS: dict[str, Any] = {
    **QWEN2_DEFAULTS,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "rope_theta": 1e6,
}
"""transformers' Qwen2_5OmniTextConfig."""

NAMES = Names(
    beginnings=(
        ("encoder.after_norm.", "thinker.audio_tower.ln_post."),
        *block_names("thinker.audio_tower."),
        ("adapter.linear.", "thinker.audio_tower.proj."),
        ("encoder.", "thinker.audio_tower."),
        ("model.", "thinker.model."),
        ("lm_head.", "thinker.lm_head."),
    ),
    # the embedding of audio marks is in checkpoints and never read: prompts hold the tokenizer's own
    others=("talker.", "token2wav.", "thinker.visual.", "thinker.audio_tower.audio_bos_eos_token."),
)


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and projector; positions are computed."""
    shapes = {**encoder_shapes(dims), **projector_shapes(dims, hidden)}
    del shapes["encoder.positional_embedding.weight"]
    return shapes


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    # the thinker's own word: its text_config has a field of that name too, which its class does not read
    decoder = read_decoder(config.section(TEXT, TEXT_DEFAULTS), tied=config.flag(TIED))
    audio = config.section("audio_config", ENCODER_DEFAULTS)
    for key, only in (("n_window", HALF_WINDOW), ("output_dim", decoder.hidden_size)):
        audio.only(key, only)
    return decoder, replace(read_encoder(audio), longest_frames=LONGEST_FRAMES)


QWEN2_5_OMNI = Family(
    model_type="qwen2_5_omni",
    architecture="Qwen2_5OmniForConditionalGeneration",
    layout=LAYOUT,
    special_tokens=(*CHATML, LAYOUT.audio_patch),
    audio_tokens=counted,
    read=read,
    listener_shapes=listener_shapes,
    longest_seconds=LONGEST_SECONDS,
    names=NAMES,
    reference="Qwen2_5OmniThinkerForConditionalGeneration",
    inside="thinker_config",
    beside=("spk_dict.pt",),  # the talker's voices
)
