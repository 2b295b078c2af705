"""Fingerprints by which near-duplicates are found: other formats, rates, levels, a cut edge.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): every 16 ms 32 bits say whether
the difference of energy between neighbouring bands grows. Where two clips hold the same words of 32 bits a few times at
one offset they are compared there bit by bit; unrelated sound differs in half of the bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from earwitness.logmel import SAMPLE_RATE

Print = NDArray[np.uint32]
"""One word for each frame, `[frames]`; 0 where there is nothing to tell."""

RATE: Final = 8_000
_WINDOW: Final = 2_048
"""256 ms."""
_HOP: Final = 128
"""16 ms."""
_BANDS: Final = 33
_LOWEST_HZ: Final = 200.0
_HIGHEST_HZ: Final = 3_400.0
_QUIET: Final = 1e-6
"""Frames with so small a share of the loudest one's energy, -60 dB, say nothing."""
_BLOCK: Final = 512
"""Frames transformed at a time: 4 MiB."""

SAME_BITS: Final = 0.7
"""Share of equal bits of a near-duplicate; the paper's threshold is 0.65."""
_COMMON_WORDS: Final = 2
"""Equal words at one offset that make two clips worth comparing."""
_MANY_CLIPS: Final = 50
"""Words of more clips than this (a steady tone's) are no evidence."""
_SHORTEST_FRAMES: Final = 30
"""Half a second that both clips must have in common."""


def fingerprint(samples: NDArray[np.float32]) -> Print:
    """Of a clip at 16 kHz, `[samples]`."""
    slow = soxr.resample(samples, SAMPLE_RATE, RATE, quality="LQ")
    if len(slow) < _WINDOW + _HOP:
        return np.zeros(0, dtype=np.uint32)
    energies = np.concatenate(list(_energies(slow)))  # [frames, bands]
    across = energies[:, :-1] - energies[:, 1:]
    bits = np.diff(across, axis=0) > 0
    words = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    loud = energies.sum(axis=1)
    words[loud[1:] <= _QUIET * max(float(loud.max()), 1e-12)] = 0
    return words


def _energies(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float64]]:
    edges = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1) * _WINDOW / RATE
    starts = np.round(edges).astype(int)
    shape = np.hanning(_WINDOW).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    for start in range(0, len(frames), _BLOCK):
        power = np.abs(np.fft.rfft(frames[start : start + _BLOCK] * shape, axis=1)) ** 2
        yield np.add.reduceat(power, starts, axis=1)[:, :-1].astype(np.float64)


def near_duplicates(prints: Sequence[Print]) -> list[tuple[int, int, float]]:
    """Pairs of clips (places in `prints`, the smaller first) that sound alike, with the share of bits that agree."""
    found = []
    for (one, other), offset in sorted(_worth_comparing(prints).items()):
        share = _agreement(prints[one], prints[other], offset)
        if share >= SAME_BITS:
            found.append((one, other, share))
    return found


def _worth_comparing(prints: Sequence[Print]) -> dict[tuple[int, int], int]:
    """Pairs that have words in common, and the offset (frames) at which they have most of them."""
    clips = np.repeat(np.arange(len(prints), dtype=np.int64), [len(words) for words in prints])
    words = np.concatenate([*prints, np.zeros(0, dtype=np.uint32)])
    frames = np.concatenate([*(np.arange(len(words)) for words in prints), np.zeros(0, dtype=np.int64)])
    told = np.flatnonzero(words)
    order = told[np.argsort(words[told], kind="stable")]
    if not len(order):
        return {}
    sorted_words = words[order]
    begins = np.flatnonzero(np.r_[True, sorted_words[1:] != sorted_words[:-1]])
    votes: Counter[tuple[int, int, int]] = Counter()
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        if end - begin < 2:
            continue
        places = order[begin:end]
        first = {int(clip): int(frame) for clip, frame in zip(clips[places][::-1], frames[places][::-1], strict=True)}
        if not 2 <= len(first) <= _MANY_CLIPS:
            continue
        known = sorted(first)
        for at, one in enumerate(known):
            for other in known[at + 1 :]:
                votes[one, other, first[one] - first[other]] += 1
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for (one, other, offset), count in votes.items():
        if count > best.get((one, other), (0, 0))[0]:
            best[one, other] = count, offset
    return {pair: offset for pair, (count, offset) in best.items() if count >= _COMMON_WORDS}


def _agreement(one: Print, other: Print, offset: int) -> float:
    """Share of equal bits where both have sound, `other` moved by `offset` frames, at best of its neighbours."""
    best = 0.0
    for shift in range(offset - 1, offset + 2):
        a, b = one[max(0, shift) :], other[max(0, -shift) :]
        a, b = a[: len(b)], b[: len(a)]
        heard = (a != 0) & (b != 0)
        if heard.sum() >= _SHORTEST_FRAMES:
            differing = np.bitwise_count(a[heard] ^ b[heard]).mean() / 32
            best = max(best, 1.0 - float(differing))
    return best
