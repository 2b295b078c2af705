"""What is said, by a speech recogniser from a folder that a person names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earwitness.audio import SAMPLE_RATE
from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.describe import describe
from reward.families import FAMILIES
from reward.grounding import check_claims
from reward.measure import measure
from reward.parse import read_trace
from reward.recognise import heard
from reward.recognise.heard import Listening
from reward.recognise.named import NOTHING_NAMED, Named
from reward.recognise.track import Heard
from reward.statements import Not, Spoken
from reward.verify import check
from tests.unit.reward.whisper_toy import SENTENCES, overfitted

SILENCE = np.zeros(SAMPLE_RATE, dtype=np.float32)


@pytest.fixture(autouse=True)
def listening():
    yield heard.listen_with
    heard.listen_with(NOTHING_NAMED)


class Given(Heard):
    def __init__(self, *pieces: str) -> None:
        self._pieces = pieces

    def said(self):
        return self._pieces


def holds(statement, *pieces: str) -> bool | None:
    return check(statement, replace(measure(SILENCE), heard=Given(*pieces))).holds


@pytest.mark.parametrize(
    ("said", "pieces", "told"),
    [
        ("hello", ["Well, HELLO there!"], True),
        ("Hello, there", ["well hello there"], True),
        ("don't stop", ["Don’t stop."], True),
        ("colour", ["the color red"], True),  # 0.91 alike
        ("everyone", ["hi every one"], True),
        ("stop", ["the shop is closed"], None),  # 0.75
        ("hell", ["hello"], None),
        ("banana", ["the shop is closed"], False),
        ("closed the", ["the shop is closed", "closed. The end"], True),  # in the second piece
        ("three", ["room 3"], None),
        ("你好", ["你好吗?"], True),
        ("再见", ["你好吗?"], False),
        ("STRASSE", ["die Straße"], True),
        ("ＡＢＣ", ["abc"], True),
        ("hello", [""], None),
        ("hello", [], None),
    ],
)
def test_verdicts_go_by_the_words_in_any_language(said, pieces, told):
    assert holds(Spoken(said), *pieces) is told
    assert holds(Not(Spoken(said)), *pieces) is (None if told is None else not told)


def test_a_part_of_the_clip_is_known_to_lack_the_words_that_the_clip_lacks():
    assert holds(Spoken("hello", part=2), "hello there") is None
    assert holds(Spoken("banana", part=2), "hello there") is False


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ('The speaker says "hello there".', ['the words "hello there"']),
        ("A man says 'stop' at 2 s.", ['the words "stop"']),
        ('I hear the word "stop".', ['the words "stop"']),
        ("She says hello.", ['the words "hello"']),
        ("The voice says: “你好吗？”", ['the words "你好吗"']),
        ("The phrase 'it's me' is spoken.", ['the words "it\'s me"']),
        ("The word 'bright' is not heard.", ['not: the words "bright"']),
        ('Nobody says "hello".', ['not: the words "hello"']),
        ('Maybe she says "no".', ['the words "no" (perhaps)']),
        ('The user says "which one is brighter".', []),
        ('The question says "the word stop".', []),
        ('"Dense" means the word "busy" is heard.', []),
        ("I say 'two'.", []),
        ("He says something unclear.", []),
        ('Does she say "hello"?', []),
    ],
)
def test_reading(text, claims, listening):
    def said() -> list[str]:
        read = read_trace(text, trajectory_pb2.Prompt()).claims
        return [
            describe(claim.statement) + (" (perhaps)" if claim.uncertain else "")
            for claim in read
            if claim.kind == "words"
        ]

    assert said() == []  # nothing listens for it
    listening(Named(transcriber="folder"))
    assert said() == claims


def test_a_family_for_words():
    assert "words" in {family.name for family in FAMILIES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return overfitted(tmp_path_factory.mktemp("whisper"))


def test_a_whisper_of_ours_is_asked_once_for_a_clip(folder, listening, monkeypatch):
    listening(Named(transcriber=str(folder)))
    (one, clip), (other, _) = SENTENCES.items()
    asked = []
    listened = Listening(lambda: asked.append(1) or clip())
    measured = replace(measure(clip()), heard=listened)
    verdict = {
        text: check_claims(f'The speaker says "{text}".', trajectory_pb2.Prompt(), measured).claims[0].verdict
        for text in (one, one.split()[0], other)
    }
    assert list(verdict.values()) == [
        trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_CONTRADICTED,
    ]  # fmt: skip
    assert asked == [1]


def test_a_long_clip_is_heard_in_pieces_that_overlap(folder):
    from reward.recognise.transcriber import SpeechRecogniser

    recogniser = SpeechRecogniser(folder)
    (one, first), (other, second) = SENTENCES.items()
    silence = np.zeros(22 * SAMPLE_RATE, dtype=np.float32)
    pieces = recogniser.transcribe(np.concatenate([first(), silence[: 22 * SAMPLE_RATE - len(first())], second()]))
    assert len(pieces) == 1
    pieces = recogniser.transcribe(np.concatenate([first(), silence[: 22 * SAMPLE_RATE - len(first())], second(),
                                                   silence]))  # fmt: skip
    assert [piece.strip() for piece in pieces[:2]] == [one, other]


@pytest.mark.parametrize("what", ["empty", "another model"])
def test_what_is_no_speech_recogniser_is_refused(tmp_path, what):
    pytest.importorskip("transformers")
    from reward.recognise.transcriber import SpeechRecogniser

    if what == "another model":
        (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError) as refused:
        SpeechRecogniser(tmp_path)
    assert str(tmp_path) in refused.value.field and "speech recogniser" in refused.value.expected
