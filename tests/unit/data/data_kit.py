"""Small data sets in the layouts of the real ones, and what an import makes of them."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earwitness.data.importers import IMPORTERS
from earwitness.data.importing import Import, Imported, import_data
from earwitness.manifest import Example, read_manifest
from reward.reference import reference_problem


def tone(pitch: float, seconds: float = 0.25, kind: str = "WAV", rate: int = 16_000) -> bytes:
    """A sine as the bytes of an audio file."""
    buffer = io.BytesIO()
    times = np.arange(int(seconds * rate)) / rate
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * pitch * times), rate, format=kind)
    return buffer.getvalue()


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def lines(path: Path, *records: Any, end: str = "\n") -> Path:
    return write(path, "\n".join(json.dumps(record) for record in records) + end)


def plan(name: str, source: Path, out: Path, **changes: Any) -> Import:
    given = {"columns": {}, "checksums": False, "referee": reference_problem, **changes}
    return Import(name, IMPORTERS[name], source, out, **given)


def imported(name: str, source: Path, out: Path, **changes: Any) -> tuple[Imported, list[Example]]:
    """What an import came to, and the examples of its one manifest."""
    done = import_data(plan(name, source, out, **changes), lambda done, total: None)
    (path,) = done.manifests
    return done, read_manifest(path, check_audio=True)
