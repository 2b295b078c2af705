"""Clips of several sounds and of speech, with sentences about them, for the pairs of `grounding.py`.

Each family returns a clip and its pairs; the facts are those that the synthesiser was given.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Pairs = list[tuple[str, bool]]
Scene = tuple[NDArray[np.float32], Pairs]
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SAW = [1 / k for k in range(1, 9)]
ODD = [1 / k if k % 2 else 0.0 for k in range(1, 10)]
SENTENCES = [
    (13, "She sells a lot of apples at the market every day."),
    (16, "The weather in the north is mild, but in the south it is colder."),
    (15, "Many animals sleep in the afternoon and wake up late."),
    (14, "He carried the heavy boxes over the narrow bridge."),
    (17, "Tomorrow we are going to visit a little museum in town."),
]
"""Sentences with their numbers of syllables."""


def pick(rng: np.random.Generator, *options: str) -> str:
    """One of the options."""
    return str(rng.choice(options))


def pauses(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Three or four sounds with pauses of clearly different length, and silence at both ends."""
    count = int(rng.integers(3, 5))
    gaps = (rng.uniform(0.3, 0.4) * rng.permutation([1.0, 1.7, 2.6])[: count - 1]).tolist()
    lead, trail, at, parts = rng.uniform(0.2, 0.6), rng.uniform(0.25, 0.6), 0.0, []
    at = lead
    for index in range(count):
        length = rng.uniform(0.15, 0.35)
        parts.append((at, scenes.partials(rng.uniform(150, 700), length, SAW, rng), rng.uniform(-24, -16)))
        end = at + length
        at = end + gaps[index] if index < count - 1 else end
    longer, shorter = ("first", "second") if gaps[0] > gaps[1] else ("second", "first")
    right, wrong = WORDS[count - 1], WORDS[count - 1 + int(rng.choice([-1, 1]))]
    begun = parts[1][0] - 0.4 * gaps[0]
    return scenes.place(parts, at + trail, -55.0, rng), [
        (pick(rng, f"There are {right} pauses between the sounds.", f"I count {count - 1} silences in between."), True),
        (f"There are {wrong} pauses.", False),
        (pick(rng, f"The first pause lasts {gaps[0]:.2f} s.", f"A pause of about {gaps[1]:.1f} s can be heard."), True),
        (f"The {longer} pause is {max(gaps[:2]) * 2:.1f} s long.", False),
        (f"The {longer} pause is longer than the {shorter}.", True),
        (f"The {shorter} pause is longer than the {longer} one.", False),
        (f"The clip begins with {lead:.2f} s of silence.", True),
        (f"The clip ends with {trail + 0.8:.1f} s of silence.", False),
        (f"Between {begun - 0.3 * gaps[0]:.2f} s and {begun:.2f} s it is silent.", True),
        (f"After {begun:.2f} s there is silence.", False),
    ]


def chords(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A chord of two to four notes, or one note."""
    shapes = {1: [1.0], 2: [1.0, 1.5], 3: [1.0, 1.25, 1.5], 4: [1.0, 1.2, 1.5, 1.78]}
    count = int(rng.integers(1, 5))
    root = float(rng.uniform(180, 420))
    notes = [root * ratio for ratio in shapes[count]]
    wave = scenes.chord(notes, rng.uniform(0.4, 0.9), [SAW, ODD, [1.0]][int(rng.integers(3))], rng)
    clip = scenes.place([(0.15, wave, -18.0)], 0.3 + len(wave) / 16_000, -45.0, rng)
    other = WORDS[count + (1 if count < 3 else -1)]
    if count == 1:
        return clip, [
            ("It is a chord.", False), ("Two notes sound at the same time.", False), ("This is not a chord.", True),
            (f"The note lies at {notes[0]:.0f} Hz.", True),
        ]  # fmt: skip
    listed = ", ".join(f"{note:.0f}" for note in notes[:-1]) + f" and {notes[-1]:.0f} Hz"
    return clip, [
        (pick(rng, f"I hear a chord of {WORDS[count]} notes.", f"It is a {WORDS[count]}-note chord."), True),
        (f"{other.capitalize()} notes sound at the same time.", False),
        (pick(rng, f"The notes are at {listed}.", f"The top note of the chord is near {notes[-1]:.0f} Hz."), True),
        (f"One note of the chord is at {notes[-1] * 1.12:.0f} Hz.", False),
        (pick(rng, f"{WORDS[count].capitalize()} tones sound together.", "It is a chord."), True),
        (pick(rng, "It is not a chord.", "It is a burst of noise."), False),
    ]


def harmonics(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A tone with a chosen set of partials."""
    kind = str(rng.choice(["odd", "all", "few"]))
    hz, number = rng.uniform(150, 420), int(rng.integers(3, 7))
    amplitudes = {"odd": ODD, "all": SAW, "few": [1.0] + [0.5] * (number - 1)}[kind]
    clip = scenes.place([(0.1, scenes.partials(hz, 0.6, amplitudes, rng), -18.0)], 0.85, -60.0, rng)
    pairs = [
        (f"There are partials at {hz:.0f} Hz and {3 * hz:.0f} Hz.", True),
        (f"One of the overtones is at {2.5 * hz:.0f} Hz.", False),
        (pick(rng, "The sound is rich in overtones.", "It is not a pure tone."), True),
        (pick(rng, "It is a pure sine.", "There are no overtones."), False),
    ]
    if kind == "few":
        return clip, [
            *pairs,
            (f"It has {WORDS[number]} partials.", True),
            (f"I can make out {WORDS[number + 3]} harmonics.", False),
        ]
    odd, every = (
        pick(rng, "Only odd harmonics are present.", "The even harmonics are missing."),
        "All partials are there.",
    )
    return clip, [*pairs, (odd, kind == "odd"), (every, kind == "all")]


def drums(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A drum pattern at a steady tempo."""
    bpm = float(rng.uniform(75, 190))
    pattern = [["kick", "snare"], ["kick", "hat", "snare", "hat"], ["kick", "kick", "snare"]][int(rng.integers(3))]
    times = int(rng.integers(2, 4))
    hits = pattern * times
    levels = {"kick": -14.0, "snare": -16.0, "hat": -20.0}
    parts = [(0.2 + i * 60 / bpm, scenes.drum(kind, rng), levels[kind]) for i, kind in enumerate(hits)]
    clip = scenes.place(parts, 0.5 + len(hits) * 60 / bpm, -60.0, rng)
    number = len(hits)
    pairs = [
        (pick(rng, f"There are {WORDS[number]} drum hits.", f"I count {number} hits."), True),
        (f"I hear {number + 2} drum beats.", False),
        (f"The tempo is about {bpm:.0f} BPM.", True),
        (f"The drums play at {bpm * 1.35:.0f} BPM.", False),
        (pick(rng, "The drums are evenly spaced.", "The rhythm is regular."), True),
        (pick(rng, "The drums speed up.", "The hits come at irregular intervals."), False),
        (f"The pattern repeats every {len(pattern) * 60 / bpm:.2f} s.", True),
        (f"The pattern repeats every {len(pattern) * 90 / bpm:.2f} s.", False),
    ]
    if bpm > 150:
        pairs += [("The drums play a fast beat.", True), ("The tempo is slow.", False)]
    if bpm < 85:
        pairs += [("The beat is slow.", True), ("The drums play a fast beat.", False)]
    return clip, pairs


def noisiness(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A tone in much, little or no noise, or noise alone."""
    kind = str(rng.choice(["noise", "noisy", "clean"]))
    n = round(0.6 * 16_000)
    tone = scenes.partials(rng.uniform(180, 500), 0.6, SAW, rng)
    hiss = scenes.edged(rng.standard_normal(n))
    ratio = float(rng.uniform(12, 25))
    if kind == "noise":
        wave = hiss
    elif kind == "noisy":
        wave = scenes.edged(tone + hiss * 10 ** (5 / 20))
    else:
        wave = scenes.edged(tone + hiss * 10 ** (-ratio / 20))
    clip = scenes.place([(0.1, wave, -18.0)], 0.85, -75.0, rng)
    noisy = [
        pick(rng, "The sound is noisy.", "It is a noisy sound."),
        pick(rng, "The tone is clean.", "It has a clean tone."),
    ]
    pairs = [(noisy[0], kind != "clean"), (noisy[1], kind == "clean")]
    if kind == "noise":
        pairs += [("There is no clear pitch.", True), ("It is broadband.", True), ("It is noise.", True)]
        pairs += [("It has a definite pitch.", False), ("It is narrowband.", False), ("It is a pure tone.", False)]
    if kind == "clean":
        pairs += [(f"The harmonics-to-noise ratio is about {ratio:.0f} dB.", True), ("It is periodic.", True)]
        pairs += [(f"The harmonics-to-noise ratio is {ratio - 16:.0f} dB.", False), ("It is white noise.", False)]
    return clip, pairs


def repetition(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A short pattern of tones several times over, or a row of tones that does not repeat."""
    length, times = int(rng.integers(2, 5)), int(rng.integers(2, 6))
    repeats = bool(rng.random() < 0.7)
    scale = rng.permutation(np.geomspace(220, 900, 8))
    steps = rng.uniform(0.2, 0.28, length) + np.where(np.arange(length) == length - 1, rng.uniform(0.1, 0.3), 0)
    parts, at = [], 0.15
    for index in range(length * times if repeats else 7):
        hz = scale[index % length] if repeats else scale[index]
        step = steps[index % length] if repeats else rng.uniform(0.2, 0.5)
        parts.append((at, scenes.partials(float(hz), 0.12, SAW, rng), -20.0))
        at += float(step)
    clip = scenes.place(parts, at + 0.1, -50.0, rng)
    if not repeats:
        return clip, [
            ("The pattern repeats three times.", False), ("The melody repeats itself.", False),
            ("The pattern does not repeat.", True), ("Nothing repeats.", True),
        ]  # fmt: skip
    cycle = float(steps.sum())
    word, other = WORDS[times], WORDS[times + 2]
    return clip, [
        (pick(rng, f"The same pattern is heard {word} times.", f"There are {word} repetitions of one phrase."), True),
        (f"The phrase is heard {other} times.", False),
        (pick(rng, f"The pattern repeats every {cycle:.2f} s.", f"It repeats every {1000 * cycle:.0f} ms."), True),
        (f"The pattern repeats every {cycle * 1.5:.2f} s.", False),
        (pick(rng, "The pattern repeats.", f"The melody is made of groups of {WORDS[length]}."), True),
        (pick(rng, "Nothing is repeated.", f"The pattern consists of groups of {WORDS[length + 1]}."), False),
    ]


def stereo(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Two tones, each on a side or in the middle; or one noise that moves."""
    if rng.random() < 0.25:
        rightward = bool(rng.random() < 0.5)
        hiss = scenes.place([(0.1, scenes.edged(rng.standard_normal(24_000)), -20.0)], 1.7, -80.0, rng)
        pan = np.linspace(0.05, 0.95, len(hiss))[:: 1 if rightward else -1]
        both = np.stack([hiss * np.cos(pan * np.pi / 2), hiss * np.sin(pan * np.pi / 2)], axis=1)
        ways = ("from left to right", "from right to left")[:: 1 if rightward else -1]
        return both.astype(np.float32), [(f"The noise moves {ways[0]}.", True), (f"It moves {ways[1]}.", False)]
    gains = {"left": (1.0, 0.2), "right": (0.25, 1.0)}
    first, second = (str(side) for side in rng.permutation(list(gains)))
    both = rng.standard_normal((round(1.5 * 16_000), 2)) * 1e-4
    for onset, side in ((0.1, first), (0.8, second)):
        tone = scenes.partials(float(rng.uniform(200, 900)), 0.5, SAW, rng) * 0.1
        start = round(onset * 16_000)
        both[start : start + len(tone)] += tone[:, None] * np.array(gains[side])
    return both.astype(np.float32), [
        (pick(rng, f"The first tone is on the {first}.", f"The second tone comes from the {second} side."), True),
        (pick(rng, f"The first tone is on the {second}.", f"The second tone is in the {first} channel."), False),
        (f"The first is panned to the {first} and the second to the {second}.", True),
        ("The second tone sits in the middle.", False),
        (f"The second tone is louder on the {second}.", True),
        (f"The first tone is not on the {first}.", False),
    ]


def level(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """A steady tone near 1 kHz, where loudness in LUFS equals the RMS level in dBFS."""
    dbfs, seconds = float(rng.choice([rng.uniform(-52, -42), rng.uniform(-22, -8)])), float(rng.uniform(1.2, 2.5))
    tone = scenes.partials(rng.uniform(950, 1050), seconds, [1.0], rng)
    clip = scenes.place([(0.0, tone, dbfs)], seconds, -90.0, rng)
    loud, off = dbfs > -30, float(rng.choice([-8.0, 8.0]))
    strong, weak = ("loud", "soft") if loud else ("soft", "loud")
    return clip, [
        (pick(rng, f"The integrated loudness is about {dbfs:.0f} LUFS.", f"It measures {dbfs:.1f} LUFS."), True),
        (f"The loudness is {dbfs + off:.0f} LUFS.", False),
        (pick(rng, f"The level is about {dbfs:.0f} dBFS.", f"The peak level is {dbfs + 3:.0f} dBFS."), True),
        (pick(rng, f"The level is near {dbfs + off:.0f} dB.", f"It peaks at {dbfs + 3 - off:.0f} dBFS."), False),
        (f"The tone is {strong}.", True),
        (f"It is a {weak} tone.", False),
        (f"The clip lasts {seconds:.1f} s.", True),
        (f"The recording is {seconds * 1.5:.1f} seconds long.", False),
    ]


def speaking_rate(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Pulse-train syllables."""
    rate, count = float(rng.uniform(2.4, 6.0)), int(rng.integers(8, 15))
    clip, seconds = scenes.syllables(count, rate, rng)
    return clip, _about_speech(rng, count, count / seconds)


def speech(scenes: ModuleType, rng: np.random.Generator) -> Scene:
    """Speech of espeak-ng, at three speeds, by a low and a high voice, with or without a pause."""
    count, text = SENTENCES[int(rng.integers(len(SENTENCES)))]
    pace = int(rng.choice([105, 150, 190]))
    high = bool(rng.random() < 0.5)
    plain = scenes.espeak(text, pace, "en+f3" if high else "en")
    seconds = len(plain) / 16_000 - 0.4
    pairs = _about_speech(rng, count, count / seconds)
    if rng.random() < 0.4:
        pause = float(rng.choice([600, 900, 1200]))
        twice = scenes.espeak(f'{text}<break time="{pause:.0f}ms"/>{text}', pace, "en+f3" if high else "en")
        silence = scenes.longest_silence(twice)
        return twice, [
            (f"A pause of about {silence:.1f} s parts the two sentences.", True),
            (f"There is a pause of {silence * 1.7:.1f} s.", False),
        ]
    if not high:
        pairs.append(("The voice has a pitch of about 100 Hz.", True))
    return plain, [*pairs, ("The voice is near 330 Hz.", False), ("It is not white noise.", True)]


def _about_speech(rng: np.random.Generator, count: int, rate: float) -> Pairs:
    pairs = [
        (pick(rng, f"The speaker says about {rate:.1f} syllables per second.", f"I count {count} syllables."), True),
        (f"The speech has {rate * float(rng.choice([0.5, 1.8])):.1f} syllables per second.", False),
    ]
    if rate > 5.8 or rate < 2.7:
        fast, slow = ("fast", "slow") if rate > 5.8 else ("slow", "fast")
        pairs += [(f"The speech is {fast}.", True), (f"The speaker talks in a {slow} pace.", False)]
    return pairs


FAMILIES = {
    "pauses": pauses, "chords": chords, "harmonics": harmonics, "drums": drums, "noisiness": noisiness,
    "repetition": repetition, "left and right": stereo, "level (LUFS, dBFS)": level, "speaking rate": speaking_rate,
}  # fmt: skip
SPEECH = {"speech (espeak-ng)": speech}
"""Where espeak-ng is installed."""
