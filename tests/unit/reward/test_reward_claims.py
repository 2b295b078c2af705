"""Which sentences are understood, and which are no claims."""

from __future__ import annotations

import time

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.parse import extract_claims
from reward.parse.extract import claims_in
from reward.statements import Change, Comparison, Count, Not, Quantity, Regular, Relation, Timbre, Value

MORE, LESS, SAME = Relation.MORE, Relation.LESS, Relation.SAME
Q = Quantity

SENTENCES = [
    (
        "I hear a tone that starts near 310 Hz and ends near 520 Hz, so the pitch rises.",
        [Value(Q.PITCH_START, None, 310), Value(Q.PITCH_END, None, 520), Change(Q.PITCH, None, MORE)],
    ),
    ("The pitch climbs from about 220 to 440 Hz.",
     [Change(Q.PITCH, None, MORE), Value(Q.PITCH_START, None, 220), Value(Q.PITCH_END, None, 440)]),
    ("The pitch goes down from 760 Hz to 0.39 kHz.",
     [Change(Q.PITCH, None, LESS), Value(Q.PITCH_START, None, 760), Value(Q.PITCH_END, None, 390)]),
    ("The tone glides upward.", [Change(Q.PITCH, None, MORE)]),
    ("The pitch stays level.", [Change(Q.PITCH, None, SAME)]),
    ("The pitch is constant.", [Change(Q.PITCH, None, SAME)]),
    (
        "The first tone is near 440 Hz and the second is near 620 Hz, so the second is higher.",
        [Value(Q.PITCH, 1, 440), Value(Q.PITCH, 2, 620), Comparison(Q.PITCH, 2, 1, MORE)],
    ),
    ("Tone one sits at 440 Hz, tone two at 620 Hz.", [Value(Q.PITCH, 1, 440), Value(Q.PITCH, 2, 620)]),
    ("The second tone is lower in pitch than the first one.", [Comparison(Q.PITCH, 2, 1, LESS)]),
    ("The second has a lower volume than the first.", [Comparison(Q.LEVEL, 2, 1, LESS)]),
    ("The last beep is the highest.", [Comparison(Q.PITCH, -1, None, MORE)]),
    ("I hear 3 beeps.", [Count(3)]),
    ("There are three short, clear beeps, so the count is 3.", [Count(3), Count(3)]),
    ("It beeps four times.", [Count(4)]),
    ("I hear a single beep.", [Count(1)]),
    (
        "The first burst is about -12 dB and the second about −20 dB, so the first is louder.",
        [Value(Q.LEVEL, 1, -12), Value(Q.LEVEL, 2, -20), Comparison(Q.LEVEL, 1, 2, MORE)],
    ),
    ("The first tone is about 9 dB louder than the second.", [Comparison(Q.LEVEL, 1, 2, MORE, 9)]),
    ("The second burst is quieter by roughly 8 dB.", [Comparison(Q.LEVEL, 2, 1, LESS, 8)]),
    ("The louder one is the first.", [Comparison(Q.LEVEL, 1, 2, MORE)]),
    ("The tone fades out.", [Change(Q.LEVEL, None, LESS)]),
    ("The beeps get louder.", [Change(Q.LEVEL, None, MORE)]),
    (
        "The gaps shrink from about 0.30 s to 0.15 s, so the pulses speed up.",
        [Change(Q.TEMPO, None, MORE), Value(Q.GAP_FIRST, None, 0.30), Value(Q.GAP_LAST, None, 0.15),
         Change(Q.TEMPO, None, MORE)],
    ),
    ("The gaps stay near 0.22 s, so the pulses keep steady.",
     [Value(Q.GAP, None, 0.22), Change(Q.TEMPO, None, SAME)]),
    ("The intervals get longer, so it slows down.", [Change(Q.TEMPO, None, LESS), Change(Q.TEMPO, None, LESS)]),
    ("The pulses come faster and faster.", [Change(Q.TEMPO, None, MORE)]),
    ("The clicks come at 300 BPM.", [Value(Q.TEMPO, None, 300)]),
    ("The clicks come at 5 per second.", [Value(Q.TEMPO, None, 300)]),
    ("The tone has only odd harmonics, like a square wave.", [Timbre("odd", None), Timbre("square", None)]),
    ("The pitch of the sound decreases.", [Change(Q.PITCH, None, LESS)]),
    ("It has all harmonics, bright, like a sawtooth.",
     [Timbre("all", None), Timbre("bright", None), Timbre("sawtooth", None)]),
    ("There is a single partial of 200 Hz, so it is a sine wave.",
     [Timbre("sine", None), Value(Q.PITCH, None, 200), Timbre("sine", None)]),
    ("There is no clear pitch, so it is noise.", [Timbre("unpitched", None), Timbre("noise", None)]),
    (
        "The first tone lasts about 0.30 s and the second about 0.60 s, so the second is longer.",
        [Value(Q.DURATION, 1, 0.3), Value(Q.DURATION, 2, 0.6), Comparison(Q.DURATION, 2, 1, MORE)],
    ),
    ("The first tone is 300 ms long.", [Value(Q.DURATION, 1, 0.3)]),
    ("The clip lasts 2.1 seconds.", [Value(Q.CLIP, None, 2.1)]),
    ("A pause of 250 ms follows the tone.", [Value(Q.PAUSE, None, 0.25)]),
    (
        "The gaps are even, about 0.20 s each, so the rhythm is regular.",
        [Regular(True), Value(Q.GAP, None, 0.2), Regular(True)],
    ),
    (
        "The gaps vary between 0.10 s and 0.40 s, irregular.",
        [Regular(False), Value(Q.GAP_SHORTEST, None, 0.1), Value(Q.GAP_LONGEST, None, 0.4), Regular(False)],
    ),
    ("The spacing is uneven: the first gap is 0.12 s and the last gap is 0.3 s.",
     [Regular(False), Value(Q.GAP_FIRST, None, 0.12), Value(Q.GAP_LAST, None, 0.3)]),
    ("The pitch does not rise.", [Not(Change(Q.PITCH, None, MORE))]),
    ("The sound is not a sine wave but a square wave.", [Not(Timbre("sine", None)), Timbre("square", None)]),
    ("The rhythm isn't regular.", [Not(Regular(True))]),
]  # fmt: skip

NO_CLAIMS = [
    "",
    "Questions like this usually mean the second, so I would guess the second.",
    "The question does not say, but the answer is typically rises, so I guess rises.",
    "Does the pitch rise, fall or stay level?",
    "The pitch rises or falls.",
    "The choices are rises, falls and stays level.",
    'The user wrote "the pitch rises from 200 Hz to 400 Hz".',
    "A. rises\nB. falls\nC. stays level",
    "Pitch, timbre, loudness, harmonics, spectral centroid, rhythm and tempo all matter here.",
    "I notice rich acoustic texture and a warm spectral envelope.",
    "There is faint background noise.",
    "I need to decide whether the second is higher.",
]


@pytest.mark.parametrize(("text", "statements"), SENTENCES, ids=[text[:40] for text, _ in SENTENCES])
def test_sentence_is_understood(text, statements):
    assert [claim.statement for claim in claims_in(text)] == statements


@pytest.mark.parametrize("text", NO_CLAIMS)
def test_sentence_claims_nothing(text):
    assert claims_in(text) == []


def test_a_claim_quotes_its_words():
    text = "Well, the first tone is near 440 Hz and the second is near 620 Hz, so the second is higher."
    assert [c.text for c in claims_in(text)] == [
        "the first tone is near 440 Hz", "and the second is near 620 Hz", "the second is higher",
    ]  # fmt: skip


def test_doubt_is_kept():
    (claim,) = claims_in("The pitch might rise.")
    assert claim.uncertain


def test_what_the_question_takes_for_granted_is_no_claim():
    prompt = trajectory_pb2.Prompt(question="Which of the two tones is higher?", choices=["first", "second"])
    claims = extract_claims("I hear two tones. The second is higher.", prompt)
    assert [claim.statement for claim in claims] == [Comparison(Q.PITCH, 2, 1, MORE)]


def test_a_conclusion_that_is_also_a_choice_is_a_claim():
    prompt = trajectory_pb2.Prompt(question="Does the pitch rise or fall?", choices=["rises", "falls"])
    assert len(extract_claims("So the pitch rises.", prompt)) == 1


HOSTILE = {
    "digits": lambda n: "7" * n,
    "numbers": lambda n: "440 Hz, " * (n // 8),
    "tags": lambda n: "<think>" * (n // 7),
    "negations": lambda n: "not " * (n // 4),
    "ordinals": lambda n: "the first the second " * (n // 21),
    "than": lambda n: "higher than " * (n // 12),
    "quotes": lambda n: '"' * n,
    "letters": lambda n: "a" * n,
    "newlines": lambda n: "\n" * n,
    "to": lambda n: "310 to " * (n // 7),
    "apostrophes": lambda n: "'" * n,
    "quoted letters": lambda n: "'a " * (n // 3),
    "spaces": lambda n: " " * n + "€",
    "inline choices": lambda n: "(A) " * (n // 4),
    "open choices": lambda n: "(A) rises " * (n // 10),
    "lists of numbers": lambda n: "440, " * (n // 5) + "Hz",
    "stretches": lambda n: "from 1 to 2 s " * (n // 14),
    "repeats": lambda n: "repeats 3 times " * (n // 16),
    "spots": lambda n: "louder at the end " * (n // 18),
    "doubts": lambda n: "higher would " * (n // 13),
    "lines": lambda n: "(A. " * (n // 4),
    "sentences": lambda n: "The pitch rises. " * (n // 17),
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_text_costs_linear_time(shape):
    prompt = trajectory_pb2.Prompt(question="Which tone is higher?")
    seconds = []
    for size in (12_500, 100_000):
        text = HOSTILE[shape](size)
        best = min(_timed(text, prompt) for _ in range(2))
        seconds.append(best)
    assert seconds[1] < 8 * 3 * seconds[0] + 0.01
    assert seconds[1] < 1.0


def _timed(text: str, prompt: trajectory_pb2.Prompt) -> float:
    started = time.process_time()
    extract_claims(text, prompt)
    return time.process_time() - started
