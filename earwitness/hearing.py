"""What is heard of a prompt: its clips in order, and what a model of one family hears each in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from earwitness.families.family import Family

MAX_CLIPS = 16
"""Most clips of one prompt: comparisons have two, the largest published tasks of this kind (MMAR's, ten) fewer."""
MAX_SEGMENTS = 64
"""Most pieces that a prompt's clips are cut into: two clips of 10 minutes in Step-Audio's of 25 s are 48."""


class Cut(NamedTuple):
    """How a clip is cut into segments, in place of its family's way."""

    seconds: float
    """Length of a segment."""
    quiet: float = 0.0
    """Seconds at the clip's end that are a segment of their own, where there is more before them."""


def clip_uris(prompt: trajectory_pb2.Prompt) -> tuple[str, ...]:
    """URIs of the prompt's clips, in the order in which they are heard; a clip that stands twice is there twice."""
    if prompt.clips:
        return tuple(clip.audio_uri for clip in prompt.clips)
    return (prompt.audio_uri,) if prompt.audio_uri else ()


def set_clips(prompt: trajectory_pb2.Prompt, uris: Sequence[str]) -> None:
    """Puts as many other clips in the places of the prompt's."""
    if prompt.clips:
        for clip, uri in zip(prompt.clips, uris, strict=True):
            clip.audio_uri = uri
    elif uris:
        (prompt.audio_uri,) = uris


def pieces(prompt: trajectory_pb2.Prompt) -> Iterator[tuple[str, str | None]]:
    """The question of a prompt with `clips` in order: (words, None) or ("", URI of a clip)."""
    before = 0
    for clip in prompt.clips:
        if clip.at > before:
            yield prompt.question[before : clip.at], None
        yield "", clip.audio_uri
        before = max(before, clip.at)
    if before < len(prompt.question):
        yield prompt.question[before:], None


def segments(samples: NDArray[np.float32], family: Family, way: Cut | None = None) -> list[NDArray[np.float32]]:
    """A clip `[samples]` as the family's own client hands it to the model: whole, or cut into pieces of equal length
    with a rest, each with marks of its own, and silence behind those that are shorter than its front end takes. A rest
    that is too short for an audio token is left out. `way`: in place of the family's own."""
    import numpy as np

    from earwitness.logmel import SAMPLE_RATE, frames  # who checks a recipe reads no sound

    seconds, quiet = way or (family.segment_seconds, 0.0)
    cut = [samples]
    if seconds is not None:
        step, end = int(seconds * SAMPLE_RATE), len(samples) - int(quiet * SAMPLE_RATE)
        end = end if end > 0 else len(samples)
        starts = [*range(0, end, step), *([end] if end < len(samples) else [])]
        cut = [samples[start:stop] for start, stop in pairwise([*starts, len(samples)])]
    least = int(family.shortest_seconds * SAMPLE_RATE)
    heard = [cut[0], *(rest for rest in cut[1:] if family.audio_tokens(frames(len(rest))))]
    return [np.pad(one, (0, least - len(one))) if len(one) < least else one for one in heard]


def mel(segment: NDArray[np.float32], n_mels: int, family: Family) -> NDArray[np.float32]:
    """The log-mel `[n_mels, frames]` of a segment `[samples]`, as the family's own front end has it."""
    import numpy as np

    from earwitness.logmel import HOP, SAMPLE_RATE, log_mel

    missing = -len(segment) % HOP  # of its last frame
    full = family.full_seconds is not None and len(segment) + missing == int(family.full_seconds * SAMPLE_RATE)
    return log_mel(np.pad(segment, (0, missing)) if full else segment, n_mels, full=full)


def read_segments(uri: str, family: Family, way: Cut | None = None) -> list[NDArray[np.float32]]:
    """The clip at `uri` in `segments`. Raises AudioError, also for one that is longer than the family's models hear."""
    from earwitness.audio import read_audio

    return segments(read_audio(uri, max_seconds=family.longest_seconds), family, way)


def check_segments(prompt_id: str, count: int) -> None:
    """Raises InputError for a prompt of more pieces than an engine takes."""
    if count > MAX_SEGMENTS:
        problem = f"its clips are heard in {count} segments"
        raise InputError(f"prompt {prompt_id}", problem, f"at most {MAX_SEGMENTS}; fewer or shorter clips")
