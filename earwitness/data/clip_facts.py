"""What `data check` looks at in one clip: decoded to its end once, whatever asks."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import soundfile
import xxhash

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, channels, content_hash, decode_audio, read_clip
from earwitness.containers import whole
from earwitness.data.fingerprint import Print, fingerprint
from earwitness.errors import EarwitnessError

SILENT_DBFS: Final = -60.0
"""Peak below which a clip holds nothing to hear: less than the noise of a 16-bit recording in a quiet room."""
_FULL_SCALE: Final = 0.999
_NEAR_FULL: Final = -1.0
"""Peak, dB, below which nothing can be clipped: resampling and mixing down take no more from flat tops."""
_BLOCK: Final = 65_536
_CLIPPED_RUN: Final = 3
"""So many samples at full scale in a row are no peak of the sound but its end."""
_NOTHING_DBFS: Final = -200.0


@dataclass(frozen=True)
class ClipFacts:
    """One clip; `problem` says why it could not be decoded, and then nothing else holds."""

    problem: str = ""
    seconds: float = 0.0
    rate: int = 0
    """Hz, of the file."""
    channels: int = 0
    peak: float = 0.0
    """dB of full scale."""
    level: float = 0.0
    """Root mean square, dB of full scale."""
    clipped: bool = False
    xxh3: str = ""
    """Of the file."""
    content: str = ""
    """Of the decoded samples: equal for a wav and its flac."""
    words: Print | None = None

    @property
    def silent(self) -> bool:
        """Whether there is nothing to hear."""
        return not self.problem and self.peak < SILENT_DBFS


def look_at(uri: str) -> ClipFacts:
    """Decodes a clip and measures it. What is wrong with it is a fact, not an error."""
    try:
        data = read_clip(uri)
        samples = decode_audio(data, uri, max_seconds=MEASURED_SECONDS)
    except EarwitnessError as error:
        return ClipFacts(problem=getattr(error, "problem", str(error)))
    info = soundfile.info(io.BytesIO(whole(data, uri)))
    peak = _decibels(float(np.abs(samples).max()))
    return ClipFacts(
        seconds=len(samples) / SAMPLE_RATE,
        rate=info.samplerate,
        channels=info.channels,
        peak=peak,
        level=_decibels(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))),
        clipped=peak > _NEAR_FULL and _is_clipped(data),
        xxh3=content_hash(data),
        content=xxhash.xxh3_128_hexdigest(np.round(samples * 32767).astype(np.int32).tobytes()),
        words=fingerprint(samples),
    )


def _decibels(value: float) -> float:
    return 20 * math.log10(value) if value > 0 else _NOTHING_DBFS


def _is_clipped(data: bytes) -> bool:
    """Looked for in the file's own samples: resampled ones swing around full scale."""
    before = None
    for block in channels(data, _BLOCK):
        full = np.abs(block) >= _FULL_SCALE
        if before is not None:
            full = np.concatenate([before, full])
        run = full[: 1 - _CLIPPED_RUN]
        for later in range(1, _CLIPPED_RUN):
            run = run & full[later : later + len(run)]
        if run.any():
            return True
        before = full[1 - _CLIPPED_RUN :]
    return False
