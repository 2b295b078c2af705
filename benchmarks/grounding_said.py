"""How things are said: comparisons of stretches, contours, negation, doubt and hedges, for the pairs of `grounding.py`.

Each family returns a clip and its pairs; the facts are those that the synthesiser was given.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from benchmarks.grounding_scenes import SAW, Pairs, Scene, pick

RATE = 16_000
HEDGES = ["about", "around", "roughly", "approximately", "close to", "somewhere near", "more or less"]


def _joined(scenes: ModuleType, rng: np.random.Generator, what: str) -> tuple[NDArray[np.float32], float, bool]:
    """A sound that changes at a time: the clip, that time, and whether the second part has more of `what`."""
    more = bool(rng.random() < 0.5)
    hz, decibels, first, second = rng.uniform(200, 500), -20.0, rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.0)
    low, high = scenes.partials(hz, first, SAW, rng), scenes.partials(hz, second, SAW, rng)
    step = 0.0
    if what == "louder":
        step = float(rng.uniform(5, 12)) * (1 if more else -1)
    elif what == "higher":
        factor = 2 ** (rng.uniform(0.3, 1.0) * (1 if more else -1))
        high = scenes.partials(hz * factor, second, SAW, rng)
    else:
        dull, bright = [1.0, 0.1], [0.2, 0.3, 0.5, 0.8, 1.0, 1.0, 0.8, 0.6]
        low = scenes.partials(hz, first, dull if more else bright, rng)
        high = scenes.partials(hz, second, bright if more else dull, rng)
    gap = float(rng.choice([0.02, 0.2]))
    start = 0.1 + first + gap
    clip = scenes.place([(0.1, low, decibels), (start, high, decibels + step)], start + second + 0.1, -55.0, rng)
    return clip, start - gap / 2, more


def before_and_after(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Two sounds, compared by a time between them."""
    what = str(rng.choice(["louder", "higher", "brighter"]))
    less = {"louder": "quieter", "higher": "lower", "brighter": "duller"}[what]
    clip, at, more = _joined(scenes, rng, what)
    said, not_said = (what, less) if more else (less, what)
    return clip, [
        (f"After {at:.2f} s the sound is {said} than before.", True),
        (f"After {at:.2f} s the sound is {not_said}.", False),
        (f"The tone before {at:.2f} s is {not_said} than the one after it.", True),
        (f"Before {at:.2f} seconds it is {said} than after.", False),
        (f"It is {said} after about {at:.1f} s.", True),
        (f"It is {not_said} after {at:.1f} s than before it.", False),
    ]


def beginning_and_end(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """The same, compared by the ends of the clip."""
    what = str(rng.choice(["louder", "higher", "brighter"]))
    less = {"louder": "softer", "higher": "lower", "brighter": "darker"}[what]
    clip, _, more = _joined(scenes, rng, what)
    said, not_said = (what, less) if more else (less, what)
    return clip, [
        (f"The end is {said} than the beginning.", True),
        (f"It is {not_said} at the end than at the beginning.", False),
        (f"At the start the sound is {not_said} than at the end.", True),
        (f"The opening is {said} than the ending.", False),
        (f"In the second half the sound is {said}.", True),
        (f"The first half is {said} than the second half.", False),
    ]


def counts_around_a_time(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Beeps on both sides of a longer gap."""
    left, right = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    onsets = [0.1 + 0.22 * i for i in range(left)]
    border = onsets[-1] + 0.3
    onsets += [border + 0.25 + 0.22 * i for i in range(right)]
    parts = [(t, scenes.partials(float(rng.uniform(300, 900)), 0.1, SAW, rng), -20.0) for t in onsets]
    end = border - 0.05
    return scenes.place(parts, onsets[-1] + 0.3, -55.0, rng), [
        (f"Before {border:.2f} s there are {left} beeps.", True),
        (f"After {border:.2f} s I hear {right + 1} beeps.", False),
        (f"There are {right} beeps after {border:.2f} s.", True),
        (f"{left + 2} beeps are heard before {border:.2f} s.", False),
        (f"The first beep starts at {onsets[0]:.1f} s.", True),
        (f"The last beep begins at {onsets[-1] - 0.5:.1f} s.", False),
        (f"It is silent from {end:.2f} s to {border + 0.2:.2f} s.", True),
        (f"Before {border:.2f} s it is silent.", False),
    ]


def contour(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A tone that goes up and down again, down and up, or one way."""
    shape = str(rng.choice(["arch", "valley", "up", "down"]))
    seconds, base, span = rng.uniform(0.9, 1.5), rng.uniform(180, 400), rng.uniform(0.5, 1.0)
    x = np.linspace(0, 1, round(seconds * RATE))
    bend = {"arch": 1 - np.abs(2 * x - 1), "valley": np.abs(2 * x - 1), "up": x, "down": 1 - x}[shape]
    phase = 2 * np.pi * np.cumsum(base * 2 ** (span * bend)) / RATE
    wave = scenes.edged(np.asarray(sum(np.sin(k * phase) / k for k in (1, 2, 3))))
    clip = scenes.place([(0.1, wave, -20.0)], seconds + 0.25, -50.0, rng)
    low, high, semitones = base, base * 2**span, 12 * span
    said = {
        "arch": "rises and then falls", "valley": "falls and then rises", "up": "rises", "down": "falls",
    }  # fmt: skip
    other = {"arch": "valley", "valley": "arch", "up": "arch", "down": "valley"}[shape]
    pairs = [
        (f"The pitch {said[shape]}.", True),
        (f"The pitch {said[other]}.", False),
        (f"The pitch ranges from {low:.0f} to {high:.0f} Hz.", True),
        (f"The pitch lies between {low * 1.2:.0f} and {high * 1.3:.0f} Hz.", False),
    ]
    if shape in ("up", "down"):
        way = "rises" if shape == "up" else "falls"
        pairs += [
            (f"It {way} by about {semitones:.0f} semitones.", True),
            (f"It {way} by {semitones + 5:.0f} semitones.", False),
        ]
    else:
        first = "rises" if shape == "arch" else "falls"
        second = "falls" if shape == "arch" else "rises"
        pairs += [(f"In the first half the pitch {first}.", True), (f"In the second half it {first}.", False)]
        pairs += [(f"In the second half the pitch {second}.", True), (f"In the first half the tone {second}.", False)]
    return clip, pairs


def swelling(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A tone that gets louder, softer, brighter or duller, or stays."""
    kind = str(rng.choice(["louder", "softer", "steady"]))
    seconds, decibels = rng.uniform(0.8, 1.5), rng.uniform(10, 20)
    wave = scenes.partials(rng.uniform(200, 600), seconds, SAW, rng)
    ramp = np.linspace(-decibels / 2, decibels / 2, len(wave)) * {"louder": 1, "softer": -1, "steady": 0}[kind]
    clip = scenes.place([(0.1, wave * 10 ** (ramp / 20), -22.0)], seconds + 0.25, -65.0, rng)
    true = {
        "louder": ["The tone swells.", "The sound gets louder."],
        "softer": ["The tone fades out.", "It gets quieter."],
        "steady": ["The level stays constant.", "The loudness remains the same."],
    }
    others = [name for name in true if name != kind]
    return clip, [
        (pick(rng, *true[kind]), True),
        (pick(rng, *true[others[0]]), False),
        (f"The tone does not {'fade' if kind != 'softer' else 'swell'}.", True),
        (pick(rng, *true[others[1]]), False),
    ]


def negation(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Two tones, spoken of by what they are not."""
    high_first = bool(rng.random() < 0.5)
    low, high = float(rng.uniform(180, 240)), float(rng.uniform(560, 900))
    hz = (high, low) if high_first else (low, high)
    levels = (-16.0, -26.0) if rng.random() < 0.5 else (-26.0, -16.0)
    parts = [
        (0.1, scenes.partials(hz[0], 0.3, SAW, rng), levels[0]),
        (0.6, scenes.partials(hz[1], 0.6, SAW, rng), levels[1]),
    ]
    clip = scenes.place(parts, 1.4, -55.0, rng)
    upper, lower = ("first", "second") if high_first else ("second", "first")
    loud, soft = ("first", "second") if levels[0] > levels[1] else ("second", "first")
    pairs = [
        (f"The {lower} tone is not higher than the {upper}.", True), (f"The {upper} is not higher.", False),
        (f"The {soft} tone isn't louder than the {loud}.", True), (f"The {loud} one is not the louder one.", False),
        ("It is not noise.", True), ("There are not two tones.", False),
        ("There aren't three tones.", True), ("The first tone has no harmonics.", False),
        (f"The {lower} tone does not have the higher pitch.", True), (f"The {lower} tone is not low-pitched.", False),
        (f"The {lower} is by no means high-pitched.", True), ("The second does not last longer.", False),
    ]  # fmt: skip
    return clip, _some(rng, pairs, 6)


def doubt(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """One firm statement beside doubts, questions, quotations and choices that say the opposite: only it counts."""
    clip, pairs = negation(scenes, rng)
    firm = [("There are two tones.", True), ("There are three tones.", False), ("It is noise.", False)]
    firm += [("The first tone has many harmonics.", True)]
    wrap = [
        "{firm} Perhaps {doubt}", "{firm} It might be that {doubt}", "Maybe {doubt} {firm}",
        "I am not sure whether {doubt} {firm}", 'Somebody wrote "{doubt}" {firm}', "The options are: {doubt} {firm}",
        "Does it hold that {question}? {firm}", "{firm} It is hard to say if {doubt}",
        "A. {doubt}\nB. something else\n{firm}", "Is it so that {question}? {firm}",
    ]  # fmt: skip
    out: Pairs = []
    for said, truth in _some(rng, firm, 2) + [p for p in pairs if "not" in p[0]][:2]:
        opposite = "It is noise." if truth else "There are two tones."
        form = str(rng.choice(wrap))
        lowered = opposite[0].lower() + opposite[1:]
        out.append((form.format(firm=said, doubt=lowered, question=lowered.rstrip(".")), truth))
    return clip, out


def hedges(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Numbers with hedges and in several notations; half of them wrong."""
    hz, seconds, gap = float(rng.uniform(200, 900)), float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.25, 0.6))
    parts = [(0.1 + i * (seconds + gap), scenes.partials(hz, seconds, SAW, rng), -20.0) for i in range(2)]
    clip = scenes.place(parts, 0.2 + 2 * seconds + gap, -55.0, rng)
    hedge = str(rng.choice(HEDGES))
    off = float(rng.choice([0.75, 1.35]))
    return clip, [
        (f"The first tone is {hedge} {hz:.0f} Hz.", True), (f"The first tone is {hedge} {hz * off:.0f} Hz.", False),
        (f"The second tone lies at {hz / 1000:.2f} kHz.", True),
        (f"I would put the second at {hz * off / 1000:.2f} kHz.", False),
        (f"The first tone lasts {hedge} {seconds:.2f} s.", True),
        (f"The first tone lasts {hedge} {seconds * 1.7:.1f} s.", False),
        (f"The second tone seems to last some {1000 * seconds:.0f} ms.", True),
        (f"The second tone seems to last some {1700 * seconds:.0f} milliseconds.", False),
        (f"A pause of {hedge} {gap:.2f} seconds parts the two.", True), (f"There is a {gap * 2:.1f} s pause.", False),
    ]  # fmt: skip


def _some(rng: np.random.Generator, pairs: Pairs, count: int) -> Pairs:
    """`count` pairs, half of them true."""
    shuffled = [pairs[index] for index in rng.permutation(len(pairs))]
    true, false = ([p for p in shuffled if p[1] is truth][: count // 2] for truth in (True, False))
    return true + false


FAMILIES = {
    "before and after": before_and_after, "beginning and end": beginning_and_end,
    "counts around a time": counts_around_a_time, "contour": contour, "swelling": swelling, "negation": negation,
    "doubt and quotation": doubt, "hedges and notations": hedges,
}  # fmt: skip
