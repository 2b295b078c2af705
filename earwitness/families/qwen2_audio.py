"""Qwen2-Audio: Qwen2-Audio-7B and -Instruct (https://arxiv.org/abs/2407.10759)."""

from __future__ import annotations

from earwitness.families.decoder import QWEN2_DEFAULTS, TIED, read_decoder
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import THINK, Family, Layout
from earwitness.families.names import Names
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import (
    ENCODER_DEFAULTS,
    block_names,
    encoded,
    encoder_shapes,
    projector_shapes,
    read_encoder,
)

LAYOUT = Layout(
    opening="<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n",
    audio_start="Audio {number}: <|audio_bos|>",
    audio_patch="<|AUDIO|>",
    audio_end="<|audio_eos|>\n",
    audio_first=True,
    end_of_turn="<|im_end|>",
    assistant=f"\n<|im_start|>assistant\n{THINK}\n",
)
"""Its chat template. Its tokenizer has no think tokens: the tags are plain text, several ids each."""

SPECIAL_TOKENS = ("<|im_start|>", LAYOUT.end_of_turn, LAYOUT.audio_patch)

TRAILING_FRAMES = 2
"""`logmel` pads clips so that they have two frames more than their length asks for. They are not counted, but the
convolutions see them at the clip's end, as they would in a clip padded with silence to 30 s."""

NAMES = Names(
    beginnings=(
        ("encoder.positional_embedding.", "audio_tower.embed_positions."),
        ("encoder.after_norm.", "audio_tower.layer_norm."),
        *block_names("audio_tower."),
        ("encoder.", "audio_tower."),
        ("adapter.", "multi_modal_projector."),
        ("model.", "language_model.model."),
        ("lm_head.", "language_model.lm_head."),
    ),
    # transformers 5 saves the decoder one `model.` deeper than it is published
    saved=("language_model.model.model.", "language_model.model."),
)


def audio_tokens(frames: int) -> int:
    """Audio tokens that the encoder makes of `frames` mel frames, the trailing ones among them: 25 a second.

    This is transformers' `_get_feat_extract_output_lengths` of the frames that count.
    """
    return encoded(max(frames - TRAILING_FRAMES, 0))


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and projector."""
    return {**encoder_shapes(dims), **projector_shapes(dims, hidden)}


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    text = config.section(TEXT, QWEN2_DEFAULTS)
    text.only(TIED, False)  # transformers' class ties nothing, whatever a config says
    decoder = read_decoder(text, tied=False)
    return decoder, read_encoder(config.section("audio_config", ENCODER_DEFAULTS), TRAILING_FRAMES)


QWEN2_AUDIO = Family(
    model_type="qwen2_audio",
    architecture="Qwen2AudioForConditionalGeneration",
    layout=LAYOUT,
    special_tokens=SPECIAL_TOKENS,
    audio_tokens=audio_tokens,
    read=read,
    listener_shapes=listener_shapes,
    names=NAMES,
    reference="Qwen2AudioForConditionalGeneration",
)
