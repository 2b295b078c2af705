"""Clips rebuilt from recordings, with what is true and what is false of them, by how they were built.

Each scene gives samples and facts: family, the sentence in the documentation's wording, the same as a model would
write it, and whether it is true.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks import grounding_scenes
from benchmarks.real_clips import Clips
from benchmarks.real_samples import BLOWN, DRY, LOOPS, NOISES, RINGING, STEADY, STRUCK
from benchmarks.real_tools import agreed_pitch, centroid, cut, gained, named_note, place, seconds, shifted, to_rms
from reward.measure.facts import Samples

Fact = tuple[str, str, str, bool]
Scene = tuple[Samples, list[Fact]]
Random = np.random.Generator

KICKS = ("bd_haus", "bd_808", "drum_bass_hard")
SNARES = ("sn_dolf", "drum_snare_hard", "elec_snare")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
WORDS = (*grounding_scenes.WORDS, "13", "14")


def either(family: str, plain: str, heard: str, right: object, wrong: object) -> list[Fact]:
    """What is true and what is false: both sentences with the right value and with a wrong one."""
    return [(family, plain.format(v), heard.format(v), truth) for v, truth in ((right, True), (wrong, False))]


def hits(clips: Clips, random: Random, names: tuple[str, ...]) -> Scene:
    """The same thing struck again and again, as long as it rings."""
    sample = cut(clips.sample(str(random.choice(names))), 2.5)
    count = int(random.integers(2, 6))
    onsets = 0.3 + np.concatenate([[0.0], np.cumsum(random.uniform(0.4, 0.9, count - 1))])
    levels = random.uniform(-3.0, 0.0, count)
    parts = [(float(onset), gained(sample, float(db))) for onset, db in zip(onsets, levels, strict=True)]
    clip = place(float(onsets[-1]) + seconds(sample) + 0.3, parts, clips.sample("vinyl_hiss"))
    family = "count, ringing" if names is RINGING else "count, dry"
    facts = counts(family, count, ("hits", "strikes"))
    k = int(random.integers(1, count))
    when, nth = float(onsets[k]), ORDINALS[k]
    facts += either("onset", f"The {nth} sound starts at {{:.2f}} s.",
                    f"I can hear the {nth} hit come in at around {{:.1f}} seconds.",
                    when, when + 0.3 * random.choice([-1, 1]))  # fmt: skip
    gap = float(onsets[1] - onsets[0])
    heard = "The first two hits are about {:.2f} seconds apart."
    return clip, facts + either("gap", "The first gap is {:.2f} s.", heard, gap, gap * 1.7)


def counts(family: str, count: int, names: tuple[str, str]) -> list[Fact]:
    facts: list[Fact] = []
    for n in (count, count + 2 if count % 2 else max(1, count - 1)):
        one, other = (name if n > 1 else name.rstrip("s") for name in names)
        heard = f"Listening closely, I hear {WORDS[n]} {'distinct ' if n > 1 else ''}{other}."
        facts.append((family, f"There {'are' if n > 1 else 'is'} {WORDS[n]} {one}.", heard, n == count))
    return facts


def dry_hits(clips: Clips, random: Random) -> Scene:
    return hits(clips, random, DRY)


def ringing_hits(clips: Clips, random: Random) -> Scene:
    return hits(clips, random, RINGING)


def machine(clips: Clips, random: Random) -> Scene:
    """Kick, snare and hat in common patterns at a known tempo."""
    bpm = float(random.integers(75, 165))
    beat = 60 / bpm
    kick, snare = (clips.sample(str(random.choice(names))) for names in (KICKS, SNARES))
    hat = clips.sample("drum_cymbal_closed")
    swing = float(random.choice([0.5, 0.5, 0.62]))
    parts = []
    for k in range(int(8 / beat)):
        parts.append((0.2 + k * beat, snare if k % 2 else kick))
        parts += [(0.2 + k * beat, gained(hat, -10)), (0.2 + (k + swing) * beat, gained(hat, -12))]
    return place(8.5, parts, clips.sample("vinyl_hiss")), tempo("tempo, patterns", bpm, random)


def loops(clips: Clips, random: Random) -> Scene:
    """A loop played again and again, faster or slower."""
    name = str(random.choice(list(LOOPS)))
    factor = float(random.uniform(0.85, 1.2))
    sample = clips.whole(name)
    bpm = 60 * LOOPS[name] / seconds(sample) * factor
    played = shifted(sample, 12 * np.log2(factor))
    clip = np.tile(played, max(1, round(8 / seconds(played))))[: 12 * 16_000]
    return clip, tempo("tempo, loops", bpm, random)


def tempo(family: str, bpm: float, random: Random) -> list[Fact]:
    wrong = bpm * float(random.choice([1.25, 0.8, 1.7, 0.59]))
    return [
        *either(family, "The tempo is {:.0f} BPM.", "The groove sits at roughly {:.0f} BPM.", bpm, wrong),
        ("steadiness", "The rhythm is regular.", "It keeps a steady beat throughout.", True),
        ("steadiness", "The rhythm is irregular.", "The beat is erratic and uneven.", False),
        ("steadiness", "It speeds up.", "The tempo accelerates as it goes on.", False),
    ]


def melody(clips: Clips, random: Random) -> Scene | None:
    """Notes of one instrument, one after the other; struck ones ring on into the next."""
    instrument = str(random.choice(STRUCK + BLOWN))
    struck = instrument in STRUCK
    keys = [k for i, k in clips.instruments if i == instrument and 48 <= k <= 84]
    got = named_note(clips, instrument, int(random.choice(keys)), 2.0 if struck else 0.5)
    if got is None or seconds(got[0]) < 0.5:
        return None
    count = int(random.integers(3, 6))
    up = bool(random.integers(2))
    steps = np.concatenate([[0], np.cumsum(random.integers(2, 5, count - 1))]) * (1 if up else -1)
    gap = float(random.uniform(0.35, 0.6))
    hold = 2.0 if struck else gap
    parts = [(0.2 + k * gap, cut(shifted(got[0], float(s)), hold)) for k, s in enumerate(steps)]
    clip = place(0.2 + count * gap + (1.5 if struck else 0.3), parts, clips.sample("vinyl_hiss"))
    first, last = got[1], got[1] * 2 ** (float(steps[-1]) / 12)
    facts = counts("count, melody", count, ("notes", "notes"))
    for way, truth in (("rises", up), ("falls", not up)):
        other = {"rises": "climb", "falls": "descend"}[way]
        facts.append(("melody", f"The pitch {way}.", f"Step by step the notes {other} in pitch.", truth))
    facts += [
        ("melody", f"The last note is {'higher' if up is t else 'lower'} than the first.",
         f"Compared with the first note, the last one is clearly {'higher' if up is t else 'lower'} in pitch.", t)
        for t in (True, False)
    ]  # fmt: skip
    heard = "The final note lands at about {:.0f} Hz."
    facts += either("pitch, melody", "The last note is near {:.0f} Hz.", heard, last, last * 1.26)
    heard = "The first note has a fundamental of roughly {:.0f} Hz."
    return clip, facts + either("pitch, melody", "The first note is near {:.0f} Hz.", heard, first, first * 0.75)


def note(clips: Clips, random: Random) -> Scene | None:
    """One note."""
    instrument = str(random.choice(STRUCK + BLOWN))
    keys = [k for i, k in clips.instruments if i == instrument and 36 <= k <= 90]
    got = named_note(clips, instrument, int(random.choice(keys)), 2.5)
    if got is None:
        return None
    clip = place(seconds(got[0]) + 0.6, [(0.3, got[0])], clips.sample("vinyl_hiss"))
    facts = pitched("pitch, notes", got[1], random) + single()
    return clip, facts + counts("count, dry", 1, ("sounds", "sounds")) + [
        ("noisiness", "It is noise.", "What I hear is just broadband noise.", False),
        ("noisiness", "It has a clear pitch.", "The sound is clearly pitched.", True),
    ]


def pitched(family: str, hertz: float, random: Random) -> list[Fact]:
    wrong = hertz * float(random.choice([1.3, 0.77, 1.5, 2.0, 3.0, 0.5]))
    heard = "It has a fundamental frequency of about {:.0f} Hz."
    facts = either(family, "The pitch is near {:.0f} Hz.", heard, hertz, wrong)
    if not 200 < hertz < 560:
        high = hertz >= 560
        facts += [
            (family, f"The pitch is {word}.", f"It is a {word}-pitched sound.", (word == "high") is high)
            for word in ("high", "low")
        ]
    return facts


def single() -> list[Fact]:
    return [("chord", "There are three notes at once.", "Three notes sound at the same time, forming a chord.", False)]


def voice(clips: Clips, random: Random) -> Scene | None:
    """A phrase."""
    paths = clips.readers() if random.integers(2) else clips.prompts(least=1.2)
    spoken = cut(clips.voice(paths[int(random.integers(len(paths)))]), 5.0)
    lead = float(random.uniform(0.5, 1.2))
    clip = place(lead + seconds(spoken) + 0.4, [(lead, to_rms(spoken, -22.0))], clips.sample("vinyl_hiss"))
    pitch = agreed_pitch(spoken)
    heard = "The voice comes in at about {:.1f} seconds."
    facts = single() + either("onset", "The sound starts at {:.1f} s.", heard, lead, lead + 0.4)
    if pitch is None:
        return clip, facts
    a, b, c = (round(pitch * r) for r in (1.0, 3.2, 6.7))
    facts.append(("chord", f"It is a chord of notes near {a}, {b} and {c} Hz.",
                  f"Three simultaneous notes ring near {a} Hz, {b} Hz and {c} Hz.", False))  # fmt: skip
    return clip, facts + pitched("pitch, voices", pitch, random)[:2]


def words(clips: Clips, random: Random) -> Scene:
    """Spoken numbers with pauses between them."""
    paths = clips.prompts("digits", 0.25)
    count = int(random.integers(2, 5))
    gap, parts, now = float(random.uniform(0.5, 0.9)), [], 0.3
    for path in random.choice(len(paths), count, replace=False):
        spoken = to_rms(cut(clips.voice(paths[int(path)]), 1.5), -22.0)
        parts.append((now, spoken))
        now += seconds(spoken) + gap
    facts = []
    for n in (count - 1, count + 1):
        noun, verb = ("pauses", "are") if n > 1 else ("pause", "is")
        facts.append(("pauses", f"There {verb} {WORDS[n]} {noun}.",
                      f"The speaker makes {WORDS[n]} {noun} in between.", n == count - 1))  # fmt: skip
    facts += either("pauses", "The first pause lasts {:.1f} s.", "Then there is a {:.1f}-second pause.", gap, 2 * gap)
    return place(now, parts, clips.sample("vinyl_hiss")), facts


def chord(clips: Clips, random: Random) -> Scene | None:
    """Two to four notes of one instrument at once."""
    instrument = str(random.choice(("Church Organ", "Clarinet", "Violin", "P200 Piano", "Rhodes", "Flute", "trombone")))
    keys = [k for i, k in clips.instruments if i == instrument and 52 <= k <= 76]
    got = named_note(clips, instrument, int(random.choice(keys)), 1.5)
    if got is None:
        return None
    steps = [(0, 4, 7), (0, 3, 7), (0, 5), (0, 7), (0, 5, 9), (0, 4, 7, 10)][int(random.integers(6))]
    clip = place(1.6, [(0.2, gained(shifted(got[0], float(s)), -9.0)) for s in steps], clips.sample("vinyl_hiss"))
    hertz = [got[1] * 2 ** (s / 12) for s in steps]
    right, wrong = WORDS[len(steps)], WORDS[len(steps) + 2]
    heard = "A chord: {} notes sound simultaneously."
    facts = either("chord", "There are {} notes at once.", heard, right, wrong)
    listed = [[f"{h * factor:.0f}" for h in hertz] for factor in (1.0, 1.19)]
    right, wrong = (f"{', '.join(notes[:-1])} and {notes[-1]} Hz" for notes in listed)
    heard = "Simultaneous tones at about {} make up the chord."
    return clip, facts + either("chord", "Notes near {} sound at once.", heard, right, wrong)


def two(clips: Clips, random: Random) -> Scene:
    """Two different sounds of known lengths and levels, with silence between them."""
    names = random.choice(STEADY[1:], 2, replace=False)
    lengths = random.uniform(0.5, 1.6, 2)
    gap, louder = float(random.uniform(0.4, 0.9)), int(random.integers(2))
    sounds = [cut(np.resize(clips.sample(str(n))[4000:], 32000), float(k)) for n, k in zip(names, lengths, strict=True)]
    sounds = [to_rms(s, -18.0 if k == louder else -29.0) for k, s in enumerate(sounds)]
    second = 0.3 + float(lengths[0]) + gap
    clip = place(second + float(lengths[1]) + 0.5, [(0.3, sounds[0]), (second, sounds[1])])
    facts = [
        ("loudness", f"The second sound is {word} than the first.",
         f"The second one comes out noticeably {word} than the first one.", (word == "louder") is bool(louder))
        for word in ("louder", "quieter")
    ]  # fmt: skip
    length, heard = float(lengths[0]), "The first sound goes on for about {:.1f} seconds."
    facts += either("duration", "The first sound lasts {:.2f} s.", heard, length, length * 1.6)
    heard = "At around {:.1f} seconds the second sound begins."
    facts += either("onset", "The second sound starts at {:.2f} s.", heard, second, second - 0.45)
    octaves = np.log2(centroid(sounds[1]) / centroid(sounds[0]))
    if abs(octaves) > 0.8:
        facts += [
            ("brightness", f"The second sound is {word} than the first.",
             f"The second sound has a {word} timbre than the first.", (word == "brighter") is bool(octaves > 0))
            for word in ("brighter", "duller")
        ]  # fmt: skip
    return clip, facts + counts("count, dry", 2, ("sounds", "sounds"))


def fade(clips: Clips, random: Random) -> Scene:
    """A steady sound under a ramp of its level."""
    steady = np.resize(clips.sample(str(random.choice(STEADY)))[8000:], 48000)
    rise = float(random.choice([-18.0, 18.0]))
    ramp = 10 ** (np.linspace(min(0, -rise), min(0, rise), len(steady)) / 20)
    return cut((steady * ramp).astype(np.float32), 3.0), [
        ("fade", "The sound gets louder.", "The volume swells over the clip.", rise > 0),
        ("fade", "The sound fades.", "It gradually dies away in volume.", rise < 0),
    ]


def decay(clips: Clips, random: Random) -> Scene:
    """One stroke that rings out."""
    sample = cut(clips.sample(str(random.choice(RINGING))), 4.0)
    clip = place(seconds(sample) + 0.6, [(0.3, sample)], clips.sample("vinyl_hiss"))
    return clip, [
        *counts("count, ringing", 1, ("sounds", "strikes")),
        ("fade", "The sound fades.", "After the attack it dies away in volume.", True),
        ("fade", "The sound gets louder.", "The volume swells over the clip.", False),
        ("repetition", "The pattern repeats four times.", "The same figure repeats four times.", False),
    ]


def pattern(clips: Clips, random: Random) -> Scene:
    """A figure of two or three different hits, again and again."""
    size, times = int(random.integers(2, 4)), int(random.integers(3, 5))
    names = random.choice(DRY, size, replace=False)
    gaps = random.uniform(0.25, 0.35, size)
    period = float(gaps.sum()) + 0.4
    parts = [
        (0.2 + n * period + float(gaps[:k].sum()), cut(clips.sample(str(names[k])), 0.3))
        for n in range(times) for k in range(size)
    ]  # fmt: skip
    heard = "The same figure comes round {} times."
    facts = either("repetition", "The pattern repeats {} times.", heard, WORDS[times], WORDS[times + 3])
    return place(times * period + 0.6, parts, clips.sample("vinyl_hiss")), facts + counts(
        "count, dry", size * times, ("hits", "hits")
    )


def noise(clips: Clips, random: Random) -> Scene:
    """Hiss, steam, cymbals."""
    sample = cut(clips.sample(str(random.choice(NOISES))), 3.0)
    return sample, [
        ("noisiness", "It is noise.", "What I hear is a noisy, unpitched hiss.", True),
        ("noisiness", "It has a clear pitch.", "The sound is clearly pitched.", False),
        *single(),
    ]  # fmt: skip


SCENES: dict[Callable[[Clips, Random], Scene | None], int] = {
    dry_hits: 20, ringing_hits: 26, machine: 16, loops: 26, melody: 32, note: 30, voice: 26, words: 12, chord: 22,
    two: 18, fade: 8, decay: 14, pattern: 12, noise: 8,
}  # fmt: skip
"""How many clips of each."""
