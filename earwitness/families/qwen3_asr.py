"""Qwen3-ASR: Qwen3-ASR-0.6B-hf and -1.7B-hf (https://arxiv.org/abs/2601.21337), in the layout of transformers.

Its encoder is Qwen3-Omni's: it convolves over time and mel bins, and hears 12.5 positions a second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from earwitness.errors import InputError
from earwitness.families.decoder import QWEN2_DEFAULTS, QWEN3, TIED, read_decoder
from earwitness.families.dims import KERNEL, STRIDE, AudioDims, DecoderDims
from earwitness.families.family import CHATML, Family, chatml
from earwitness.families.names import Names
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import TRAILING_FRAMES, block_names, block_shapes, read_encoder, two_layer_shapes

LAYOUT = chatml("<|audio_start|>", "<|audio_pad|>", "<|audio_end|>", system="")
"""Its chat template, which writes what it hears and leaves out what is asked: the question stands behind the clip."""

CONVOLUTIONS = 3
"""Each halves time and mel bins (kernel 3, stride 2, padding 1)."""
HALF_CHUNK = 50
"""`n_window` of the published configs."""
CHUNK = 2 * HALF_CHUNK
"""Mel frames that are convolved by themselves, with zeros behind a clip's last: 1 s. Positions begin at 0 in each. The
trailing frames are not seen."""
POSITIONS = 13
"""Of a chunk."""
CHUNKS_HEARD = 8
"""Chunks that attend to each other: windows of 8 s."""
SHORTEST_SECONDS = 0.5
"""Its feature extractor puts silence behind shorter clips, and counts it."""
LONGEST_SECONDS = 600.0
"""Its own client cuts nothing below 20 minutes."""
LONGEST_FRAMES = 100 * int(LONGEST_SECONDS) + TRAILING_FRAMES
ENCODER_DEFAULTS: dict[str, Any] = {
    "num_mel_bins": 128,
    "encoder_layers": 24,
    "encoder_attention_heads": 16,
    "encoder_ffn_dim": 4096,
    "d_model": 1024,
    "output_dim": 3584,
    "downsample_hidden_size": 480,
    "max_position_embeddings": POSITIONS,
}
"""transformers' Qwen3ASREncoderConfig."""

NAMES = Names(
    beginnings=(
        ("encoder.after_norm.", "model.audio_tower.ln_post."),
        *block_names("model.audio_tower."),
        ("encoder.", "model.audio_tower."),
        ("adapter.linear1.", "model.multi_modal_projector.linear_1."),
        ("adapter.linear2.", "model.multi_modal_projector.linear_2."),
        ("model.", "model.language_model."),
    ),
)


def halved(length: int) -> int:
    """What the convolutions leave of a length."""
    for _ in range(CONVOLUTIONS):
        length = (length + 1) // STRIDE
    return length


def audio_tokens(frames: int) -> int:
    """Audio tokens that the encoder makes of `frames` mel frames, the trailing ones among them: 13 of each second.

    This is transformers' `_get_feat_extract_output_lengths` of the frames that count.
    """
    chunks, rest = divmod(max(frames - TRAILING_FRAMES, 0), CHUNK)
    return chunks * POSITIONS + halved(rest)


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and projector; positions are computed."""
    assert dims.channels is not None, "the encoder convolves over mel bins"
    shapes: dict[str, tuple[int, ...]] = {}
    for index in range(1, CONVOLUTIONS + 1):
        taken = 1 if index == 1 else dims.channels
        shapes[f"encoder.conv2d{index}.weight"] = (dims.channels, taken, KERNEL, KERNEL)
        shapes[f"encoder.conv2d{index}.bias"] = (dims.channels,)
    shapes["encoder.conv_out.weight"] = (dims.size, dims.channels * halved(dims.n_mels))
    return {**shapes, **block_shapes(dims), **two_layer_shapes(dims.size, dims.size, hidden)}


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    if "thinker_config" in config.fields:
        fit = "the same model as transformers has it, Qwen3-ASR-0.6B-hf or -1.7B-hf"
        raise InputError(f"{config.path}: thinker_config", "is the layout of the qwen-asr package", fit)
    # its class ties by the whole model's word, whatever its text_config says, and does where there is none
    tied = Section(config.path, {TIED: True, **config.fields}).flag(TIED)
    decoder = read_decoder(config.section(TEXT, {**QWEN2_DEFAULTS, "model_type": QWEN3}), tied=tied)
    audio = config.section("audio_config", ENCODER_DEFAULTS)
    fixed = {
        "n_window": HALF_CHUNK,
        "n_window_infer": CHUNKS_HEARD * CHUNK,
        "max_position_embeddings": POSITIONS,
        "output_dim": decoder.hidden_size,
    }
    for key, only in fixed.items():
        audio.only(key, only)
    dims = read_encoder(audio, {"max_source_positions": "max_position_embeddings"})
    channels = audio.count("downsample_hidden_size")
    return decoder, replace(dims, channels=channels, key_bias=True, longest_frames=LONGEST_FRAMES)


QWEN3_ASR = Family(
    model_type="qwen3_asr",
    architecture="Qwen3ASRForConditionalGeneration",
    layout=LAYOUT,
    special_tokens=(*CHATML, LAYOUT.audio_patch),
    audio_tokens=audio_tokens,
    read=read,
    listener_shapes=listener_shapes,
    longest_seconds=LONGEST_SECONDS,
    shortest_seconds=SHORTEST_SECONDS,
    names=NAMES,
    reference="Qwen3ASRForConditionalGeneration",
)
