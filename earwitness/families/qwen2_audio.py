"""Qwen2-Audio: Qwen2-Audio-7B and -Instruct (https://arxiv.org/abs/2407.10759)."""

from __future__ import annotations

from earwitness.families.decoder import QWEN2_DEFAULTS, TIED, read_decoder
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import CHATML, Family, chatml
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import (
    ENCODER_DEFAULTS,
    counted,
    encoder_shapes,
    projector_shapes,
    read_encoder,
    tower_names,
)

LAYOUT = chatml("Audio {number}: <|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>\n")

NAMES = tower_names(("adapter.", "multi_modal_projector."))


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and projector."""
    return {**encoder_shapes(dims), **projector_shapes(dims, hidden)}


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    text = config.section(TEXT, QWEN2_DEFAULTS)
    text.only(TIED, False)  # transformers' class ties nothing, whatever a config says
    decoder = read_decoder(text, tied=False)
    return decoder, read_encoder(config.section("audio_config", ENCODER_DEFAULTS))


QWEN2_AUDIO = Family(
    model_type="qwen2_audio",
    architecture="Qwen2AudioForConditionalGeneration",
    layout=LAYOUT,
    special_tokens=(*CHATML, LAYOUT.audio_patch),
    audio_tokens=counted,
    read=read,
    listener_shapes=listener_shapes,
    names=NAMES,
    reference="Qwen2AudioForConditionalGeneration",
)
