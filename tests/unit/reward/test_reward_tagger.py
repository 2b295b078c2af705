"""What sounds, by an ONNX file that a person names: networks of ours, built here, which hear a tone for each label."""

from __future__ import annotations

import json

import numpy as np
import pytest

from earwitness.audio import SAMPLE_RATE
from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.describe import describe
from reward.families import QUALITIES
from reward.grounding import check_claims
from reward.measure import measure
from reward.parse import read_trace
from reward.recognise import heard
from reward.recognise.heard import Listening
from reward.recognise.labels import beside, columns
from reward.recognise.named import NOTHING_NAMED, Named
from reward.recognise.sources import SOURCES
from tests.unit.reward.onnx_toy import network, tuned

RATE = 32_000
LABELS = ["Dog", "Meow", "Something else", "Siren"]
HERTZ = (300.0, 900.0, 2_500.0, 1_500.0)


@pytest.fixture(autouse=True)
def listening():
    yield heard.listen_with
    heard.listen_with(NOTHING_NAMED)


@pytest.fixture
def model(tmp_path):
    """A network that hears a tone of its own for each of `LABELS`."""
    pytest.importorskip("onnxruntime")
    path = network(tmp_path / "toy.onnx", tuned(*HERTZ, rate=RATE))
    path.with_suffix(".json").write_text(json.dumps({"sample_rate": RATE, "labels": LABELS}))
    return path


def tones(*pieces: tuple[float, float], faint: float = 0.0) -> np.ndarray:
    """Hz and seconds of each, 0 Hz for silence; with a `faint` tone of the siren below it all."""
    hertz = np.concatenate([np.full(round(s * SAMPLE_RATE), f) for f, s in pieces])
    clip = 0.5 * np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE) * (hertz > 0)
    times = np.arange(len(clip)) / SAMPLE_RATE
    return (clip + faint * np.sin(2 * np.pi * HERTZ[3] * times)).astype(np.float32)


def verdicts(text: str, samples: np.ndarray) -> list[int]:
    measured = measure(samples)
    object.__setattr__(measured, "heard", Listening(lambda: samples))
    return [claim.verdict for claim in check_claims(text, trajectory_pb2.Prompt(), measured).claims]


def tagger(model):
    pytest.importorskip("onnxruntime")
    from reward.recognise.tagger import Tagger

    return Tagger(model)


def test_every_source_has_words_and_a_check():
    assert set(SOURCES) <= set(QUALITIES)
    assert all(QUALITIES[key].of_part is not None and source.names for key, source in SOURCES.items())


def test_labels_are_found_by_the_names_of_audioset_and_by_their_own():
    found = columns(["Bark", "unknown", "DOG", "violin, fiddle", "kettle"])
    assert found == {"dog": [2, 0], "violin": [3]}


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("A dog barks.", ["a dog"]),
        ("A dog is barking after 2 s.", ["after 2 s: a dog"]),
        ("The second sound is a trumpet.", ["event 2: a trumpet"]),
        ("A police siren, then a church bell.", ["a siren", "a bell"]),
        ("It's not a dog but a cat.", ["not: a dog", "a cat"]),
        ("It is a dog or a cat.", []),
        ("A bell-like tone at 440 Hz.", ["pitch 440 Hz"]),
        ("Maybe a dog barks.", ["a dog (perhaps)"]),
        ("Dogs make short, loud sounds.", []),
        ("Is it a dog?", []),
        ("A train of short pulses.", []),
        ("I hear three quacks.", ["3 events", "a duck"]),
    ],
)
def test_reading(text, claims, listening):
    read = read_trace(text, trajectory_pb2.Prompt())
    assert not [c for c in read.claims if c.kind == "source"]  # nothing listens for it: it is said not to be read
    listening(Named(tagger="toy.onnx"))
    read = read_trace(text, trajectory_pb2.Prompt())
    said = [describe(claim.statement) + (" (perhaps)" if claim.uncertain else "") for claim in read.claims]
    assert said == claims
    assert not [unread for unread in read.unread if "sounds like" in unread.why]


def test_what_the_question_says_is_no_claim(listening):
    listening(Named(tagger="toy.onnx"))
    prompt = trajectory_pb2.Prompt(question="A dog barks. How often?")
    assert read_trace("A dog barks.", prompt).claims == []


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("A dog barks.", "SUPPORTED"),
        ("A cat meows.", "SUPPORTED"),
        ("There is no dog.", "CONTRADICTED"),
        ("A siren is heard.", "CONTRADICTED"),
        ("There is no siren.", "SUPPORTED"),
        ("From 0.5 to 2.5 s a dog barks.", "SUPPORTED"),
        ("From 3.5 to 5 s a dog barks.", "CONTRADICTED"),
        ("From 2.6 to 5 s a dog barks.", "NOT_CHECKABLE"),  # one window reaches from before 3 s into it
        ("The first sound is a dog.", "SUPPORTED"),
        ("The second sound is a dog.", "CONTRADICTED"),
        ("A trumpet plays.", "NOT_CHECKABLE"),  # it has no label for that
    ],
)
def test_a_source_is_told_where_it_sounds(model, listening, text, verdict):
    listening(Named(tagger=str(model)))
    clip = tones((HERTZ[0], 2.5), (0.0, 0.7), (HERTZ[1], 2.0))
    assert verdicts(text, clip) == [trajectory_pb2.Verdict.Value(f"VERDICT_{verdict}")]


@pytest.mark.parametrize(("faint", "holds"), [(0.30, 1), (0.14, 0), (0.05, -1)])
def test_between_the_thresholds_it_is_not_checkable(model, listening, faint, holds):
    """Its score is sigmoid(40 · (2/pi · amplitude - 0.1)): 0.97, 0.39 and 0.06."""
    listening(Named(tagger=str(model)))
    track = tagger(model).recognise(tones((0.0, 3.0), faint=faint))["siren"]
    middle = track.scores[1:-1]
    assert middle == pytest.approx(1 / (1 + np.exp(-40 * (2 / np.pi * faint - 0.1))), abs=0.03)
    told = {True: 1, False: -1}
    there, perhaps = bool(track.there().any()), bool(track.perhaps().any())
    assert told.get(True if there else None if perhaps else False, 0) == (holds if faint > 0.1 else 0)


@pytest.mark.parametrize("shape", [["samples"], [1, "samples"], ["batch", 3 * RATE], [2 * RATE]])
def test_what_shapes_it_takes(model, shape):
    network(model, tuned(*HERTZ, rate=RATE), shape=shape)
    tracks = tagger(model).recognise(tones((0.0, 4.0), (HERTZ[1], 4.0), (0.0, 1.0)))
    assert set(tracks) == {"dog", "cat", "siren", "alarm"}
    assert {len(track.scores) for track in tracks.values()} == {18}
    there = np.flatnonzero(tracks["cat"].there()) * 0.5
    assert 2.5 <= there.min() <= 4.0 and 7.5 <= there.max() <= 9.0
    assert not tracks["dog"].perhaps().any()


def test_the_rate_may_stand_in_the_network(model):
    model.with_suffix(".json").unlink()
    model.with_suffix(".csv").write_text(
        "index,mid,display_name\n" + "".join(f'{n},/m/{n},"{label}"\n' for n, label in enumerate(LABELS))
    )
    network(model, tuned(*HERTZ, rate=RATE), metadata={"sample_rate": str(RATE)})
    assert tagger(model).recognise(tones((HERTZ[3], 1.0)))["siren"].there().any()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"shape": [1, 64, "frames"]}, "inputs are"),
        ({"shape": [4, "samples"]}, "4 clips at a time"),
        ({"shape": ["batch", 2_000]}, "2000 samples"),
        ({"sigmoid": False}, "a sigmoid"),
        ({"labels": LABELS[:3]}, "4 scores"),
        ({"labels": ["x", "y", "z", "w"]}, "AudioSet"),
        ({"sample_rate": 500}, "sample_rate"),
        ({"sample_rate": None}, "no sample_rate"),
        ({"sample_rate": None, "metadata": {"sample_rate": "fast"}}, "'fast'"),
        ({"beside": "no json"}, "JSON"),
        ({"beside": None}, "no labels beside"),
        ({"bytes": b"no network"}, "cannot be loaded"),
    ],
)
def test_what_does_not_fit_is_named(model, change, names):
    own = {key: change[key] for key in ("shape", "sigmoid", "metadata") if key in change}
    network(model, tuned(*HERTZ, rate=RATE), **own)
    said = {"sample_rate": change.get("sample_rate", RATE), "labels": change.get("labels", LABELS)}
    model.with_suffix(".json").write_text(change.get("beside", json.dumps(said)) or "")
    if "beside" in change and change["beside"] is None:
        model.with_suffix(".json").unlink()
    if "bytes" in change:
        model.write_bytes(change["bytes"])
    with pytest.raises(InputError) as refused:
        tagger(model)
    assert str(model.with_suffix("")) in refused.value.field
    assert names in str(refused.value)


def test_a_table_without_the_column_is_refused(tmp_path):
    (tmp_path / "toy.csv").write_text("index,name\n0,Dog\n")
    with pytest.raises(InputError, match="display_name"):
        beside(tmp_path / "toy.onnx")


def test_what_cannot_be_loaded_is_said_with_each_claim_and_loaded_once(tmp_path, listening):
    pytest.importorskip("onnxruntime")
    (tmp_path / "toy.onnx").write_bytes(b"no network")
    listening(Named(tagger=str(tmp_path / "toy.onnx")))
    measured = measure(tones((HERTZ[0], 1.0)))
    object.__setattr__(measured, "heard", Listening(lambda: tones((HERTZ[0], 1.0))))
    for _ in range(2):
        (claim,) = check_claims("A dog barks.", trajectory_pb2.Prompt(), measured).claims
        assert claim.verdict == trajectory_pb2.VERDICT_NOT_CHECKABLE and "toy.onnx" in claim.measured


def test_files_that_are_not_there_are_refused_at_the_edge(tmp_path):
    with pytest.raises(InputError, match="EW_TAGGER"):
        Named.from_env({"EW_TAGGER": str(tmp_path / "none.onnx")})
    with pytest.raises(InputError, match="EW_TRANSCRIBER"):
        Named.from_env({"EW_TRANSCRIBER": str(tmp_path / "none")})
    assert Named.from_env({}) == NOTHING_NAMED
