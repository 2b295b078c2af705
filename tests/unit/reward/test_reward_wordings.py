"""Wordings of one kind that models choose freely: what is read is the same for all of a kind."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.describe import describe
from reward.parse import read_trace

KINDS: dict[str, list[str]] = {
    "a clear pitch": [
        "The sound is clearly pitched.", "It is a pitched sound.", "It has an audible pitch.", "The pitch is distinct.",
        "The hum is definitely pitched.",
    ],
    "1 event": [
        "I hear one strike.", "There is exactly one snap.", "The bell is struck once.", "A single clunk is heard.",
    ],
    "3 events": ["There are three of them.", "I hear three plucks.", "Three strikes are audible."],
    "event 2: onset 2.30 s": [
        "At around 2.3 seconds the second sound begins.", "At 2.3 s, the second beep starts.",
        "Around the 2.3 second mark the second tone comes in.", "The second note lands at 2.3 s.",
        "About 2.3 seconds in, the second sound starts.",
    ],
    "end 2.00 s": ["The sound cuts off at 2 seconds.", "The tone cuts out at about 2 s."],
    "first gap 0.60 s": [
        "The second hit follows 0.6 s later.", "The second hit comes about 0.6 seconds after the first.",
    ],
    "gap 0.30 s": ["The interval between hits is 0.3 s.", "Between them there's a gap of 0.3 seconds."],
    "duration 1.30 s": [
        "The sound spans 1.3 seconds.", "The note is held for 1.3 seconds.", "It is sustained for about 1.3 s.",
        "I hear a 1.3-second burst.",
    ],
    "duration 0.25 s": ["It lasts a quarter of a second.", "The sound lasts about a quarter second."],
    "event 2 5 semitones higher than event 1": ["The second sounds a fourth higher."],
    "event 2 7 semitones lower than event 1": ["The second is a fifth lower than the first."],
    "pitch stays level": [
        "The pitch stays put.", "The pitch never varies.", "The pitch doesn't waver.", "The pitch does not move.",
    ],
    "pitch rises, then falls": ["The melody goes up, then comes back down."],
    "pitch 180 Hz": ["F0 is roughly 180 Hz."],
    "the beginning: low-pitched | the end: high-pitched": ["The pitch starts low and ends high."],
    "the beginning: soft | the end: loud": ["It starts soft and ends loud."],
    "level rises": ["The beeps get progressively louder.", "It gets gradually louder.", "It becomes slightly louder."],
    "level falls": ["The volume tapers off.", "The sound trails off.", "The loudness dwindles."],
    "speeds up": ["The pace picks up.", "The beat gathers speed."],
    "gets brighter": ["The tone brightens over time."],
    "even gaps": ["The intervals are all the same.", "The gaps are all equal."],
    "0 pauses": ["They follow each other without a break.", "There are no gaps.", "The tones are back to back."],
    "before 0.4 s: silence": ["The first 0.4 s are silent."],
    "before 0.5 s: silence": ["Nothing is heard for the first half second."],
    "spectral centroid 2000 Hz": ["The energy is concentrated around 2 kHz."],
    "spectral centroid up to 500 Hz": ["Most of the energy is below 500 Hz."],
    "odd partials only": ["The harmonics are odd only."],
    "free of noise": ["There is hardly any noise."],
    "reverberant": ["There's a long reverb tail."],
    "3 events a pattern | 4 times the pattern": ["The sequence of three notes is heard four times."],
    "several notes at once": ["Several pitches are heard at the same time.", "Simultaneous tones make up the sound."],
    "several notes at once | pitch 220 Hz | pitch 277 Hz | pitch 330 Hz": [
        "Simultaneous tones at about 220, 277 and 330 Hz make up the chord.",
    ],
    "event 1 longer than event 2 | event 1: duration 1.20 s": [
        "The first tone is the longer one, at about 1.2 seconds.",
    ],
    "": [
        "Only one note sounds at a time.", "Silence lasts from 1.0 to 1.5 s.", "Bells make loud sounds.",
        "The tone sounds for a second time.", "The fourth tone is higher than what?",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), [(text, said) for said, texts in KINDS.items() for text in texts])
def test_a_kind_is_read_however_it_is_worded(text, said):
    claims = [describe(claim.statement) for claim in read_trace(text, trajectory_pb2.Prompt()).claims]
    assert " | ".join(dict.fromkeys(claims)) == said


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("At 2 s the pitch starts to rise.", ["pitch rises"]),
        ("In the first 0.5 s, it gets louder.", ["before 0.5 s: level rises"]),
        ("The first 0.7 s, the second 1.4 s.", ["event 1: duration 0.70 s", "event 2: duration 1.40 s"]),
        ("The fourth beep is higher than the third.", ["event 4 higher than event 3"]),
        ("The second tone is pitched higher than the first.", ["event 2 higher than event 1"]),
        ("The gaps are between 0.2 and 0.4 s.", ["shortest gap 0.20 s", "longest gap 0.40 s"]),
        ("It's sustained for a few seconds.", ["long"]),
    ],
)
def test_what_looks_like_it_is_read_as_before(text, claims):
    assert [describe(claim.statement) for claim in read_trace(text, trajectory_pb2.Prompt()).claims] == claims
