"""benchmarks/meanings.py: a claim that says another value, part or relation than the label is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.meanings import compared, means_the_same, wordings

QUESTION = "Two recordings are played one after the other. Which of the two clips is brighter?"


@pytest.mark.parametrize(
    ("sentence", "family", "right", "wrong"),
    [
        ("The second clip is higher than the first.", "pitch", "pitch: second>first", "pitch: first>second"),
        ("The first clip is louder.", "loudness", "loudness: second<first", "loudness: second=first"),
        ("I hear four knocks in the first clip.", "count", "count(first)=4", "count(first)=5"),
        ("The tempo is near 120 BPM.", "tempo", "value tempo=120 BPM", "value tempo=60 BPM"),
        ("The clip lasts 1.2 s.", "duration", "value clip duration=1.2 s", "value duration=2.1 s"),
        ("The second clip is muffled.", "brightness", "is(second) muffled", "is(first) muffled"),
        ("There is no echo.", "reverberation", "not is reverberant", "is reverberant"),
    ],
)
def test_meanings(sentence, family, right, wrong):
    for meaning, same in ((right, True), (wrong, False)):
        label = {"class": "claim", "family": family, "quote": sentence, "start": 0, "meaning": meaning}
        trace = {"question": QUESTION, "answer": "", "reasoning": sentence, "labels": [label]}
        ((_, claimed, labelled),) = compared(trace)
        assert means_the_same(claimed, labelled) is same


@pytest.mark.parametrize("meaning", ["brief pause", "pitch: second", "value tempo=fast"])
def test_what_is_of_no_form_is_left_out(meaning):
    sentence = "The tempo is near 120 BPM."
    label = {"class": "claim", "family": "tempo", "quote": sentence, "start": 0, "meaning": meaning}
    assert compared({"question": "", "answer": "", "reasoning": sentence, "labels": [label]}) == []


@pytest.mark.parametrize(("of", "right", "wrong"), [("mended", 0.94, 0.03), ("unseen", 0.85, 0.09)])
def test_sentences_are_read_as_they_are_meant(of, right, wrong):
    """Sentences of our own as models write them, with what they say put down by hand."""
    read = [wording for wording in wordings(Path(__file__).parent / "wordings.tsv") if wording.of == of]
    tally = Counter(wording.verdict for wording in read)
    assert len(read) > 50
    assert tally["right"] >= right * len(read), tally
    assert tally["wrong"] <= wrong * len(read), [w for w in read if w.verdict == "wrong"]
