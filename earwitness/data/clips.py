"""The sound of a row: found, decoded to its end, and kept where a manifest can name it."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, content_hash, decode_audio, read_clip
from earwitness.data.fields import AUDIO_SUFFIXES
from earwitness.data.inside import inside
from earwitness.data.question import LeftOut, Row, Sound, SourceError
from earwitness.errors import AudioError

MAX_NAMES = 2_000_000
"""Most files that are looked through for a clip that is named without its suffix."""
_VIDEOS = (".mp4", ".mkv", ".webm", ".avi")
_MARKS = {b"RIFF": ".wav", b"RF64": ".wav", b"fLaC": ".flac", b"OggS": ".ogg"}


@dataclass(frozen=True)
class Clip:
    """A clip that decodes."""

    audio: str
    """As the manifest names it: relative to its folder, or absolute."""
    seconds: float
    xxh3: str
    """xxh3-128 of the file."""


class Clips:
    """Clips of one import: files stay where they are, bytes that the source holds go to `out`/clips."""

    def __init__(self, root: Path, out: Path) -> None:
        self._root = root
        self._out = out

    def find(self, row: Row, sound: Sound) -> Path | None:
        """The file that a row names; None where the source holds the bytes.

        Raises SourceError if it leads out of the source, LeftOut if there is no such file.
        """
        if sound.held:
            return None
        for folder in dict.fromkeys((row.folder, self._root)):
            named = os.path.relpath(folder, self._root)
            relative = sound.path if Path(sound.path).is_absolute() or named == "." else f"{named}/{sound.path}"
            found = inside(self._root, relative, row.where)
            if os.path.isfile(found):  # noqa: PTH113 (Path's raises for text where a path should be, longer than a name)
                return found
            if (spelled := self._spelled.get(_folded(found))) is not None:
                return spelled
        if (by_stem := self._stems.get(_folded(sound.path.removesuffix(_video(sound.path))))) is not None:
            return by_stem
        raise LeftOut("the clip is missing")

    def take(self, sound: Sound, path: Path | None) -> Clip:
        """Decodes the clip to its end and keeps it. Raises LeftOut for what cannot be heard."""
        name = str(path) if path else sound.path or "audio"
        try:
            data = read_clip(str(path)) if path else sound.data or b""
            samples = decode_audio(data, name, max_seconds=MEASURED_SECONDS)
        except AudioError as error:
            raise LeftOut(f"audio: {error.problem}") from error
        digest = content_hash(data)
        audio = str(path) if path else self._kept(data, digest)
        return Clip(audio, round(len(samples) / SAMPLE_RATE, 3), digest)

    def _kept(self, data: bytes, digest: str) -> str:
        """Named by content: equal clips are one file, and one that an earlier run wrote stays."""
        relative = f"clips/{digest[:2]}/{digest}{_MARKS.get(data[:4], '.mp3')}"
        path = self._out / relative
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".part")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                Path(partial).chmod(0o644)
                Path(partial).replace(path)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
        return relative

    @cached_property
    def _stems(self) -> dict[str, Path]:
        """Clips of the source by their name without suffix; of several the first suffix that is usual."""
        found: dict[str, Path] = {}
        for path in self._all:
            other = found.get(_folded(path.stem))
            if other is None or _rank(path) < _rank(other):
                found[_folded(path.stem)] = path
        return {stem: inside(self._root, str(path.relative_to(self._root)), str(path)) for stem, path in found.items()}

    @cached_property
    def _spelled(self) -> dict[str, Path]:
        """Clips by their path in small letters, composed: archives of other systems change both. None that is two's."""
        found: dict[str, list[Path]] = defaultdict(list)
        for path in self._all:
            inner = inside(self._root, str(path.relative_to(self._root)), str(path))
            found[_folded(inner)].append(inner)
        return {spelled: paths[0] for spelled, paths in found.items() if len(paths) == 1}

    @cached_property
    def _all(self) -> list[Path]:
        """Every file of the source that may be a clip."""
        found, count = [], 0
        for folder, _, names in os.walk(self._root):
            count += len(names)
            if count > MAX_NAMES:
                raise SourceError(str(self._root), f"more than {MAX_NAMES:,} files", "a data set of fewer")
            found += [Path(folder, name) for name in names if Path(name).suffix.lower() in AUDIO_SUFFIXES]
        return found


def _folded(path: Path | str) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _video(name: str) -> str:
    """The suffix of a video, in whose place its sound lies as a clip of the same name."""
    suffix = Path(name).suffix
    return suffix if suffix.lower() in _VIDEOS else ""


def _rank(path: Path) -> tuple[int, str]:
    return AUDIO_SUFFIXES.index(path.suffix.lower()), str(path)
