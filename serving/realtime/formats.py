"""Sound as it comes over the wire, and what the model hears of it."""

from __future__ import annotations

import io
from typing import Annotated, ClassVar, Literal

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import Field

from earwitness.audio import MAX_SECONDS, SAMPLE_RATE
from serving.chat.request import Part
from serving.clips import Clip


class Pcm(Part):
    """Linear, 16 bit, little-endian, mono."""

    type: Literal["audio/pcm"]
    rate: Literal[24_000, 16_000] = 24_000
    width: ClassVar[int] = 2
    """Bytes of a sample."""


class G711(Part):
    """ITU-T G.711, 8 bit, mono: mu-law (`pcmu`) or A-law (`pcma`)."""

    type: Literal["audio/pcmu", "audio/pcma"]
    rate: Literal[8_000] = 8_000
    width: ClassVar[int] = 1
    """Bytes of a sample."""


Format = Annotated[Pcm | G711, Field(discriminator="type")]


def most_bytes(of: Pcm | G711) -> int:
    """Of the longest clip that a model hears."""
    return int(MAX_SECONDS * of.rate) * of.width


def decoded(data: bytes, of: Pcm | G711) -> NDArray[np.float32]:
    """Sound from the wire, `[samples]` at its own rate, full scale at 1."""
    match of:
        case Pcm():
            return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32_768)
        case G711(type="audio/pcmu"):
            return MU_LAW[np.frombuffer(data, np.uint8)]
        case _:
            return A_LAW[np.frombuffer(data, np.uint8)]


def as_heard(data: bytes, of: Pcm | G711) -> NDArray[np.float32]:
    """Sound from the wire as the model hears it: `[samples]`, 16 kHz."""
    samples = decoded(data, of)
    if of.rate == SAMPLE_RATE:
        return samples
    return soxr.resample(samples, of.rate, SAMPLE_RATE, quality="HQ").astype(np.float32, copy=False)


def clip_of_stream(data: bytes, of: Pcm | G711) -> Clip:
    """What was committed: as the model hears it, and as a file for what measures."""
    samples = decoded(data, of)
    file = io.BytesIO()
    soundfile.write(file, samples, of.rate, format="WAV", subtype="FLOAT")
    return Clip(file.getvalue(), as_heard(data, of))


def encoded(samples: NDArray[np.float32], of: Pcm | G711) -> bytes:
    """Sound for the wire, each sample at its nearest value."""
    match of:
        case Pcm():
            return np.clip(np.round(samples * 32_768), -32_768, 32_767).astype("<i2").tobytes()
        case G711(type="audio/pcmu"):
            table = MU_LAW
        case _:
            table = A_LAW
    order = np.argsort(table)
    between = (table[order][1:] + table[order][:-1]) / 2
    return order[np.searchsorted(between, samples)].astype(np.uint8).tobytes()


def _mu_law() -> NDArray[np.float32]:
    """Every code's amplitude, full scale at 1 (G.711, table 2): 14 bits, of which a segment's step has 2^segment."""
    code = ~np.arange(256, dtype=np.uint8)
    segment, step = (code >> 4) & 7, code & 15
    size = ((step.astype(np.int32) * 2 + 33) << segment) - 33
    return (np.where(code & 128, -size, size) / 8192).astype(np.float32)


def _a_law() -> NDArray[np.float32]:
    """Every code's amplitude, full scale at 1 (G.711, table 1): 13 bits; even bits come inverted."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment, step = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    size = np.where(segment == 0, step * 2 + 1, (step * 2 + 33) << np.maximum(segment - 1, 0))
    return (np.where(code & 128, size, -size) / 4096).astype(np.float32)


MU_LAW, A_LAW = _mu_law(), _a_law()
