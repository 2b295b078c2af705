"""How often claims that nobody listened for are supported, and what they earn: numbers need ears.

    python benchmarks/chance.py [--folder DIR] [--clips 4] [--json]

Clips of many kinds are rebuilt from Debian's packages as in `real_sounds.py`. Of each, random sentences are judged,
their values drawn from ranges of what models say. Then whole traces are scored: an honest one of what is true of the
clip, guesses, and cheats. Skipped with a word where the packages cannot be had.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # else reward.py beside this file would hide the package

from benchmarks import real_clips  # noqa: E402
from benchmarks.grounding import judged  # noqa: E402
from benchmarks.real_scenes import Fact  # noqa: E402
from benchmarks.real_sounds import scenes  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.grounding import check_claims  # noqa: E402
from reward.measure import Measurement, measure  # noqa: E402

DRAWS = 60
"""Sentences of each family and clip."""
VALUES_BOUND = 0.05
EARNED_BOUND = 0.1
"""Most that a policy which guesses numbers, or says what is usual, earns of what an honest one does."""
GUESSES = 6
"""Sentences of a trace that guesses."""
Random = np.random.Generator
Draw = Callable[[float, float], float]
"""(from 0 to 1, length of the clip) -> a value: evenly spaced draws leave little to luck."""


def _by_ratio(low: float, high: float) -> Draw:
    return lambda place, duration: low * (high / low) ** place


def _evenly(low: float, high: float) -> Draw:
    return lambda place, duration: low + (high - low) * place


def _in_clip(place: float, duration: float) -> float:
    return place * duration


def _counted(place: float, duration: float) -> float:
    return 1 + int(20 * place)


VALUES: dict[str, tuple[str, Draw]] = {
    "pitch": ("The pitch is around {:.0f} Hz.", _evenly(80, 1_000)),
    "pitch of a part": ("The first sound is near {:.0f} Hz.", _by_ratio(80, 1_000)),
    "pitch at the end": ("It ends near {:.0f} Hz.", _by_ratio(80, 1_000)),
    "highest pitch": ("The highest pitch is {:.0f} Hz.", _by_ratio(80, 1_000)),
    "pitch range": ("The pitch range is {:.0f} semitones.", _evenly(1, 24)),
    "level": ("The level is about {:.0f} dB.", _evenly(-50, 0)),
    "peak": ("It peaks at {:.1f} dBFS.", _evenly(-50, 0)),
    "loudness": ("The loudness is {:.0f} LUFS.", _evenly(-50, 0)),
    "onset": ("The sound starts at {:.2f} s.", _in_clip),
    "onset of a part": ("The second sound starts at {:.2f} s.", _in_clip),
    "duration": ("The sound lasts {:.2f} s.", _by_ratio(0.02, 20)),
    "length of the clip": ("The clip lasts {:.1f} s.", _by_ratio(1, 30)),
    "pause": ("There is a pause of {:.2f} s.", _by_ratio(0.02, 20)),
    "gap": ("The first gap is {:.2f} s.", _by_ratio(0.02, 20)),
    "tempo": ("The tempo is {:.0f} BPM.", _evenly(60, 180)),
    "period": ("The pattern repeats every {:.2f} s.", _by_ratio(0.02, 20)),
    "centroid": ("The spectral centroid is around {:.0f} Hz.", _by_ratio(300, 6_000)),
    "bandwidth": ("The bandwidth is {:.0f} Hz.", _by_ratio(300, 6_000)),
    "partial": ("There is an overtone at {:.0f} Hz.", _by_ratio(100, 8_000)),
    "harmonics to noise": ("The harmonics-to-noise ratio is {:.0f} dB.", _evenly(0, 40)),
    "syllables a second": ("The speaker says {:.1f} syllables per second.", _evenly(1, 8)),
    "reverberation time": ("The reverberation time is {:.1f} s.", _by_ratio(0.1, 10)),
    "difference of level": ("The second sound is {:.0f} dB louder than the first.", _evenly(1, 20)),
    "count": ("There are {:.0f} sounds.", _counted),
    "pauses": ("There are {:.0f} pauses.", _counted),
    "syllables": ("There are {:.0f} syllables.", _counted),
    "repetitions": ("The pattern repeats {:.0f} times.", _counted),
    "notes at once": ("There are {:.0f} notes at once.", _counted),
    "partials": ("There are {:.0f} partials.", _counted),
}  # fmt: skip
"""By family a sentence and how its number is drawn, given the length of the clip."""
WAYS: dict[str, tuple[str, ...]] = {
    "direction of pitch": ("The pitch rises.", "The pitch falls.", "The pitch stays level."),
    "course of level": ("It gets louder.", "It fades.", "The level stays the same."),
    "course of brightness": ("It gets brighter.", "It gets duller."),
    "course of tempo": ("It speeds up.", "It slows down.", "The tempo stays steady."),
    "high or low": ("The sound is high-pitched.", "The sound is low-pitched."),
    "loud or soft": ("The sound is loud.", "The sound is soft."),
    "bright or dull": ("The sound is bright.", "The sound is dull."),
    "noisy or clean": ("The sound is noisy.", "The sound is free of noise."),
    "pitch or noise": ("It has a clear pitch.", "There is no clear pitch."),
    "wave": ("It is a sine wave.", "It is a square wave.", "It is a sawtooth."),
    "even or not": ("The rhythm is regular.", "The rhythm is irregular."),
    "slow or fast": ("The tempo is slow.", "The tempo is fast."),
    "speech slow or fast": ("The speaker talks slowly.", "The speaker talks fast."),
    "higher or lower": ("The second sound is higher than the first.", "The second sound is lower than the first."),
    "louder or quieter": ("The second sound is louder than the first.", "The second sound is quieter than the first."),
    "longer or shorter": ("The second sound is longer than the first.", "The second sound is shorter than the first."),
    "dry or reverberant": ("The recording is dry.", "The recording is reverberant."),
}
CHEATS = {
    "every onset": lambda seconds: " ".join(f"A sound starts at {t:.1f} s." for t in np.arange(0, seconds, 0.1)),
    "every pitch": lambda seconds: " ".join(f"The pitch is near {hz} Hz." for hz in range(80, 1_000, 20)),
    "typical values": lambda seconds: (
        "The pitch is about 440 Hz. The level is about -20 dB. The tempo is 120 BPM. There are three sounds. The first "
        "sound lasts 0.5 s. The spectral centroid is around 1500 Hz. The sound starts at 0.1 s."
    ),
    "what every clip has": lambda seconds: (
        "There is silence at some point. There are quieter moments. It has a beginning and an end. There is at least "
        "one sound. The level changes. There is some variation in loudness. The sound is longer than 0.05 s. The level "
        "is above -50 dB. The pitch is below 5000 Hz."
    ),
}
"""Traces that need no ears, given the length of the clip."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--folder", type=Path, default=real_clips.DEFAULT, help="where the packages are kept")
    options.add_argument("--clips", type=int, default=4, help="clips of each kind, of 14 kinds")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    if problem := real_clips.fetch(arguments.folder):
        print(f"skipped: {problem}")
        return
    result = figures(arguments.folder, arguments.clips)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['clips']} clips, {DRAWS} sentences of each family and clip")
    print(f"{'supported, %':24} mean  worst clip  bound")
    for name, row in result["families"].items():
        print(f"{name:24} {100 * row['mean']:4.1f} {100 * row['worst']:11.1f} {100 * row['bound']:6.0f}")
    honest = f"what an honest trace earns ({result['honest']:.2f})"
    print(f"\nearned of {honest}; guesses and typical values at most {EARNED_BOUND:g}")
    for name, share in result["earned"].items():
        print(f"{name:24} {share:.3f}")


def figures(folder: Path, each: int) -> dict:
    """Shares of random claims that are supported, by family, and what traces earn."""
    shares: dict[str, list[float]] = defaultdict(list)
    earned: dict[str, list[float]] = defaultdict(list)
    clips, kinds = 0, defaultdict(int)
    for label, (samples, facts) in scenes(folder):
        kind = label.split()[0]
        kinds[kind] += 1
        if kinds[kind] > each:
            continue
        measured, random = measure(samples), np.random.default_rng(clips)
        clips += 1
        for name, sentences in _sentences(random, measured.duration).items():
            shares[name].append(float(np.mean([judged(sentence, measured) is True for sentence in sentences])))
        for name, text in _traces(random, measured, facts).items():
            earned[name].append(check_claims(text, trajectory_pb2.Prompt(), measured).earned)
    bounds = dict.fromkeys(VALUES, VALUES_BOUND) | {name: 1 / len(ways) for name, ways in WAYS.items()}
    honest = float(np.mean(earned.pop("honest")))
    return {
        "clips": clips,
        "families": {
            name: {"mean": float(np.mean(found)), "worst": max(found), "bound": bounds[name]}
            for name, found in shares.items()
        },
        "honest": honest,
        "earned": {name: float(np.mean(values)) / honest for name, values in earned.items()},
    }


def _sentences(random: Random, duration: float) -> dict[str, list[str]]:
    """Random sentences by family; of two- and three-way statements each once."""
    places = (np.arange(DRAWS) + random.uniform(size=DRAWS)) / DRAWS
    said = {name: [text.format(draw(p, duration)) for p in places] for name, (text, draw) in VALUES.items()}
    return said | {name: list(ways) for name, ways in WAYS.items()}


def _traces(random: Random, measured: Measurement, facts: list[Fact]) -> dict[str, str]:
    """Whole traces: what is true of the clip, guesses, cheats."""
    names = random.choice(list(VALUES), GUESSES, replace=False)
    guesses = [VALUES[str(name)][0].format(VALUES[str(name)][1](random.uniform(), measured.duration)) for name in names]
    return {
        "honest": " ".join(sentence for _, sentence, _, truth in facts if truth),
        "guessed numbers": " ".join(guesses),
        "guessed ways": " ".join(str(random.choice(ways)) for ways in WAYS.values()),
    } | {name: text(measured.duration) for name, text in CHEATS.items()}


if __name__ == "__main__":
    main()
