"""What the families' encoders share: Whisper's, with its pooling by two. Names are those that we use everywhere."""

from __future__ import annotations

from earwitness.families.dims import KERNEL, STRIDE, AudioDims

MLP_RATIO = 4
"""Width of Whisper's MLP over its own width, where a config does not name it."""


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
    for layer in range(dims.layers):
        block = f"encoder.blocks.{layer}"
        for name in ("query", "key", "value", "out"):
            shapes[f"{block}.attn.{name}.weight"] = (size, size)
            if name != "key":
                shapes[f"{block}.attn.{name}.bias"] = (size,)
        shapes[f"{block}.mlp.0.weight"] = (dims.mlp_size, size)
        shapes[f"{block}.mlp.0.bias"] = (dims.mlp_size,)
        shapes[f"{block}.mlp.2.weight"] = (size, dims.mlp_size)
        shapes[f"{block}.mlp.2.bias"] = (size,)
        for norm in ("attn_ln", "mlp_ln"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (size,)
    shapes["encoder.after_norm.weight"] = shapes["encoder.after_norm.bias"] = (size,)
    return shapes


def encoded(frames: int) -> int:
    """What the encoder makes of `frames` counted mel frames: 100 -> 50 -> 25 Hz.

    Its second convolution halves (kernel 3, stride 2, padding 1), its average pool halves and drops an odd frame.
    """
    return (frames + 1) // STRIDE // STRIDE
