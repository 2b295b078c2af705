"""benchmarks/meanings.py: a claim that says another value, part or relation than the label is found."""

from __future__ import annotations

import pytest

from benchmarks.meanings import compared, means_the_same

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
