"""Networks of ours as ONNX files, written byte by byte: what the format needs is little, and its package is large."""

from __future__ import annotations

from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7
"""Types of a TensorProto."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: bytes | str | int) -> bytes:
    """One field of a message of protobuf."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: np.ndarray) -> bytes:
    kind = INT64 if values.dtype == np.int64 else FLOAT
    return b"".join(field(1, n) for n in values.shape) + field(2, kind) + field(8, name) + field(9, values.tobytes())


def node(kind: str, inputs: list[str], output: str, **integers: int) -> bytes:
    given = [field(1, name) + field(3, value) + field(20, 2) for name, value in integers.items()]
    return (
        b"".join(field(1, name) for name in inputs)
        + field(2, output)
        + field(4, kind)
        + b"".join(field(5, one) for one in given)
    )


def value_info(name: str, shape: list[int | str], kind: int = FLOAT) -> bytes:
    dims = b"".join(field(1, field(1 if isinstance(n, int) else 2, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def network(
    path: Path,
    taps: np.ndarray,
    *,
    shape: list[int | str] = ["batch", "samples"],  # noqa: B006 (it is not changed)
    gain: float = 40.0,
    sigmoid: bool = True,
    metadata: dict[str, str] | None = None,
) -> Path:
    """One filter of `taps` `[labels, taps]` for each label; its score is sigmoid(gain · (mean |filtered| - 0.1)).

    `shape` is that of the input, with or without a batch.
    """
    labels, length = taps.shape
    nodes = [
        node("Reshape", ["sound", "as_image"], "image"),
        node("Conv", ["image", "taps"], "filtered"),
        node("Abs", ["filtered"], "size"),
        node("GlobalAveragePool", ["size"], "mean"),
        node("Reshape", ["mean", "as_row"], "row"),
        node("Sub", ["row", "least"], "above"),
        node("Mul", ["above", "gain"], "logits" if sigmoid else "scores"),
        *([node("Sigmoid", ["logits"], "scores")] if sigmoid else []),
    ]
    constants = [
        tensor("as_image", np.array([1, 1, -1], dtype=np.int64)),
        tensor("as_row", np.array([1, labels], dtype=np.int64)),
        tensor("taps", taps.reshape(labels, 1, length).astype(np.float32)),
        tensor("least", np.array([0.1], dtype=np.float32)),
        tensor("gain", np.array([gain], dtype=np.float32)),
    ]
    graph = (
        b"".join(field(1, one) for one in nodes)
        + field(2, "toy")
        + b"".join(field(5, one) for one in constants)
        + field(11, value_info("sound", shape))
        + field(12, value_info("scores", [1, labels]))
    )
    said = b"".join(field(14, field(1, key) + field(2, value)) for key, value in (metadata or {}).items())
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 17)) + said)
    return path


def tuned(*hertz: float, rate: int, length: int = 400) -> np.ndarray:
    """Filters that let these frequencies pass, `[labels, length]`: each of gain 1."""
    times = np.arange(length) / rate
    return np.stack([2 / length * np.hanning(length) * 2 * np.sin(2 * np.pi * f * times) for f in hertz])
