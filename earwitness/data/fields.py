"""Values of a row: text that may be a number or stand in a struct, identities, sounds."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from earwitness.data.question import LeftOut, Sound
from earwitness.errors import shown

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus")
"""Files that may be clips, in the order in which one is looked for."""
OTHER_SOUND = (".m4a", ".aac", ".mp4", ".wma", ".aif", ".aiff", ".webm", ".amr", ".au", ".mka")
"""Sound that is not read: what names it is a clip all the same, and says of itself what it is."""
MAX_PATH_CHARS = 4096
"""Longest path."""
STEREO = 2
"""Axes of samples with channels."""
_FULL_SCALE_16 = 32768


def text(fields: Mapping[str, Any], key: str) -> str:
    """The text under `key`; "" where there is none."""
    return said(fields.get(key))


def said(value: object) -> str:
    """A value as text, also a number, true or false, {"text": ...}, or a list of one of them; "" for anything else."""
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, list) and len(value) == 1:
        return said(value[0])
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):  # tables make 7.0 of the 7 of a column in which another number is missing
        return f"{value:.0f}" if value.is_integer() else str(value) if math.isfinite(value) else ""
    return str(value).strip() if isinstance(value, str | int | Decimal) else ""


def is_nothing(value: object) -> bool:
    """Whether a column has no value: tables write what is missing as NaN."""
    return value is None or value in ("", []) or value != value


def needed(fields: Mapping[str, Any], key: str, what: str = "") -> str:
    """As `text`. Raises LeftOut where there is none."""
    value = text(fields, key)
    if not value:
        raise LeftOut(f"no {what or key}")
    return value


def kept(fields: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Those of `keys` that have a value, for `extra`; what JSON cannot hold is its text."""
    found = {key: fields[key] for key in keys if not is_nothing(fields.get(key))}
    extra: dict[str, Any] = json.loads(json.dumps(found, default=str), parse_constant=lambda _: None)
    return extra


def sound(fields: Mapping[str, Any], *keys: str) -> Sound | None:
    """The clip under the first of `keys` that the source holds itself, or else that names one; None where there is
    none. It is a path, an audio struct with bytes, or one with decoded samples. Raises LeftOut for anything else."""
    found = [clip for key in keys if (clip := _sound(fields.get(key), key))]
    return next((clip for clip in found if clip.held), found[0] if found else None)


def needed_sound(fields: Mapping[str, Any], *keys: str) -> Sound:
    """As `sound`. Raises LeftOut where there is none: a question about a recording is none without it."""
    if (found := sound(fields, *keys)) is None:
        raise LeftOut(f"no clip ({' or '.join(keys)})")
    return found


def looks_like_sound(value: object) -> bool:
    """Whether a value under a name that says nothing may be a clip: bytes, or a file's name."""
    if isinstance(value, str):
        return len(value) < MAX_PATH_CHARS and value.lower().endswith((*AUDIO_SUFFIXES, *OTHER_SOUND))
    if isinstance(value, Mapping):
        return any(value.get(key) for key in ("bytes", "array", "held"))
    if isinstance(value, list):
        return bool(value) and all(map(looks_like_sound, value))
    return isinstance(value, bytes)


def _sound(value: object, key: str) -> Sound | None:
    if is_nothing(value):
        return None
    if isinstance(value, str):
        return _named(value, key)
    if isinstance(value, bytes):
        return Sound(data=value, held=True)
    if isinstance(value, Sequence):
        if len(value) > 1:
            raise LeftOut(f"{key} has {len(value)} clips")
        return _sound(value[0], key) if value else None
    if isinstance(value, Mapping):
        path = value.get("path", value.get("url"))
        path = path if isinstance(path, str) else ""
        if isinstance(data := value.get("bytes"), bytes):
            return Sound(path, data, held=True)
        if value.get("array") is not None:
            return Sound(path, _encoded(value), held=True)
        if value.get("held"):
            return Sound(path, held=True)
        if isinstance(written := value.get("data"), str):
            return Sound(path, _unwritten(written, key), held=True)
        if path:
            return _named(path, key)
        if not any(value.values()):
            return None
    raise LeftOut(f"{key} is {shown(value)[:40]}, neither a path nor audio bytes")


def _named(path: str, key: str) -> Sound:
    """A clip by its path, or where the clip itself stands there as text, as requests to servers have it."""
    if path.startswith("data:"):
        return Sound(data=_unwritten(path.partition(",")[2], key), held=True)
    if path.startswith(("http://", "https://")):
        raise LeftOut(f"{key} is an address, whose clip is not on this disk")
    return Sound(path=path.removeprefix("file://"))


def _unwritten(text: str, key: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LeftOut(f"{key} is no base64") from error


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Samples that were decoded already, as a wav file."""
    import numpy as np
    import soundfile

    try:
        given, rate = np.asarray(value["array"]), int(value["sampling_rate"])
        samples = given.astype(np.float32)
        if given.dtype.kind in "iu":
            samples /= _FULL_SCALE_16
        if samples.ndim == STEREO and samples.shape[0] < samples.shape[1]:
            samples = samples.T  # decoders of torch give [channels, samples]
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    except (KeyError, TypeError, ValueError, OverflowError, soundfile.SoundFileError) as error:
        raise LeftOut(f"decoded samples that cannot be used ({type(error).__name__})") from error
    return buffer.getvalue()
