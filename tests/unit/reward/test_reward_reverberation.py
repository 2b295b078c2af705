"""The room around sounds: in rooms made here, by two methods, and around sounds that ring or fade by themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import fftconvolve

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import measure
from reward.measure.facts import Samples

RATE = 16_000
YES, NO, OPEN = (
    trajectory_pb2.VERDICT_SUPPORTED,
    trajectory_pb2.VERDICT_CONTRADICTED,
    trajectory_pb2.VERDICT_NOT_CHECKABLE,
)
Parts = list[tuple[float, np.ndarray]]


def edged(sound: np.ndarray, seconds: float = 0.008) -> np.ndarray:
    """`sound` that begins and ends within `seconds`."""
    ramp = int(seconds * RATE)
    edge = np.linspace(0, 1, ramp) ** 2
    return np.concatenate([sound[:ramp] * edge, sound[ramp:-ramp], sound[-ramp:] * edge[::-1]])


def noise(seconds: float, rng: np.random.Generator) -> np.ndarray:
    return 0.1 * rng.standard_normal(int(seconds * RATE))


def tone(hertz: float, seconds: float, partials: int = 1) -> np.ndarray:
    times = np.arange(int(seconds * RATE)) / RATE
    return 0.1 * sum(np.sin(2 * np.pi * k * hertz * times) / k for k in range(1, partials + 1))


def syllables(rng: np.random.Generator) -> Parts:
    """Voiced and unvoiced syllables in short phrases, which swell and die away within 15 to 40 ms."""
    parts, at = [], 0.2
    while at < 3.6:
        seconds = rng.uniform(0.08, 0.25)
        part = tone(rng.uniform(100, 220), seconds, 30) if rng.random() < 0.6 else noise(seconds, rng)
        parts.append((at, edged(part, rng.uniform(0.015, 0.04)) * rng.uniform(0.4, 1)))
        at += seconds + (rng.uniform(0.02, 0.1) if rng.random() < 0.7 else rng.uniform(0.3, 0.6))
    return parts


def bursts(rng: np.random.Generator) -> Parts:
    return [(0.3 + 0.9 * k, edged(noise(rng.uniform(0.1, 0.4), rng))) for k in range(4)]


def decaying(seconds: float, source: np.ndarray) -> np.ndarray:
    """`source` under an exponential that falls by 60 dB in `seconds`."""
    return source * 10 ** (-3 * np.arange(len(source)) / RATE / seconds)


def bells(rng: np.random.Generator) -> Parts:
    times = np.arange(2 * RATE) / RATE
    return [
        (0.2 + 1.3 * k, sum(decaying(2.5 / r, 0.1 * np.sin(2 * np.pi * r * hertz * times)) for r in (1, 2, 2.76, 5.4)))
        for k, hertz in enumerate(rng.uniform(300, 900, 3))
    ]


def cymbals(rng: np.random.Generator) -> Parts:
    return [(at, decaying(2.0, 0.2 * np.diff(rng.standard_normal(2 * RATE), prepend=0))) for at in (0.3, 2.0)]


def snares(rng: np.random.Generator) -> Parts:
    return [(0.3 + 0.6 * k, decaying(0.3, 0.2 * rng.standard_normal(RATE // 2))) for k in range(6)]


def fade(rng: np.random.Generator) -> Parts:
    return [(0.3, 0.2 * rng.standard_normal(3 * RATE) * np.linspace(1, 0, 3 * RATE))]


def beeps(rng: np.random.Generator) -> Parts:
    return [(0.3 + 0.8 * k, edged(tone(hertz, 0.3))) for k, hertz in enumerate(rng.uniform(300, 2500, 4))]


def diffuse_room(seconds: float, direct_db: float, rng: np.random.Generator) -> np.ndarray:
    """Impulse response: the direct sound, `direct_db` above noise that falls by 60 dB in `seconds`."""
    noise = decaying(seconds, rng.standard_normal(int(1.1 * seconds * RATE)))
    response = np.concatenate([np.zeros(64), noise / np.sqrt(np.sum(noise**2)) * 10 ** (-direct_db / 20)])
    response[0] = 1.0
    return response


def shoebox(walls: tuple[float, float, float], reflects: float) -> tuple[np.ndarray, float]:
    """Impulse response of a room of `walls` metres by its image sources (Allen and Berkley 1979), up to 0.9 s; its
    reverberation time by Schroeder's backward integration, from -5 to -35 dB."""
    source, ear, longest = (0.31, 0.37, 0.41), (0.73, 0.59, 0.52), 0.9
    axes = []
    for length, from_, to in zip(walls, source, ear, strict=True):
        k = np.arange(-int(longest * 343 / 2 / length) - 1, int(longest * 343 / 2 / length) + 2)
        away = np.concatenate([2 * k + from_ - to, 2 * k - from_ - to]) * length
        axes.append((away, np.concatenate([2 * abs(k), abs(2 * k - 1)])))
    response = np.zeros(int(longest * RATE))
    (x, nx), (y, ny), (z, nz) = axes
    for away, hits in zip(x, nx, strict=True):
        distance = np.sqrt(away**2 + y[:, None] ** 2 + z[None] ** 2)
        at = (distance / 343 * RATE).astype(int)
        inside = at < len(response)
        gain = reflects ** (hits + ny[:, None] + nz[None]) * (-1.0) ** (hits + ny[:, None] + nz[None]) / distance
        np.add.at(response, at[inside], gain[inside])
    left = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1] / np.sum(response**2))
    first, last = np.flatnonzero(left < -5)[0], np.flatnonzero(left < -35)[0]
    return response, (last - first) / RATE * 2


def heard(source: Callable[[np.random.Generator], Parts], room: np.ndarray | None, rng: np.random.Generator) -> Samples:
    """`source` in `room`, five seconds and the room's tail, 60 dB above its noise."""
    clip = np.zeros(5 * RATE)
    for at, part in source(rng):
        first = int(at * RATE)
        clip[first : first + len(part)] += part[: len(clip) - first]
    if room is not None:
        clip = fftconvolve(clip, room)
    clip = 0.5 * clip / np.abs(clip).max()
    return (clip + 1e-4 * rng.standard_normal(len(clip))).astype(np.float32)


@pytest.mark.parametrize("source", [syllables, bursts])
@pytest.mark.parametrize("seconds", [0.35, 0.7, 1.2, 2.0])
@pytest.mark.parametrize("direct_db", [0.0, 6.0])
def test_the_time_of_a_diffuse_room(source, seconds, direct_db):
    """Error at most 20 %; it is told in most clips."""
    rng = np.random.default_rng(5)
    found = [measure(heard(source, diffuse_room(seconds, direct_db, rng), rng)).reverberation.seconds for _ in range(4)]
    told = [time for time in found if time is not None]
    np.testing.assert_allclose(told, seconds, rtol=0.2)
    assert len(told) >= 2


@pytest.mark.parametrize(
    ("walls", "reflects"), [((8.0, 6.0, 3.5), 0.83), ((11.0, 9.0, 5.0), 0.88), ((5.0, 4.0, 2.7), 0.86)]
)
def test_the_time_of_a_room_of_walls(walls, reflects):
    """The image sources know nothing of exponentials: the truth is the integral of their own response."""
    response, truth = shoebox(walls, reflects)
    rng = np.random.default_rng(1)
    found = [measure(heard(bursts, response, rng)).reverberation.seconds for _ in range(4)]
    told = [time for time in found if time is not None]
    np.testing.assert_allclose(told, truth, rtol=0.25)
    assert len(told) >= 2


@pytest.mark.parametrize("source", [syllables, bursts, beeps])
def test_sounds_that_stop_are_dry(source):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        room = measure(heard(source, None, rng)).reverberation
        assert room.seconds is None
        assert room.fastest < 0.2


@pytest.mark.parametrize("source", [bells, cymbals, snares, fade])
def test_what_rings_or_fades_by_itself_tells_no_room(source):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        room = measure(heard(source, None, rng)).reverberation
        assert room.seconds is None
        assert room.fastest is None or room.fastest > 0.2


def verdicts(clip: Samples, *sentences: str) -> list[int]:
    measurement, found = measure(clip), []
    for sentence in sentences:
        (claim,) = check_claims(sentence, trajectory_pb2.Prompt(), measurement).claims
        found.append(claim.verdict)
    return found


WET = ("The voice echoes.", "It was recorded in a large room.", "It is very reverberant.")
DRY = ("The recording is dry.", "There is no audible reverb.", "It sounds like a small, dead room.")


def test_sentences_in_a_hall_and_in_a_booth():
    rng = np.random.default_rng(3)
    hall = heard(syllables, diffuse_room(1.2, 0.0, rng), rng)
    booth = heard(syllables, None, rng)
    assert verdicts(hall, *WET, *DRY) == [YES] * 3 + [NO] * 3
    assert verdicts(booth, *WET, *DRY) == [NO] * 3 + [YES] * 3
    times = ("The reverberation time is about 1.2 seconds.", "The reverberation time is about 0.5 seconds.")
    assert verdicts(hall, *times) == [YES, NO]
    assert verdicts(booth, *times) == [NO, NO]


def test_a_cymbal_may_stand_in_any_room():
    clip = heard(cymbals, None, np.random.default_rng(0))
    assert verdicts(clip, *WET, *DRY, "The reverberation time is about 2 seconds.") == [OPEN] * 7
