"""Recordings that Debian distributes, for `real_sounds.py`: fetched into a cache folder and unpacked, not installed.

    python benchmarks/real_clips.py [--folder DIR]

Sonic Pi's samples (CC0), Asterisk's voice prompts (CC-BY-SA 3.0), the test data of pocketsphinx (BSD), the voices of
alsa-utils (GPL) and the instruments of the Fluid (R3) Mono soundfont (MIT). None of them goes into the project.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from earwitness.audio import SAMPLE_RATE  # noqa: E402
from reward.measure.facts import Samples  # noqa: E402

PACKAGES = (
    "sonic-pi-samples",
    "asterisk-core-sounds-en-wav",
    "pocketsphinx-testdata",
    "alsa-utils",
    "fluidr3mono-gm-soundfont",
)
SECONDS = 120
"""Limit of one download."""
DEFAULT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "earwitness-real-clips"
SONIC = "usr/share/sonic-pi/samples"
VOICES = "usr/share/asterisk/sounds/en_US_f_Allison"
READERS = (
    "usr/share/pocketsphinx/test/data/librivox",
    "usr/share/pocketsphinx/test/data/cards",
    "usr/share/sounds/alsa",
)
FONT = "usr/share/sounds/sf3/FluidR3Mono_GM.sf3"
_NAME = re.compile(r"(.*?) ?([A-G]b?#?) ?(\d)\b")
_CLASSES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--folder", type=Path, default=DEFAULT, help="where the packages are kept")
    problem = fetch(options.parse_args().folder)
    print(problem or "all packages are there")


def fetch(folder: Path) -> str:
    """Gets and unpacks what is missing in `folder`; what is wrong, in words, or ""."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        done = folder / f"{package}.unpacked"
        if done.exists():
            continue
        try:
            _run(["apt-get", "download", package], folder)
            archive = max(folder.glob(f"{package}_*.deb"))
            _run(["dpkg", "-x", archive.name, "."], folder)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            return f"{package} cannot be had ({error}): apt-get and dpkg of a Debian are needed"
        done.touch()
    return ""


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)


class Clips:
    """The recordings of a folder, mono at 16 kHz, peak at 0.5."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._font = (folder / FONT).read_bytes()
        self.instruments = dict(_notes(self._font))
        """(instrument, MIDI key as its name says, one octave open) to where its Ogg stream lies, and its rate."""

    @lru_cache(512)  # noqa: B019 (one object a process)
    def sample(self, name: str) -> Samples:
        """A sample of Sonic Pi, without the silence around it."""
        return _trimmed(_mono(*soundfile.read(self.folder / SONIC / f"{name}.flac")))

    def whole(self, name: str) -> Samples:
        """A sample of Sonic Pi as it is: a loop is as long as its beats."""
        return _mono(*soundfile.read(self.folder / SONIC / f"{name}.flac"))

    def prompts(self, below: str = "", least: float = 1.0) -> list[Path]:
        """Asterisk's prompts of at least `least` seconds."""
        paths = sorted((self.folder / VOICES / below).glob("*.wav"))
        return [path for path in paths if soundfile.info(path).duration >= least]

    def readers(self) -> list[Path]:
        """Other voices."""
        return [
            path for below in READERS for path in sorted((self.folder / below).glob("*.wav")) if path.stem != "Noise"
        ]

    def voice(self, path: Path) -> Samples:
        return _trimmed(_mono(*soundfile.read(path)), 35.0)

    @lru_cache(512)  # noqa: B019
    def note(self, instrument: str, key: int) -> Samples:
        """A note of the soundfont."""
        begin, end, rate = self.instruments[instrument, key]
        samples, _ = soundfile.read(io.BytesIO(self._font[begin:end]))
        return _trimmed(_mono(samples, rate))


def _notes(font: bytes) -> Iterator[tuple[tuple[str, int], tuple[int, int, int]]]:
    """Samples of a compressed SoundFont 2 whose names end in a note."""
    chunks = dict(_chunks(font, 0, len(font)))
    begin, size = chunks[b"shdr"]
    first, _ = chunks[b"smpl"]
    for place in range(begin, begin + size - 46, 46):
        name, start, end, _, _, rate = struct.unpack_from("<20sIIIII", font, place)
        found = _NAME.match(name.split(b"\0")[0].decode("latin1"))
        if found:
            key = 12 * (int(found[3]) + 1) + _CLASSES[found[2][0]] + found[2].count("#") - found[2].count("b")
            yield (found[1].strip(), key), (first + start, first + end, rate)


def _chunks(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """(name, (place, size)) of the RIFF chunks; those of a compressed font are not padded to even lengths."""
    while begin + 8 <= end:
        name, size = data[begin : begin + 4], struct.unpack_from("<I", data, begin + 4)[0]
        if name in (b"RIFF", b"LIST"):
            yield from _chunks(data, begin + 12, begin + 8 + size)
        else:
            yield name, (begin + 8, size)
        begin += 8 + size


def _mono(samples: np.ndarray, rate: int) -> Samples:
    mixed = samples.mean(axis=1) if samples.ndim > 1 else samples
    heard = soxr.resample(mixed, rate, SAMPLE_RATE)
    return (0.5 * heard / max(float(np.abs(heard).max()), 1e-6)).astype(np.float32)


def _trimmed(samples: Samples, below_db: float = 45.0) -> Samples:
    """Without the silence at both ends: the attack starts at sample 0."""
    loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (-below_db / 20))
    return samples[loud[0] : loud[-1] + 1]


if __name__ == "__main__":
    main()
