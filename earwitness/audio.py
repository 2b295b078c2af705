"""Clips: any wav, flac, mp3 or ogg, at any rate, as mono 16 kHz float32."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

import numpy as np
import soundfile
import soxr
import xxhash
from numpy.typing import NDArray

from earwitness import storage
from earwitness.containers import EXPECTED, flac, is_flac, is_mpeg, whole
from earwitness.containers.words import Words, heard
from earwitness.errors import AudioError
from earwitness.families.family import WHISPER_SECONDS
from earwitness.logmel import SAMPLE_RATE

MAX_SECONDS: Final = WHISPER_SECONDS
"""Longest clip where nobody says more."""
MEASURED_SECONDS: Final = 600.0
"""Longest clip that is measured: benchmarks and people have longer recordings than a model hears at a time."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Largest audio file: 30 s of 8-channel 32-bit audio at 48 kHz are 46 MB."""
MAX_CHANNELS: Final = 32
"""Most channels of a file; a header that claims more is broken or hostile."""
MIN_RATE: Final = 1_000
"""Lowest sample rate, Hz; below it a claim of long duration costs nothing but decodes to a huge clip."""
MAX_RATE: Final = 768_000
"""Highest sample rate, Hz; that of the fastest converters."""
MAX_PEAK: Final = 32_768.0
"""Largest magnitude of a sample. Full scale is 1; some float files use the 16-bit scale; anything above is noise."""
FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC", "MP3", "OGG")
"""Containers that are read, as libsndfile calls them."""
SILENCE_SECONDS: Final = 1.0
"""Length of the clip that stands in for every clip of the no-audio control."""
_UNKNOWN: Final = 1 << 62
"""Frames that libsndfile states where it could not find the length."""
_BLOCK: Final = 65_536
"""Frames decoded at a time: mixing down block by block bounds memory whatever the channel count."""
_FIRST_BLOCK: Final = 4 * 1152
"""Frames decoded first. An mp3 that was cut out of a longer one begins with a frame or two whose bits stand in the
frames before it: the decoder complains, and rightly makes silence of them."""


def read_audio(uri: str, *, max_seconds: float = MAX_SECONDS) -> NDArray[np.float32]:
    """The clip at `uri` as `[samples]`, mono at 16 kHz, channels averaged.

    Raises AudioError if it is missing, too big, empty, longer than `max_seconds`, corrupt, or holds NaN or infinity.
    """
    return decode_audio(read_clip(uri), uri, max_seconds=max_seconds)


def decode_audio(data: bytes, name: str, *, max_seconds: float = MAX_SECONDS) -> NDArray[np.float32]:
    """As `read_audio`, from the bytes of a file; `name` is what errors call it."""
    if not data:
        raise AudioError(name, "the file is empty", EXPECTED)
    try:
        with _opened(data, name) as (file, words, encoded):
            _check_header(file, name, max_seconds)
            rate = file.samplerate
            mono = _mono(file, name, int(max_seconds * rate), words, encoded)
    except soundfile.SoundFileError as error:
        said = str(error).rpartition(">: ")[2]  # libsndfile names the object in memory that the bytes stand in
        raise AudioError(name, f"cannot be decoded ({said})", EXPECTED) from error
    if mono.size == 0:
        raise AudioError(name, "holds no samples", "at least one sample")
    if not np.isfinite(mono).all():
        raise AudioError(name, "holds NaN or infinite samples", "finite samples")
    if (peak := float(np.abs(mono).max())) > MAX_PEAK:
        raise AudioError(name, f"a sample of magnitude {peak:.3g}", "full scale at 1")
    if rate == SAMPLE_RATE:
        return mono
    resampled: NDArray[np.float32] = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ").astype(np.float32, copy=False)
    if resampled.size == 0:
        raise AudioError(name, f"too short ({mono.size} samples at {rate} Hz)", "at least one sample at 16 kHz")
    return resampled


def channels(data: bytes, frames: int) -> Iterator[NDArray[np.float32]]:
    """Blocks `[frames or fewer, channels]` at the file's own rate, of one that `decode_audio` has accepted."""
    with _opened(data, "the clip") as (file, *_):
        while len(block := file.following(frames)):
            yield block


def read_clip(uri: str) -> bytes:
    """The bytes of the audio file at `uri`, for `decode_audio` and `content_hash`. Raises AudioError."""
    try:
        return storage.read_bytes(uri, MAX_BYTES)
    except storage.StorageError as error:
        raise AudioError(uri, error.problem, error.expected) from error


def content_hash(data: bytes) -> str:
    """xxh3-128 of a file's bytes, 32 hex digits: the key of caches of what was derived from the clip."""
    return xxhash.xxh3_128_hexdigest(data)


def silence() -> NDArray[np.float32]:
    """`SILENCE_SECONDS` of digital silence, `[samples]`."""
    return np.zeros(int(SILENCE_SECONDS * SAMPLE_RATE), dtype=np.float32)


class _Forward(soundfile.SoundFile):
    """A file that is read from its begin to its end, whatever the blocks.

    `soundfile` moves a file that can be sought to where it stands after each read. In an mp3 that costs a frame, whose
    bits may stand in frames that were read before.
    """

    _done = 0

    def seekable(self) -> bool:
        return False

    def following(self, frames: int) -> NDArray[np.float32]:
        """The next frames, as many as there are by the header; behind them stand tags, not sound."""
        block: NDArray[np.float32] = self.read(min(frames, self.frames - self._done), dtype="float32", always_2d=True)
        self._done += len(block)
        return block


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[tuple[_Forward, Words | None, flac.Sum | None]]:
    """The file, for an mp3 what its decoder says, and for a FLAC the sum of what was encoded."""
    stated = whole(data, name)
    encoded = flac.Sum(stated) if is_flac(stated) else None
    with heard() if is_mpeg(stated) else nullcontext() as words, _Forward(io.BytesIO(stated)) as file:
        yield file, words, encoded


def _check_header(file: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    if file.format not in FORMATS or (file.format != "MP3" and file.subtype.startswith("MPEG")):
        raise AudioError(name, f"is a {file.format_info} file of {file.subtype_info}", EXPECTED)
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise AudioError(name, f"{file.channels} channels", f"1 to {MAX_CHANNELS} channels")
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise AudioError(name, f"a sample rate of {file.samplerate} Hz", f"{MIN_RATE} to {MAX_RATE} Hz")
    if file.frames >= _UNKNOWN:
        raise AudioError(name, "does not tell its length: it is cut off or damaged", "a whole file")
    if file.frames > max_seconds * file.samplerate:
        raise _too_long(name, file.frames / file.samplerate, max_seconds)


def _mono(
    file: _Forward, name: str, max_frames: int, words: Words | None, encoded: flac.Sum | None
) -> NDArray[np.float32]:
    """The mean of the channels `[frames]`. A header may understate the length, so the limit is checked again."""
    blocks: list[NDArray[np.float32]] = []
    total = 0
    while True:
        block = file.following(_BLOCK if blocks else _FIRST_BLOCK)
        if words and (said := [line for line in words.take() if "error" in line]) and blocks:
            raise AudioError(name, f"is damaged: the decoder says {said[0]!r}", "a whole file")
        if len(block) == 0:
            if total < file.frames:
                raise AudioError(name, f"is damaged: decoded {total:,} of {file.frames:,} samples", "a whole file")
            if encoded and not encoded.agrees():
                raise AudioError(name, "is damaged: what it holds is not what was encoded, by its MD5", "a whole file")
            return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
        total += len(block)
        if total > max_frames:
            raise _too_long(name, total / file.samplerate, max_frames / file.samplerate)
        if encoded:
            encoded.add(block)
        blocks.append(block.mean(axis=1, dtype=np.float32))


def _too_long(name: str, seconds: float, max_seconds: float) -> AudioError:
    return AudioError(name, f"lasts {seconds:.2f} s or more", f"at most {max_seconds:.2f} s")
