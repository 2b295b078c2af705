"""What the families' encoders share: Whisper's, with its pooling by two. Names are those that we use everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from earwitness.families.dims import KERNEL, STRIDE, AudioDims
from earwitness.families.names import Names
from earwitness.families.reading import Section

TRAILING_FRAMES = 2
"""`logmel` pads clips so that they have two frames more than their length asks for. transformers' encoders do not count
them, but their convolutions see them at a segment's end, as they would in one that is padded with silence."""
MLP_RATIO = 4
"""Width of Whisper's MLP over its own width, where a config does not name it."""
ENCODER_DEFAULTS: dict[str, Any] = {
    "num_mel_bins": 128,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "d_model": 1280,
    "max_source_positions": 1500,
}
"""What transformers' encoders of this make take where a config does not name it."""


def encoder_shapes(dims: AudioDims) -> dict[str, tuple[int, ...]]:
    """Shape of every weight of the encoder."""
    size = dims.size
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (size, dims.n_mels, KERNEL),
        "encoder.conv1.bias": (size,),
        "encoder.conv2.weight": (size, size, KERNEL),
        "encoder.conv2.bias": (size,),
        "encoder.positional_embedding.weight": (dims.positions, size),
    }
    return {**shapes, **block_shapes(dims)}


def block_shapes(dims: AudioDims) -> dict[str, tuple[int, ...]]:
    """Shape of every weight of the encoder's blocks, and of the norm behind them."""
    size, shapes = dims.size, dict[str, tuple[int, ...]]()
    for layer in range(dims.layers):
        block = f"encoder.blocks.{layer}"
        for name in ("query", "key", "value", "out"):
            shapes[f"{block}.attn.{name}.weight"] = (size, size)
            if name != "key" or dims.key_bias:
                shapes[f"{block}.attn.{name}.bias"] = (size,)
        shapes[f"{block}.mlp.0.weight"] = (dims.mlp_size, size)
        shapes[f"{block}.mlp.0.bias"] = (dims.mlp_size,)
        shapes[f"{block}.mlp.2.weight"] = (size, dims.mlp_size)
        shapes[f"{block}.mlp.2.bias"] = (size,)
        for norm in ("attn_ln", "mlp_ln"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (size,)
    shapes["encoder.after_norm.weight"] = shapes["encoder.after_norm.bias"] = (size,)
    return shapes


def projector_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of one linear layer to a decoder of that width."""
    return {"adapter.linear.weight": (hidden, dims.size), "adapter.linear.bias": (hidden,)}


def two_layer_shapes(size: int, between: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Shapes of two linear layers to a decoder of that width, with another between them."""
    return {
        "adapter.linear1.weight": (between, size),
        "adapter.linear1.bias": (between,),
        "adapter.linear2.weight": (hidden, between),
        "adapter.linear2.bias": (hidden,),
    }


def block_names(tower: str) -> tuple[tuple[str, str], ...]:
    """Names of the blocks' weights, as `Names.beginnings`, in checkpoints of transformers' encoders under `tower`."""
    theirs = {
        "attn.query.": "self_attn.q_proj.",
        "attn.key.": "self_attn.k_proj.",
        "attn.value.": "self_attn.v_proj.",
        "attn.out.": "self_attn.out_proj.",
        "attn_ln.": "self_attn_layer_norm.",
        "mlp.0.": "fc1.",
        "mlp.2.": "fc2.",
        "mlp_ln.": "final_layer_norm.",
    }
    return tuple((f"encoder.blocks.#.{ours}", f"{tower}layers.#.{name}") for ours, name in theirs.items())


def tower_names(*adapter: tuple[str, str]) -> Names:
    """Names in checkpoints that have an `audio_tower` beside a `language_model`; `adapter`: of what joins the two."""
    return Names(
        beginnings=(
            ("encoder.positional_embedding.", "audio_tower.embed_positions."),
            ("encoder.after_norm.", "audio_tower.layer_norm."),
            *block_names("audio_tower."),
            ("encoder.", "audio_tower."),
            *adapter,
            ("model.", "language_model.model."),
            ("lm_head.", "language_model.lm_head."),
        ),
        # transformers 5 saves the decoder one `model.` deeper than it is published
        saved=("language_model.model.model.", "language_model.model."),
    )


def read_encoder(audio: Section, called: Mapping[str, str] | None = None) -> AudioDims:
    """Dimensions from the `audio_config` of transformers' encoders, whose sinusoids stay as they are.

    `called`: names of fields that are not Whisper's, by Whisper's.
    """
    width, layers, heads, mlp, positions = (
        (called or {}).get(name, name)
        for name in ("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "max_source_positions")
    )
    audio.only("activation_function", "gelu")
    audio.divides(heads, width)
    return AudioDims(
        n_mels=audio.count("num_mel_bins"),
        positions=audio.count(positions),
        size=audio.count(width),
        heads=audio.count(heads),
        layers=audio.count(layers),
        mlp_size=audio.count(mlp),
        adapter_size=None,
        trailing_frames=TRAILING_FRAMES,
        learned_positions=False,
    )


def counted(frames: int) -> int:
    """Audio tokens of `frames` mel frames, the trailing ones among them: 25 a second, as transformers'
    `_get_feat_extract_output_lengths` and `_get_audio_token_length` say of the frames that count."""
    return encoded(max(frames - TRAILING_FRAMES, 0))


def encoded(frames: int) -> int:
    """What the encoder makes of `frames` counted mel frames: 100 -> 50 -> 25 Hz.

    Its second convolution halves (kernel 3, stride 2, padding 1), its average pool halves and drops an odd frame.
    """
    return (frames + 1) // STRIDE // STRIDE
