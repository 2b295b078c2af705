"""Audio Flamingo 3: audio-flamingo-3-hf (https://arxiv.org/abs/2507.08128). Its weights are for research alone: their
licence allows no commercial use."""

from __future__ import annotations

from dataclasses import replace

from earwitness.families.decoder import QWEN2_DEFAULTS, TIED, read_decoder
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import CHATML, Family, chatml
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import (
    ENCODER_DEFAULTS,
    TRAILING_FRAMES,
    counted,
    encoder_shapes,
    read_encoder,
    tower_names,
    two_layer_shapes,
)

LAYOUT = chatml("", "<sound>", "")

SEGMENT_SECONDS = 30.0
"""Its processor cuts clips into windows of so much, one behind the other without a mark between."""
LONGEST_SECONDS = 600.0
"""Its processor cuts off what is behind 20 windows."""
LONGEST_FRAMES = 100 * int(SEGMENT_SECONDS) + TRAILING_FRAMES
CALLED = {
    "d_model": "hidden_size",
    "encoder_layers": "num_hidden_layers",
    "encoder_attention_heads": "num_attention_heads",
    "encoder_ffn_dim": "intermediate_size",
}
"""What its config calls the encoder's dimensions."""

NAMES = tower_names(
    ("adapter.linear1.", "multi_modal_projector.linear_1."),
    ("adapter.linear2.", "multi_modal_projector.linear_2."),
)


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and projector, whose two linear layers are as wide as the decoder."""
    return {**encoder_shapes(dims), **two_layer_shapes(dims.size, hidden, hidden)}


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    for key, only in (("projector_hidden_act", "gelu"), ("projector_bias", True)):
        config.only(key, only)
    text = config.section(TEXT, QWEN2_DEFAULTS)
    text.only(TIED, False)  # transformers' class ties nothing, whatever a config says
    decoder = read_decoder(text, tied=False)
    defaults = {CALLED.get(name, name): value for name, value in ENCODER_DEFAULTS.items()}
    audio = read_encoder(config.section("audio_config", defaults), CALLED)
    return decoder, replace(audio, longest_frames=LONGEST_FRAMES)


AUDIOFLAMINGO3 = Family(
    model_type="audioflamingo3",
    architecture="AudioFlamingo3ForConditionalGeneration",
    layout=LAYOUT,
    special_tokens=(*CHATML, LAYOUT.audio_patch),
    audio_tokens=counted,
    read=read,
    listener_shapes=listener_shapes,
    longest_seconds=LONGEST_SECONDS,
    segment_seconds=SEGMENT_SECONDS,
    full_seconds=SEGMENT_SECONDS,
    names=NAMES,
    reference="AudioFlamingo3ForConditionalGeneration",
)
