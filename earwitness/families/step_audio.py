"""Step-Audio: Step-Audio-R1 (https://arxiv.org/abs/2511.15848), Step-Audio-2-mini and their relatives.

Our names of weights, in trainer and rollout, are those of its checkpoints.
"""

from __future__ import annotations

from typing import Any

from earwitness.families.decoder import TIED, read_decoder
from earwitness.families.dims import KERNEL, STRIDE, AudioDims, DecoderDims
from earwitness.families.family import THINK, THINK_END, Family, Layout
from earwitness.families.reading import TEXT, Section
from earwitness.families.whisper import MLP_RATIO, encoded, encoder_shapes, two_layer_shapes

PAD = "<|PAD|>"
BOT = "<|BOT|>"
EOT = "<|EOT|>"
AUDIO_START = "<audio_start>"
AUDIO_END = "<audio_end>"
AUDIO_PATCH = "<audio_patch>"

SPECIAL_TOKENS = (PAD, BOT, EOT, AUDIO_START, AUDIO_END, AUDIO_PATCH, THINK, THINK_END)
"""In the order of a toy tokenizer's ids, from 0. Other checkpoints bring their own ids: look them up by name."""

LAYOUT = Layout(
    opening=f"{BOT}human\n",
    audio_start=AUDIO_START,
    audio_patch=AUDIO_PATCH,
    audio_end=AUDIO_END,
    audio_first=False,
    end_of_turn=EOT,
    assistant=f"{BOT}assistant\n{THINK}\n",
)
"""Step-Audio-R1's chat template."""

SEGMENT_SECONDS = 25.0
"""Its published client cuts longer clips into pieces of so much, each between `AUDIO_START` and `AUDIO_END`."""
LONGEST_SECONDS = 600.0
"""24 segments, 7,512 audio tokens of 65,536; its client states no limit."""
ADAPTER_SIZE = 2048
"""Width between the adaptor's linear layers in published checkpoints, whose config does not name it."""
DEFAULTS = {"rms_norm_eps": 1e-5, "rope_theta": 1e6}
"""What Step-Audio's class takes where a config does not name it. Its defaults for sizes are those of another, smaller
model: sizes must be named."""


def audio_tokens(frames: int) -> int:
    """Audio tokens that the encoder and adaptor make of `frames` mel frames.

    The adaptor's convolution halves once more (kernel 3, stride 2, padding 1): 25 -> 12.5 Hz.
    """
    return (encoded(frames) - 1) // STRIDE + 1


def listener_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of encoder and adaptor."""
    assert dims.adapter_size is not None, "the adaptor has two linear layers"
    return {
        **encoder_shapes(dims),
        "adapter.conv.weight": (dims.size, dims.size, KERNEL),
        "adapter.conv.bias": (dims.size,),
        **two_layer_shapes(dims.size, dims.adapter_size, hidden),
    }


def read(config: Section) -> tuple[DecoderDims, AudioDims]:
    """As `Family.read`."""
    text = config.section(TEXT, DEFAULTS)
    decoder = read_decoder(text, tied=text.flag(TIED))
    config.only(TIED, decoder.tied)  # both are read, by different programs
    audio = config.section("audio_encoder_config", {"adapter_size": ADAPTER_SIZE})
    for key, only in (("kernel_size", KERNEL), ("adapter_stride", STRIDE), ("llm_dim", decoder.hidden_size)):
        audio.only(key, only)
    dims = AudioDims(
        n_mels=audio.count("n_mels"),
        positions=audio.count("n_audio_ctx"),
        size=audio.count("n_audio_state"),
        heads=audio.count("n_audio_head"),
        layers=audio.count("n_audio_layer"),
        mlp_size=MLP_RATIO * audio.count("n_audio_state"),
        adapter_size=audio.count("adapter_size"),
        trailing_frames=0,
        learned_positions=True,
    )
    audio.divides("n_audio_head", "n_audio_state")
    return decoder, dims


STEP_AUDIO = Family(
    model_type="step_audio_2",
    architecture="StepAudio2ForCausalLM",
    layout=LAYOUT,
    special_tokens=SPECIAL_TOKENS,
    audio_tokens=audio_tokens,
    read=read,
    listener_shapes=listener_shapes,
    longest_seconds=LONGEST_SECONDS,
    segment_seconds=SEGMENT_SECONDS,
)


def config_of(
    decoder: DecoderDims, audio: AudioDims, *, eos_token_id: int, pad_token_id: int, dtype: str
) -> dict[str, Any]:
    """`config.json` in the layout of the published checkpoints."""
    return {
        "architectures": [STEP_AUDIO.architecture],
        "model_type": STEP_AUDIO.model_type,
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
        "text_config": {
            "hidden_size": decoder.hidden_size,
            "intermediate_size": decoder.intermediate_size,
            "num_attention_heads": decoder.heads,
            "num_attention_groups": decoder.kv_heads,
            "num_key_value_heads": decoder.kv_heads,
            "num_hidden_layers": decoder.layers,
            "max_seq_len": decoder.max_positions,
            "max_position_embeddings": decoder.max_positions,
            "vocab_size": decoder.vocab_size,
            "rms_norm_eps": decoder.norm_eps,
            "rope_theta": decoder.rope_theta,
            "rope_scaling": None,
            "tie_word_embeddings": False,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "torch_dtype": dtype,
        },
        "audio_encoder_config": {
            "n_mels": audio.n_mels,
            "n_audio_ctx": audio.positions,
            "n_audio_state": audio.size,
            "n_audio_head": audio.heads,
            "n_audio_layer": audio.layers,
            "llm_dim": decoder.hidden_size,
            "kernel_size": KERNEL,
            "adapter_stride": STRIDE,
            "adapter_size": audio.adapter_size,
        },
    }
