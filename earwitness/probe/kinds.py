"""The kinds of listening question: each makes a clip, the facts in it, and what can be said about them.

A kind is a function `(rng, answer) -> Scene`. The answer is drawn before the sound, so that every
answer of a kind is equally frequent and the words of the question never give it away.
Cited values lie on coarse ladders and the sound within a few per cent of a rung: a trace is true
of its clip, and a small model can learn to name the rung.
"""

from __future__ import annotations

import numpy as np

from earwitness.probe.compound import COMPOUND_KINDS
from earwitness.probe.scene import (
    DURATION_LADDER,
    GAP_LADDER,
    LEVEL_LADDER,
    LEVEL_SPREAD,
    PITCH_LADDER,
    Kind,
    Scene,
    lead,
    near,
    pair,
    pulses,
    start_time,
    two_rungs,
)
from earwitness.probe.sound import Rng, at_onsets, gain, noise, tone


def pitch_direction(rng: Rng, answer: str) -> Scene:
    """A glide up, down, or a level tone."""
    low, high = two_rungs(rng, PITCH_LADDER)
    level = float(rng.choice(PITCH_LADDER))
    begin, end = {"rises": (low, high), "falls": (high, low), "stays level": (level, level)}[answer]
    detune = near(rng, 1.0)
    wave = tone(rng.uniform(0.5, 0.9), begin * detune, end_hz=end * detune)
    account = f"The tone starts near {begin:g} Hz and ends near {end:g} Hz"
    return Scene(lead(rng, wave), account, f"the pitch {answer}", {"start_hz": begin, "end_hz": end})


def which_higher(rng: Rng, answer: str) -> Scene:
    """Two tones of different pitch."""
    low, high = two_rungs(rng, PITCH_LADDER)
    first, second = (high, low) if answer == "first" else (low, high)
    seconds = rng.uniform(0.22, 0.4)
    wave = pair(rng, tone(seconds, near(rng, first)), tone(seconds, near(rng, second)))
    account = f"The first tone is near {first:g} Hz and the second is near {second:g} Hz"
    return Scene(wave, account, f"the {answer} is higher", {"first_hz": first, "second_hz": second})


def count(rng: Rng, answer: str) -> Scene:
    """One to five beeps."""
    beeps = int(answer)
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    gap = rng.uniform(0.16, 0.26)
    begin = start_time(rng)
    onsets = [begin + i * gap + rng.uniform(-0.01, 0.01) for i in range(beeps)]
    events = [tone(rng.uniform(0.07, 0.1), hz) for _ in onsets]
    wave = at_onsets(onsets, events, tail=rng.uniform(0.05, 0.5))
    beep = "beep" if beeps == 1 else "beeps"
    return Scene(wave, f"I hear {beeps} short {beep}", f"the count is {beeps}", {"count": beeps})


def which_louder(rng: Rng, answer: str) -> Scene:
    """Two bursts of different level."""
    loud = int(rng.integers(0, 3))
    quiet = loud + int(rng.integers(1, 4))
    dbs = [LEVEL_LADDER[loud], LEVEL_LADDER[quiet]]
    first, second = dbs if answer == "first" else dbs[::-1]
    hz, seconds = near(rng, float(rng.choice(PITCH_LADDER))), rng.uniform(0.22, 0.4)
    level, below = (db + rng.uniform(-LEVEL_SPREAD, LEVEL_SPREAD) for db in dbs)
    loud_tone, quiet_tone = tone(seconds, hz), gain(below - level) * tone(seconds, hz)
    wave = pair(rng, loud_tone, quiet_tone) if answer == "first" else pair(rng, quiet_tone, loud_tone)
    account = f"The first tone is near {first} dB and the second is near {second} dB"
    return Scene(wave, account, f"the {answer} is louder", {"first_db": first, "second_db": second}, level)


def tempo_change(rng: Rng, answer: str) -> Scene:
    """Pulses whose gaps shrink, grow or stay."""
    short, long = two_rungs(rng, GAP_LADDER, least_steps=2)
    even = float(rng.choice(GAP_LADDER))
    begin, end = {"speed up": (long, short), "slow down": (short, long), "keep steady": (even, even)}[answer]
    gaps = np.geomspace(begin, end, 5) * near(rng, 1.0, 0.03)
    account = f"The gaps go from about {begin:.2f} s to {end:.2f} s"
    return Scene(pulses(rng, gaps), account, f"the pulses {answer}", {"first_gap_s": begin, "last_gap_s": end})


def timbre(rng: Rng, answer: str) -> Scene:
    """One tone of a plain wave form, or noise."""
    seconds = rng.uniform(0.4, 0.8)
    if answer == "noise":
        return Scene(lead(rng, noise(rng, seconds)), "There is no clear pitch", "it is noise", {"wave": answer})
    hz = float(rng.choice(PITCH_LADDER[:6]))  # higher ones leave too few partials below 8 kHz to tell
    account = {
        "sine": "There is a single partial",
        "square": "There are only odd harmonics",
        "sawtooth": "There are all harmonics",
    }[answer]
    wave = lead(rng, tone(seconds, near(rng, hz), timbre=answer))
    return Scene(wave, f"{account} of {hz:g} Hz", f"it is a {answer} wave", {"wave": answer, "hz": hz})


def which_longer(rng: Rng, answer: str) -> Scene:
    """Two tones of different length."""
    short, long = two_rungs(rng, DURATION_LADDER)
    first, second = (long, short) if answer == "first" else (short, long)
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    wave = pair(rng, tone(near(rng, first, 0.03), hz), tone(near(rng, second, 0.03), hz))
    account = f"The first tone lasts about {first:.2f} s and the second about {second:.2f} s"
    return Scene(wave, account, f"the {answer} is longer", {"first_s": first, "second_s": second})


def rhythm(rng: Rng, answer: str) -> Scene:
    """Pulses with even or uneven gaps."""
    if answer == "regular":
        gap = float(rng.choice(GAP_LADDER))
        gaps = np.full(5, gap) * near(rng, 1.0, 0.03)
        return Scene(pulses(rng, gaps), f"The gaps are even, about {gap:.2f} s each", "the rhythm is regular",
                     {"gap_s": gap})  # fmt: skip
    short, long = two_rungs(rng, GAP_LADDER, least_steps=2)
    gaps = rng.permutation([short, long, short, long, long if rng.random() < 0.5 else short])
    if (np.diff(np.sort(gaps)) == np.diff(gaps)).all() or (np.diff(np.sort(gaps)[::-1]) == np.diff(gaps)).all():
        gaps = np.array([long, short, long, short, short])  # a sorted order would be a change of tempo
    gaps = gaps * near(rng, 1.0, 0.03)
    account = f"The gaps vary between {short:.2f} s and {long:.2f} s"
    return Scene(pulses(rng, gaps), account, "the rhythm is irregular", {"shortest_s": short, "longest_s": long})


KINDS: tuple[Kind, ...] = (
    Kind(
        "pitch_direction",
        ("Does the pitch rise, fall or stay level?", "How does the pitch of the tone move?"),
        ("rises", "falls", "stays level"),
        pitch_direction,
    ),
    Kind(
        "which_higher",
        ("Which tone is higher?", "Which of the two tones has the higher pitch?"),
        ("first", "second"),
        which_higher,
    ),
    Kind(
        "count", ("How many beeps are there?", "How many times does it beep?"), ("1", "2", "3", "4", "5"), count, "time"
    ),
    Kind(
        "which_louder",
        ("Which tone is louder?", "Which of the two tones is the louder one?"),
        ("first", "second"),
        which_louder,
        "level",
    ),
    Kind(
        "tempo_change",
        ("Do the pulses speed up, slow down or keep steady?", "How does the pace of the pulses change?"),
        ("speed up", "slow down", "keep steady"),
        tempo_change,
        "time",
    ),
    Kind(
        "timbre",
        ("What kind of sound is it?", "Which wave form does the sound have?"),
        ("sine", "square", "sawtooth", "noise"),
        timbre,
    ),
    Kind(
        "which_longer",
        ("Which tone is longer?", "Which of the two tones lasts longer?"),
        ("first", "second"),
        which_longer,
        "time",
    ),
    Kind(
        "rhythm",
        ("Is the rhythm regular or irregular?", "Are the pulses regular or irregular?"),
        ("regular", "irregular"),
        rhythm,
        "time",
    ),
    *COMPOUND_KINDS,
)
"""In the order in which they are dealt out."""
