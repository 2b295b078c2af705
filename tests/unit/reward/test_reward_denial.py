"""Self-cognition: a model that hears must not say that it cannot; a missing tone may be missed."""

from pathlib import Path

import pytest

from reward.score import score_group
from reward.surrogate import denial_phrase, surrogate_phrase


@pytest.mark.parametrize(
    "text",
    [
        "I cannot hear sounds.",
        "I am a text model.",
        "I can't actually hear any audio.",
        "Although we cannot directly 'hear' the sound, we may reason about it.",
        "As a large language model I work with words.",
        "I'm unable to listen to the recording.",
        "Since I can't hear it, I choose B.",
        "I can only read text.",
        "No audio was provided.",
        "I don't have ears.",
        "I do not have access to the actual audio file.",
        "I am not able to process audio.",
        "I'm a text-based assistant, so the first.",
        "I'm not capable of hearing.",
        "I could not listen to this clip",
        "Without hearing it I would say the second.",
        "Let us imagine the sound.",
    ],
)
def test_denials(text):
    assert denial_phrase(text)
    assert denial_phrase(text) in text.replace("’", "'")
    assert surrogate_phrase(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot hear a second tone.",
        "I cannot hear any sound after 1.2 s.",
        "There is no sound between the beeps.",
        "One cannot hear the pitch change.",
        "I hear three beeps.",
        "The fade is so slow that it cannot be heard at first.",
        "I can not hear any difference between the two tones.",
        "The noise has no clear pitch that I could hear as a tone.",
        "The recording has access noise.",
        "It plays without a pause.",
        "No recording noise is audible.",
    ],
)
def test_statements_about_the_clip_are_no_denials(text):
    assert denial_phrase(text) == ""


def test_a_denial_in_the_answer_counts(make_group):
    group = make_group(
        "The first tone is near 440 Hz.</think>I am sorry, I cannot hear audio.",
        "The first tone is near 440 Hz.</think>second",
    )
    score_group(group)
    denied, honest = (trajectory.reward for trajectory in group.trajectories)
    assert (denied.denial, denied.denial_phrase) == (True, "I cannot hear audio")
    assert (honest.denial, honest.denial_phrase) == (False, "")


def _labelled(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()]


LABELLED = [*_labelled("hearing.tsv"), *([of, what, text] for of, what, _, text in _labelled("hearing_kinds.tsv"))]
"""(set, denial, surrogate or neither, sentence): the rules were mended on the sets mended and developed only. Developed
and held are halves of one set, each kind of wording (third column of its file) split in two; developed has the kind
"near" beside these, sentences written against the rules, and "other" and "later", on which the rules were measured
first; the set later is the half of those that was kept apart, two of its look-alikes excepted."""


@pytest.mark.parametrize(
    ("seen", "kind", "precision", "recall"),
    [
        ("mended", "denial", 0.99, 0.98),
        ("mended", "surrogate", 0.99, 0.98),
        ("developed", "surrogate", 0.98, 0.9),
        ("held", "surrogate", 0.98, 0.72),
        ("unseen", "denial", 1.0, 0.66),
        ("developed", "denial", 0.98, 0.86),
        ("held", "denial", 0.98, 0.78),
        ("unseen", "surrogate", 0.99, 0.62),
        ("later", "denial", 1.0, 0.5),
        ("later", "surrogate", 1.0, 0.51),
    ],
)
def test_labelled_sentences_are_told_apart(seen, kind, precision, recall):
    """Every denial is also a surrogate: who denies hearing guesses."""
    find, right = (denial_phrase, {"denial"}) if kind == "denial" else (surrogate_phrase, {"denial", "surrogate"})
    told = [(bool(find(sentence)), label in right) for of, label, sentence in LABELLED if of == seen]
    hits = sum(found and true for found, true in told)
    assert hits >= precision * sum(found for found, _ in told)
    assert hits >= recall * sum(true for _, true in told)
