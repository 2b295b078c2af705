"""How often the verdict on a claim is right: labelled pairs of clip and sentence, as many false as true, by family.

    python benchmarks/grounding.py [--clips 24] [--misses] [--json]

Clips come from the tests' synthesisers, which share no code with the measurements. A pair counts as contradicted if a
claim of its sentence is, as supported if all that can be checked are; of each clip as many true as false sentences are
taken. A false one differs from the truth by more than a tolerance and a half.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else reward.py beside this file would hide the package `reward`

from benchmarks import grounding_free, grounding_said, grounding_scenes  # noqa: E402
from benchmarks.grounding_scenes import pick  # noqa: E402
from earwitness.audio import SAMPLE_RATE  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.grounding import check_claims  # noqa: E402
from reward.measure import Measurement, measure  # noqa: E402
from reward.measure.facts import Samples  # noqa: E402
from reward.measure.stereo import measure_balance  # noqa: E402

Pairs = list[tuple[str, bool]]
"""Sentences and whether they are true of the clip."""
Family = Callable[[ModuleType, np.random.Generator], tuple[Samples, Pairs]]
"""(synthesiser, random numbers) to a clip, `[samples]` or `[samples, 2]` at 16 kHz, and its pairs."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--clips", type=int, default=24, help="clips of each family")
    options.add_argument("--misses", action="store_true", help="name every pair that was judged wrongly, on stderr")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    result = figures(arguments.clips, arguments.misses)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['pairs']} pairs\n{'family':22} {'supported':>20} {'contradicted':>20}")
    print(f"{'':22} {'precision':>10}{'recall':>10} {'precision':>10}{'recall':>10}")
    for name, family in result["families"].items():
        figures_ = [family[v][m] for v in ("supported", "contradicted") for m in ("precision", "recall")]
        print(f"{name:22} {figures_[0]:10.3f}{figures_[1]:10.3f} {figures_[2]:10.3f}{figures_[3]:10.3f}")


def figures(count: int, misses: bool = False) -> dict:
    """Precision and recall of both verdicts, by family."""
    clips, scenes = _module("clips"), _module("scenes")
    chosen = [(name, family, clips) for name, family in FAMILIES.items()]
    chosen += [(name, family, scenes) for name, family in SCENES.items()]
    if scenes.espeak_installed():
        chosen += [(name, family, scenes) for name, family in grounding_scenes.SPEECH.items()]
    pairs, families = 0, {}
    for number, (name, family, synthesiser) in enumerate(chosen):
        tally = {(truth, verdict): 0 for truth in (True, False) for verdict in (True, False, None)}
        for index in range(count):
            samples, sentences = family(synthesiser, np.random.default_rng([number, index]))
            measurement = _measured(samples)
            for sentence, truth in balanced(sentences):
                verdict = judged(sentence, measurement)
                tally[truth, verdict] += 1
                if misses and verdict != truth:
                    print(f"{name}: {sentence!r} is {truth}, found {verdict}", file=sys.stderr)
                pairs += 1
        families[name] = {
            "supported": _scores(tally[True, True], tally[False, True], tally[True, False] + tally[True, None]),
            "contradicted": _scores(tally[False, False], tally[True, False], tally[False, True] + tally[False, None]),
        }
    return {"pairs": pairs, "families": families}


def balanced(pairs: Pairs) -> Pairs:
    """As many true as false pairs, the first of each."""
    fewer = min(sum(truth is wanted for _, truth in pairs) for wanted in (True, False))
    return [pair for wanted in (True, False) for pair in [p for p in pairs if p[1] is wanted][:fewer]]


def judged(sentence: str, measurement: Measurement) -> bool | None:
    """The verdict on a sentence: False if a claim is contradicted, None if nothing can be checked."""
    verdicts = {claim.verdict for claim in check_claims(sentence, trajectory_pb2.Prompt(), measurement).claims}
    if trajectory_pb2.VERDICT_CONTRADICTED in verdicts:
        return False
    return True if trajectory_pb2.VERDICT_SUPPORTED in verdicts else None


def _measured(samples: Samples) -> Measurement:
    if samples.ndim == 1:
        return measure(samples)
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format="WAV", subtype="FLOAT")
    return measure(samples.mean(axis=1), measure_balance(file.getvalue()))


def _scores(right: int, wrong: int, missed: int) -> dict[str, float]:
    return {"precision": right / max(right + wrong, 1), "recall": right / max(right + missed, 1)}


def _module(name: str) -> ModuleType:
    """A synthesiser of the tests."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / f"tests/unit/reward/{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def pitch(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    clip = clips.tones(rng, 2, 25.0, str(rng.choice(["sine", "square", "sawtooth"])))
    low, high = clip.pitches
    off = low * rng.choice([0.8, 1.25])
    pairs = [
        (pick(rng, f"The first tone is near {low:.0f} Hz.", f"The first sits at about {low / 1000:.3f} kHz."), True),
        (pick(rng, f"The first tone is near {off:.0f} Hz.", f"I hear a first tone around {off:.0f} hertz."), False),
    ]
    if abs(np.log2(high / low)) > 0.1:
        upper, lower = ("second", "first") if high > low else ("first", "second")
        pairs.append((pick(rng, f"So the {upper} is higher.", f"The {lower} tone is lower than the {upper}."), True))
        pairs.append((pick(rng, f"The {lower} has the higher pitch.", f"The higher one is the {lower}."), False))
    return clip.samples, pairs


def direction(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    way = int(rng.integers(-1, 2))
    clip = clips.glide(rng, way, 25.0)
    said = {1: ["rises", "climbs", "goes up"], -1: ["falls", "drops", "goes down"], 0: ["stays level", "is constant"]}
    begin, end = clip.sweep
    other = int(rng.choice([d for d in said if d != way]))
    return clip.samples, [
        (f"The pitch {rng.choice(said[way])}.", True),
        (f"The pitch {rng.choice(said[other])}.", False),
        (f"It starts near {begin:.0f} Hz and ends near {end:.0f} Hz.", True),
        (f"It goes from {begin * 1.3:.0f} to {end * 1.3:.0f} Hz.", False),
    ]


def count(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    number = int(rng.integers(1, 7))
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"]
    wrong = number + int(rng.choice([-1, 1])) if number > 1 else 2
    clip = clips.tones(rng, number, 25.0, str(rng.choice(["sine", "noise"])))
    noun = "sound" if number == 1 else "sounds"
    return clip.samples, [
        (pick(rng, f"I hear {number} {noun}.", f"There are {words[number]} short {noun}."), True),
        (pick(rng, f"I hear {wrong} sounds.", f"There are {words[wrong]} distinct sounds."), False),
    ]


def loudness(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    clip = clips.tones(rng, 2, 30.0, "sine", 12.0, 0.2, 0.4)
    first, second = clip.levels
    gap = abs(first - second)
    if gap < 1.5:
        return clip.samples, [("Both tones have the same loudness.", True)] if gap < 0.7 else []
    loud, quiet = ("first", "second") if first > second else ("second", "first")
    return clip.samples, [
        (f"The {loud} is about {gap:.0f} dB louder than the {quiet}.", True),
        (f"The {loud} is about {gap + 6:.0f} dB louder.", False),
        (pick(rng, f"The {quiet} is quieter.", f"The {loud} tone is the loudest."), True),
        (pick(rng, f"The {quiet} is louder.", f"The {loud} one is softer than the {quiet}."), False),
    ]


def duration(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    clip = clips.tones(rng, 2, 25.0, "sine", 6.0, 0.12, 0.7)
    first, second = clip.durations
    pairs = [
        (f"The first lasts about {first:.2f} s.", True),
        (f"The first tone is {first * 1.7 + 0.05:.2f} seconds long.", False),
    ]
    if abs(np.log(first / second)) > 0.15:
        longer, shorter = ("first", "second") if first > second else ("second", "first")
        pairs += [(f"The {longer} is longer than the {shorter}.", True), (f"The {longer} is shorter.", False)]
    return clip.samples, pairs


def tempo(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    way = int(rng.integers(-1, 2))
    start = rng.uniform(0.15, 0.3)
    stop = start * 2 ** (way * rng.uniform(0.4, 1.0))
    clip = clips.pulses(rng, np.geomspace(start, max(stop, 0.08), int(rng.integers(4, 8))).tolist())
    said = {-1: ["speed up", "get faster"], 1: ["slow down", "get slower"], 0: ["keep steady", "stay constant"]}
    other = int(rng.choice([d for d in said if d != way]))
    return clip.samples, [
        (f"The pulses {rng.choice(said[way])}.", True),
        (f"The pulses {rng.choice(said[other])}.", False),
        (f"The gaps go from about {start:.2f} s to {max(stop, 0.08):.2f} s.", True),
        (f"The first gap is {start * 1.6:.2f} s.", False),
    ]


def regularity(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    even = bool(rng.random() < 0.5)
    gap = rng.uniform(0.12, 0.3)
    gaps = np.full(6, gap) if even else gap * rng.permutation([0.7, 1.4, 0.8, 1.5, 0.7, 1.2])
    clip = clips.pulses(rng, gaps.tolist())
    words = ("The rhythm is regular.", "The gaps are even."), ("The spacing is irregular.", "The pulses are uneven.")
    return clip.samples, [(str(rng.choice(words[not even])), True), (str(rng.choice(words[even])), False)]


def timbre(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    said = {
        "sine": ["There is a single partial.", "It is a pure sine."],
        "square": ["There are only odd harmonics.", "It sounds like a square wave."],
        "sawtooth": ["It has all harmonics.", "It is a sawtooth."],
        "noise": ["There is no clear pitch.", "It is a burst of noise."],
    }
    wave = str(rng.choice(list(said)))
    other = str(rng.choice([name for name in said if name != wave]))
    clip = clips.tones(rng, 1, 25.0, wave, 0.0, 0.2, 0.6)
    return clip.samples, [(str(rng.choice(said[wave])), True), (str(rng.choice(said[other])), False)]


FAMILIES: dict[str, Family] = {
    family.__name__: family for family in (pitch, direction, count, loudness, duration, tempo, regularity, timbre)
}
FAMILIES |= {f"{name} (free)": family for name, family in grounding_free.FAMILIES.items()}
SCENES: dict[str, Family] = {**grounding_scenes.FAMILIES, **grounding_said.FAMILIES}
"""Families on clips of several sounds."""

if __name__ == "__main__":
    main()
