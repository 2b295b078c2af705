"""Format, correctness, surrogate phrases, coherence: the parts of a reward that need no clip."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.coherence import is_coherent
from reward.correctness import verify_answer
from reward.format import parse_response
from reward.numbers import single_number, words_value
from reward.surrogate import surrogate_phrase

TRACE = "The first tone is near 440 Hz.\n"


def choice(answer: str, *choices: str) -> trajectory_pb2.Prompt:
    return trajectory_pb2.Prompt(
        id="c", choices=choices, answer=answer, verifier=trajectory_pb2.VERIFIER_CHOICE, question="Which?"
    )


@pytest.mark.parametrize(
    ("text", "well_formed"),
    [
        (TRACE + "</think>\nsecond", True),
        (TRACE + "</think>\nsecond<|EOT|>", True),
        (TRACE + "</think>\n  \n", False),
        (TRACE + "second", False),
        ("</think>\nsecond", False),
        ("   \n\n</think>\nsecond", False),
        ("\u200b" * 40 + "</think>\nsecond", False),
        ("short</think>\nsecond", False),
        (TRACE + "</think>\nsecond</think>\nsecond", False),
        ("<think>" + TRACE + "</think>\nsecond", False),
        (TRACE + "</think>\n<think>more</think>second", False),
        (TRACE + "＜/think＞\nsecond", False),
        (TRACE + "</THINK>\nsecond", False),
    ],
)
def test_well_formed(text, well_formed):
    assert parse_response(text, 16).well_formed is well_formed


@pytest.mark.parametrize(
    "given",
    ["second", "Second.", "B", "b)", "(B)", "B.", "B. second", "(B) second", "**second**", "The answer is B.",
     "The answer is second.", "Answer: second", "final answer: B", "<answer>second</answer>", "\\boxed{B}",
     "ｓｅｃｏｎｄ",
     "It is the second.", "the second tone", "So, the answer is (B) second", "I choose B"],
)  # fmt: skip
def test_right_choice(given):
    assert verify_answer(choice("second", "first", "second"), given).correct


@pytest.mark.parametrize(
    "given",
    ["first", "A", "C", "Z", "B. first", "A. second", "first or second", "first second", "not second", "", "?",
     "2nd B A",
     "second, not first", "sеcond", "the answer", "B or A", "secondary", "A B", "A, B", "B, but it could be A"],
)  # fmt: skip
def test_wrong_choice(given):
    assert not verify_answer(choice("second", "first", "second"), given).correct


@pytest.mark.parametrize(
    ("given", "right"),
    [("×3", False), ("3 × 3", False), ("3", True), ("B, but not A", True), ("B, but the first beep is loud", True)],
)
def test_what_stands_beside_a_choice_counts(given, right):
    assert verify_answer(choice("3", "1", "3", "13"), given).correct is right


def test_overlapping_and_equal_choices():
    overlapping = choice("a dog barking", "a dog", "a dog barking", "barking")
    assert verify_answer(overlapping, "It is a dog barking loudly").correct
    assert not verify_answer(overlapping, "a dog").correct
    equal = choice("x", "x", "x", "y")
    assert verify_answer(equal, "A").correct
    assert verify_answer(equal, "B").correct
    assert not verify_answer(equal, "C").correct


def test_letters_as_choices_text_goes_first():
    assert verify_answer(choice("B", "B", "A"), "B").correct


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ("5", "5", True), ("5", "five", True), ("5", "The answer is 5 beeps.", True), ("0.5", "1/2", True),
        ("1000", "1,000", True), ("0.3333", "33.33%", True), ("21", "twenty-one", True), ("72", "72, not 73", True),
        ("5", "x = 5", True), ("-3", "−3", True), ("5", "4 or 5", False), ("5", "55", False), ("5", "", False),
        ("5", "15", False), ("0.5", "1/0", False), ("205", "two hundred and five", True), ("5", "5+5", False),
        ("5", "5 5", False), ("5", "5 × 5", False), ("5", "5, so 5", True),
    ],
)  # fmt: skip
def test_number(expected, given, right):
    prompt = trajectory_pb2.Prompt(id="n", answer=expected, verifier=trajectory_pb2.VERIFIER_NUMBER)
    assert verify_answer(prompt, given).correct is right


def test_number_words():
    assert [words_value(w) for w in ("seven", "forty-two", "one hundred", "twenty eleven", "three thousand")] == [
        7, 42, 100, None, 3000,
    ]  # fmt: skip
    assert single_number("12 apples and 12 pears") == 12


def test_text():
    prompt = trajectory_pb2.Prompt(id="t", answer="A Violin", verifier=trajectory_pb2.VERIFIER_TEXT)
    assert verify_answer(prompt, "the violin.").correct
    assert not verify_answer(prompt, "viola").correct


def test_a_prompt_without_verifier_is_refused():
    with pytest.raises(ValueError, match="no verifier"):
        verify_answer(trajectory_pb2.Prompt(id="x"), "a")


@pytest.mark.parametrize(
    "text",
    [
        "Questions like this usually mean the second, so I would guess the second.",
        "The question does not say, but the answer is typically rises, so I guess rises.",
        "By the wording, it must be the first.",
        "In such questions the last choice is right.",
        "The user gave a transcript of the clip.",
        "I cannot hear the clip.",
        "I can't actually hear any audio.",
        "As a text model I have no access to the audio.",
        "Without listening to it, I say first.",
        "The most likely answer is B.",
        "Usually the correct option is the longest.",
        "I’d guess the first.",
    ],
)
def test_surrogate(text):
    assert surrogate_phrase(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The first tone is near 440 Hz and the second is near 620 Hz, so the second is higher.",
        "I hear 3 short beeps, so the count is 3.",
        "Drums usually decay fast, and this sound does so within 0.1 s.",
        "There is no clear pitch, so it is noise.",
    ],
)
def test_not_surrogate(text):
    assert surrogate_phrase(text) == ""


@pytest.mark.parametrize(
    ("prompt", "trace", "answer", "coherent"),
    [
        (choice("second", "first", "second"), "The first is at 440 Hz, so the second is higher.", "second", True),
        (choice("second", "first", "second"), "The first is at 440 Hz, so the second is higher.", "B", True),
        (choice("second", "first", "second"), "The first is at 440 Hz, so the second is higher.", "first", False),
        (choice("second", "first", "second"), "Hard to say.", "second", False),
        (
            choice("rises", "rises", "falls", "stays level"),
            "It goes from 200 to 400 Hz, so it is rising.",
            "rises",
            True,
        ),
        (choice("stays level", "rises", "falls", "stays level"), "so the pitch stays level.", "stays level", True),
        (choice("3", "1", "2", "3"), "I hear three beeps.", "3", True),
        (choice("3", "1", "2", "3"), "I hear 2 short beeps, so the count is 2.", "3", False),
        (choice("irregular", "regular", "irregular"), "so the rhythm is irregular.", "irregular", True),
        (choice("irregular", "regular", "irregular"), "so the rhythm is irregular.", "regular", False),
        (choice("speed up", "speed up", "slow down", "keep steady"), "so the pulses speed up.", "speed up", True),
        (choice("square", "sine", "square"), "only odd harmonics, so it is a square wave.", "square", True),
    ],
)
def test_coherence(prompt, trace, answer, coherent):
    assert is_coherent(prompt, trace, answer) is coherent


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ("440 Hz", "440 kHz", False),
        ("440 Hz", "It is 440 Hz, an A4.", True),
        ("440 Hz", "C#5 (554.37 Hz)", False),
        ("440 Hz", "440 Hz (A4) or 880 Hz (A5)", False),
        ("4", "A4, at 440 Hz", False),
        ("440 Hz", "440-kHz", False),
        ("440 Hz", "It is at 440 ms.", False),
        ("5 s", "5 ms", False),
        ("five seconds", "5 min", False),
        ("5 seconds", "five minutes", False),
        ("120 BPM", "120 Hz", False),
        ("50 Hz", "50 %", False),
        ("440 Hz", "440", True),
        ("440 Hz", "a 440-hertz tone", True),
        ("120 BPM", "120 beats per minute", True),
        ("-5 dBFS", "-5 dB", True),
        ("5 s", "five secs", True),
    ],
)
def test_a_number_in_another_unit_is_another_answer(expected: str, given: str, right: bool) -> None:
    number = trajectory_pb2.Prompt(id="n", answer=expected, verifier=trajectory_pb2.VERIFIER_NUMBER, question="?")
    assert verify_answer(number, given).correct == right
    assert verify_answer(choice(expected, expected, "7 Hz"), given).correct == right


def test_a_unit_that_nobody_stated_is_no_other_one() -> None:
    number = trajectory_pb2.Prompt(id="n", answer="5", verifier=trajectory_pb2.VERIFIER_NUMBER, question="How long?")
    assert verify_answer(number, "5 s").correct and verify_answer(number, "5").correct
