"""Sentences in free wording for the pairs of `grounding.py`: written from the sound, not from the claim reader's words.

Each entry is a sentence with fields and whether it is true. Fields are filled with what the synthesiser put in.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from reward.measure.facts import Samples

Pairs = list[tuple[str, bool]]

TWO_TONES: Pairs = [
    ("To my ear the opening note hovers around {first:.0f} Hz.", True),
    ("Its initial tone has a frequency of roughly {first:.0f} hertz.", True),
    ("After that comes a second tone whose pitch I would put at {second:.0f} Hz.", True),
    ("Listening again, tone one sits at about {first_off:.0f} Hz.", False),
    ("The second sound has a fundamental frequency of approximately {second_off:.0f} Hz.", False),
    ("The pitch of the last tone is close to {second_off:.0f} Hz.", False),
    ("Between the two, it is the {higher} tone that has the higher frequency.", True),
    ("Compared with the {lower} tone, the {higher} one is clearly higher in pitch.", True),
    ("The {lower} tone lies above the other, so it is the higher of the two.", False),
    ("The {higher} note is lower than the {lower}.", False),
]
GLIDES: Pairs = [
    ("What I hear is a tone whose pitch {moves} over time.", True),
    ("Over its course the frequency {moves}.", True),
    ("It begins at around {begin:.0f} Hz and finishes near {end:.0f} Hz.", True),
    ("The tone is gliding from {begin:.0f} Hz to {end:.0f} Hz.", True),
    ("The pitch of the sound {other}.", False),
    ("There is one tone, and its frequency {other} from start to finish.", False),
    ("It sets out at {begin_off:.0f} Hz and ends at {end_off:.0f} Hz.", False),
    ("The pitch does not change at all.", None),  # type: ignore[list-item]
]
COUNTS: Pairs = [
    ("All in all {number} separate events can be made out.", True),
    ("I count {word} sounds.", True),
    ("The recording contains {number} bursts.", True),
    ("A total of {word} short events follow each other.", True),
    ("I make out {wrong_word} sounds, one after the other.", False),
    ("Altogether there are {wrong} events in the clip.", False),
    ("{wrong_cap} distinct sounds are heard.", False),
    ("One can tell apart {wrong} notes.", False),
]
LEVELS: Pairs = [
    ("The {loud} tone has more level: it is roughly {gap:.0f} dB stronger than the {quiet}.", True),
    ("Of the two the {quiet} tone is the softer one.", True),
    ("The {loud} tone is noticeably louder than the {quiet} tone.", True),
    ("In terms of volume the {quiet} one is weaker.", True),
    ("The {quiet} tone is by far the loudest.", False),
    ("The {loud} tone sounds fainter than the {quiet} one.", False),
    ("The {loud} one is {gap_off:.0f} dB louder than the {quiet} one.", False),
    ("Both tones are equally loud.", False),
]
LENGTHS: Pairs = [
    ("The first tone goes on for about {first:.2f} seconds.", True),
    ("I hear the second tone for roughly {second_ms:.0f} ms.", True),
    ("The {longer} tone is the longer one.", True),
    ("With a duration of {first:.2f} s the first tone is easy to follow.", True),
    ("The first tone takes around {first_off:.2f} s.", False),
    ("The second tone has a length of {second_off_ms:.0f} milliseconds.", False),
    ("The {shorter} tone lasts longer.", False),
    ("Both have the same duration.", False),
]
PULSES: Pairs = [
    ("As time goes on, the pulses {moves}.", True),
    ("The tempo {tempo_moves}.", True),
    ("The spacing between the pulses {gap_moves}.", True),
    ("The pulse train {other} towards the end.", False),
    ("The tempo {tempo_other} throughout.", False),
    ("The gaps between the clicks {gap_other}.", False),
]
RHYTHMS: Pairs = [
    ("The beats come at {even} intervals.", True),
    ("The timing of the pulses is {even}.", True),
    ("These clicks are {evenly} spaced.", True),
    ("Rhythmically the pattern is {uneven}.", False),
    ("The intervals between the taps are {uneven}.", False),
    ("Its pulses are {unevenly} spaced.", False),
]
WAVES: dict[str, list[str]] = {
    "sine": [
        "It has no overtones worth mentioning.", "This is a pure tone.", "The spectrum shows a single partial.",
        "A sinusoidal tone, nothing else.",
    ],
    "square": [
        "The even harmonics are missing.", "It has the hollow sound of a square wave.",
        "Only the odd partials are present.", "The spectrum holds odd harmonics only.",
    ],
    "sawtooth": [
        "Even and odd harmonics are both there, like in a sawtooth.", "All partials are present.",
        "A buzzy sawtooth wave.", "The full series of harmonics is there.",
    ],
    "noise": [
        "It hisses like white noise.", "No definite pitch can be made out.", "The sound is noise.",
        "It is an unpitched burst of noise.",
    ],
}  # fmt: skip


def pitch(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """Two tones at least two semitones apart."""
    clip = clips.tones(rng, 2, 25.0, str(rng.choice(["sine", "square", "sawtooth"])))
    first, second = clip.pitches
    if abs(np.log2(first / second)) < 0.17:
        return clip.samples, []
    higher, lower = ("first", "second") if first > second else ("second", "first")
    facts = {"first": first, "second": second, "first_off": first * 1.3, "second_off": second * 0.75}
    return clip.samples, _filled(TWO_TONES, rng, higher=higher, lower=lower, **facts)


def direction(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """A glide or a level tone."""
    way = int(rng.integers(-1, 2))
    clip = clips.glide(rng, way, 25.0)
    said = {
        1: ["is rising", "rises steadily", "keeps climbing", "increases"],
        -1: ["is falling", "drops steadily", "keeps sinking", "decreases"],
        0: ["stays the same", "remains constant", "is steady", "holds level"],
    }
    other = int(rng.choice([d for d in said if d != way]))
    begin, end = clip.sweep
    facts = {"begin": begin, "end": end, "begin_off": begin * 1.35, "end_off": end * 1.35}
    pairs = _filled(GLIDES, rng, moves=str(rng.choice(said[way])), other=str(rng.choice(said[other])), **facts)
    return clip.samples, [(text, way == 0 if truth is None else truth) for text, truth in pairs]


def count(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """Two to six sounds."""
    number = int(rng.integers(2, 7))
    words = ["one", "two", "three", "four", "five", "six", "seven"]
    wrong = number + (int(rng.choice([-1, 1])) if number > 2 else 1)
    clip = clips.tones(rng, number, 25.0, str(rng.choice(["sine", "noise"])))
    word, other = words[number - 1], words[wrong - 1]
    return clip.samples, _filled(
        COUNTS, rng, number=number, word=word, wrong=wrong, wrong_word=other, wrong_cap=other.capitalize()
    )


def loudness(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """Two tones 3 dB apart or more."""
    clip = clips.tones(rng, 2, 30.0, "sine", 12.0, 0.2, 0.4)
    first, second = clip.levels
    gap = abs(first - second)
    if gap < 3:
        return clip.samples, []
    loud, quiet = ("first", "second") if first > second else ("second", "first")
    return clip.samples, _filled(LEVELS, rng, loud=loud, quiet=quiet, gap=gap, gap_off=gap + 7)


def duration(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """Two tones of different length."""
    clip = clips.tones(rng, 2, 25.0, "sine", 6.0, 0.12, 0.7)
    first, second = clip.durations
    if abs(np.log(first / second)) < 0.25:
        return clip.samples, []
    longer, shorter = ("first", "second") if first > second else ("second", "first")
    facts = {"first": first, "second_ms": 1000 * second, "first_off": 1.8 * first, "second_off_ms": 1800 * second}
    return clip.samples, _filled(LENGTHS, rng, longer=longer, shorter=shorter, **facts)


def tempo(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """A train that speeds up, slows down or keeps its pace."""
    way = int(rng.integers(-1, 2))
    start = rng.uniform(0.15, 0.3)
    stop = max(start * 2 ** (way * rng.uniform(0.5, 1.0)), 0.08)
    clip = clips.pulses(rng, np.geomspace(start, stop, int(rng.integers(4, 8))).tolist())
    pulses = {-1: "come faster and faster", 1: "get slower", 0: "keep a steady pace"}
    tempos = {-1: "increases", 1: "decreases", 0: "stays constant"}
    gaps = {-1: "shrinks", 1: "widens", 0: "stays the same"}
    many = {-1: "get shorter", 1: "get longer", 0: "stay the same"}
    trains = {-1: "speeds up", 1: "slows down", 0: "keeps a constant tempo"}
    other = int(rng.choice([d for d in gaps if d != way]))
    return clip.samples, _filled(
        PULSES, rng, moves=pulses[way], other=trains[other], tempo_moves=tempos[way], tempo_other=tempos[other],
        gap_moves=gaps[way], gap_other=many[other],
    )  # fmt: skip


def regularity(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """An even or an uneven train."""
    even = bool(rng.random() < 0.5)
    gap = rng.uniform(0.12, 0.3)
    gaps = np.full(6, gap) if even else gap * rng.permutation([0.7, 1.4, 0.8, 1.5, 0.7, 1.2])
    clip = clips.pulses(rng, gaps.tolist())
    true, false = (("regular", "evenly"), ("irregular", "unevenly"))[:: 1 if even else -1]
    return clip.samples, _filled(RHYTHMS, rng, even=true[0], evenly=true[1], uneven=false[0], unevenly=false[1])


def timbre(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """One sound of each waveform."""
    wave, other = (str(name) for name in rng.permutation(list(WAVES))[:2])
    clip = clips.tones(rng, 1, 25.0, wave, 0.0, 0.2, 0.6)
    return clip.samples, [(str(rng.choice(WAVES[wave])), True), (str(rng.choice(WAVES[other])), False)]


def brightness(clips: ModuleType, rng: np.random.Generator) -> tuple[Samples, Pairs]:
    """A dull low tone and a bright one, in either order."""
    dull, bright = clips.tone(rng.uniform(120, 240), 0.4), clips.tone(rng.uniform(1600, 2200), 0.4, "sawtooth")
    dull_first = bool(rng.random() < 0.5)
    parts = [(0.1, dull if dull_first else bright, -20.0), (0.8, bright if dull_first else dull, -20.0)]
    low, high = ("first", "second") if dull_first else ("second", "first")
    said = [
        (f"The {high} tone is bright.", True), (f"The {low} one sounds rather dull.", True),
        (f"The {low} tone is low-pitched.", True), (f"In timbre the {high} is brighter than the {low}.", True),
        (f"The {low} tone is bright and sharp.", False), (f"The {high} tone is dark.", False),
        (f"The {low} tone is high-pitched.", False), (f"The {low} tone is brighter.", False),
    ]  # fmt: skip
    return clips.mix(parts, 1.4, 30.0, rng), said


def _filled(sentences: Pairs, rng: np.random.Generator, **facts: Any) -> Pairs:
    """Two true and two false sentences with the facts filled in; those of unknown truth as they come."""
    shuffled = [sentences[index] for index in rng.permutation(len(sentences))]
    true = [text for text, truth in shuffled if truth][:2]
    false = [text for text, truth in shuffled if truth is False][:2]
    open_ = [pair for pair in shuffled if pair[1] is None][:1]
    return [(text.format(**facts), True) for text in true] + [(text.format(**facts), False) for text in false] + open_


FAMILIES = {
    "pitch": pitch, "direction": direction, "count": count, "loudness": loudness, "duration": duration,
    "tempo": tempo, "regularity": regularity, "timbre": timbre, "brightness": brightness,
}  # fmt: skip
