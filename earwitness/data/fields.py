"""Values of a row: text that may be a number or stand in a struct, identities, sounds."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from earwitness.data.question import LeftOut, Sound
from earwitness.errors import shown

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus")
"""Files that may be clips, in the order in which one is looked for."""


def text(fields: Mapping[str, Any], key: str) -> str:
    """The text under `key`, also of a number, of true and false, or of {"text": ...}; "" where there is none."""
    value = fields.get(key)
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}"
    return str(value).strip()


def needed(fields: Mapping[str, Any], key: str, what: str = "") -> str:
    """As `text`. Raises LeftOut where there is none."""
    value = text(fields, key)
    if not value:
        raise LeftOut(f"no {what or key}")
    return value


def kept(fields: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Those of `keys` that have a value, for `extra`; what JSON cannot hold is its text."""
    found = {key: fields[key] for key in keys if fields.get(key) not in (None, "", [])}
    extra: dict[str, Any] = json.loads(json.dumps(found, default=str), parse_constant=lambda _: None)
    return extra


def sound(fields: Mapping[str, Any], *keys: str) -> Sound | None:
    """The clip under the first of `keys` that the source holds itself, or else that names one; None where there is
    none. It is a path, an audio struct with bytes, or one with decoded samples. Raises LeftOut for anything else."""
    found = [clip for key in keys if (clip := _sound(fields.get(key), key))]
    return next((clip for clip in found if clip.held), found[0] if found else None)


def _sound(value: object, key: str) -> Sound | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return Sound(path=value)
    if isinstance(value, bytes):
        return Sound(data=value, held=True)
    if isinstance(value, Mapping):
        path = value.get("path")
        path = path if isinstance(path, str) else ""
        if isinstance(data := value.get("bytes"), bytes):
            return Sound(path, data, held=True)
        if value.get("array") is not None:
            return Sound(path, _encoded(value), held=True)
        if value.get("held"):
            return Sound(path, held=True)
        if path:
            return Sound(path)
    raise LeftOut(f"{key} is {shown(value)[:40]}, neither a path nor audio bytes")


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Samples that were decoded already, as a wav file."""
    import numpy as np
    import soundfile

    try:
        samples, rate = np.asarray(value["array"], dtype=np.float32), int(value["sampling_rate"])
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    except (KeyError, TypeError, ValueError, soundfile.SoundFileError) as error:
        raise LeftOut(f"decoded samples that cannot be used ({type(error).__name__})") from error
    return buffer.getvalue()
