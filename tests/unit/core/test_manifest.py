"""Manifests that read back what was written, and every mistake with its line, its key and what would be right."""

import io
import json
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earwitness import manifest
from earwitness.errors import InputError
from earwitness.manifest import (
    MAX_LINE_BYTES,
    POLAR_ANSWERS,
    VERIFIERS,
    Example,
    ManifestError,
    read_manifest,
    write_manifest,
)
from earwitness.wire.trajectory.v1 import trajectory_pb2

GOOD: dict[str, Any] = {
    "id": "q1",
    "audio": "clips/a.wav",
    "question": "Which is higher?",
    "choices": ["the first", "the second"],
    "answer": "the first",
    "verifier": "choice",
}


def write(folder: Path, *records: dict[str, Any] | str) -> str:
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return str(path)


def problems(uri: str, **options: bool) -> list[str]:
    """Every problem, without the manifest's path."""
    with pytest.raises(ManifestError) as caught:
        read_manifest(uri, **options)
    return [str(p).removeprefix(f"{uri}:") for p in caught.value.problems]


def test_a_line_becomes_an_example(tmp_path: Path) -> None:
    uri = write(tmp_path, GOOD | {"kind": "pitch", "reasoning": "It climbs.", "extra": {"surrogate": True}})
    [example] = read_manifest(uri)
    assert example.prompt == trajectory_pb2.Prompt(
        id="q1",
        question="Which is higher?",
        choices=["the first", "the second"],
        answer="the first",
        verifier=trajectory_pb2.VERIFIER_CHOICE,
        audio_uri=f"{tmp_path}/clips/a.wav",
        kind="pitch",
    )
    assert example.reasoning == "It climbs."
    assert example.extra == {"surrogate": True}


def test_the_examples_of_the_documentation_are_a_manifest(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "manifest.md").read_text()
    examples = read_manifest(write(tmp_path, page.split("```json\n")[1].split("```")[0]))
    assert [e.prompt.id for e in examples] == ["q1", "q2", "q3"]


def test_optional_keys_may_be_left_out_or_null(tmp_path: Path) -> None:
    uri = write(tmp_path, {"id": "t", "question": "2 + 2?", "answer": "4", "verifier": "number", "audio": None})
    [example] = read_manifest(uri)
    assert example.prompt.audio_uri == ""
    assert example.reasoning is None
    assert example.extra == {}


@pytest.mark.parametrize(
    ("audio", "resolved"),
    [("/data/a.wav", "/data/a.wav"), ("s3://bucket/a.wav", "s3://bucket/a.wav"), ("file:///a.wav", "file:///a.wav")],
)
def test_absolute_clips_stand_for_themselves(tmp_path: Path, audio: str, resolved: str) -> None:
    [example] = read_manifest(write(tmp_path, GOOD | {"audio": audio}))
    assert example.prompt.audio_uri == resolved


def test_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n" + json.dumps(GOOD | {"id": "q2"}).encode()
    )
    assert [e.prompt.id for e in read_manifest(str(path))] == ["q1", "q2"]


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    for text in ("", "\n \n"):
        uri = write(tmp_path, text)
        with pytest.raises(ManifestError, match="the manifest is empty; expected at least one line"):
            read_manifest(uri)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"gone\.jsonl: no such file"):
        read_manifest(str(tmp_path / "gone.jsonl"))


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    uri = write(tmp_path, GOOD, GOOD | {"id": "q2"}, GOOD)
    assert problems(uri) == ["3.id: duplicate id 'q1' (first on line 1); expected an id of its own for each line"]


def test_a_missing_clip_is_named_when_asked(tmp_path: Path) -> None:
    uri = write(tmp_path, GOOD, GOOD | {"id": "q2", "audio": "b.wav"})
    (tmp_path / "b.wav").write_bytes(b"x")
    assert len(read_manifest(uri)) == 2
    [problem] = problems(uri, check_audio=True)
    assert problem.startswith(f"1.audio: no such file: {tmp_path}/clips/a.wav; expected a clip")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"answer": "the third"},
            "1.answer: 'the third' is not among the choices; expected one of ['the first', 'the second']",
        ),
        ({"choices": []}, "1.choices: 0 choices; expected 2 to 26 for the verifier choice"),
        ({"choices": ["a"] * 27}, "1.choices: 27 choices; expected 2 to 26 for the verifier choice"),
        ({"choices": ["the first", "the first"]}, "1.choices: the same choice twice; expected choices that differ"),
        ({"choices": "ab"}, "1.choices: 'ab' is not a list of texts; expected a list of texts, none empty"),
        ({"choices": ["a", 2]}, "1.choices: ['a', 2] is not a list of texts; expected a list of texts, none empty"),
        ({"choices": ["a", " "]}, "1.choices: ['a', ' '] is not a list of texts; expected a list of texts, none empty"),
        ({"verifier": "number"}, "1.choices: choices with the verifier number; expected none, or the verifier choice"),
        (
            {"verifier": "polar", "choices": [], "answer": "maybe"},
            "1.answer: 'maybe' takes no side; expected one of yes, no, true, false, valid, invalid, correct, incorrect",
        ),
        (
            {"verifier": "regex"},
            "1.verifier: unknown verifier 'regex'; expected one of choice, number, text, polar, math, judge",
        ),
        ({"question": 5}, "1.question: 5 is not text; expected text"),
        ({"question": " "}, "1.question: empty; expected text"),
        ({"id": None}, "1.id: None is not text; expected text"),
        ({"id": "\ud800"}, "1.id: half of a surrogate pair; expected text that UTF-8 can hold"),
        ({"extra": {"a": ["\ud800"]}}, "1.extra: half of a surrogate pair; expected text that UTF-8 can hold"),
        ({"extra": {"\ud800": 1}}, "1.extra: half of a surrogate pair; expected text that UTF-8 can hold"),
        ({"extra": []}, "1.extra: [] is not an object; expected a JSON object"),
        ({"reasoning": ["a"]}, "1.reasoning: ['a'] is not text; expected text"),
        ({"audio": "http://host/a.wav"}, "1.audio: this kind of URI is not supported; expected a path, or one of"),
        ({"control_audio": "http://host/a.wav"}, "1.control_audio: this kind of URI is not supported"),
        ({"audio": "a\nb.wav"}, "1.audio: not a path; expected printable characters"),
        ({"anwser": "x"}, "1.anwser: unknown key; expected one of id,"),
        ({"a b\x1b": "x"}, "1['a b\\x1b']: unknown key; expected one of id,"),
    ],
)
def test_every_mistake_says_where_what_and_what_would_be_right(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    [found] = problems(write(tmp_path, GOOD | change))
    assert found.startswith(problem)


@pytest.mark.parametrize("key", ["id", "question", "answer", "verifier"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    record = {k: v for k, v in GOOD.items() if k != key}
    assert problems(write(tmp_path, record)) == [f"1.{key}: missing; expected text"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON list"),
        ("null", "a JSON NoneType"),
        ('{"id": "a", "id": "b"}', "the same key twice"),
        ('{"extra": NaN}', "NaN is not JSON"),
        ('{"extra": -1e999}', "'-1e999' is larger than a number can be"),
        ("[" * 100_000, "not JSON"),
        ('{"extra": ' + "1" * 5000 + "}", "not JSON"),
    ],
)
def test_a_line_that_is_not_an_object_is_refused(tmp_path: Path, line: str, what: str) -> None:
    [found] = problems(write(tmp_path, line))
    assert found.startswith("1: ")
    assert what in found


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b"\n" + '{"id": "ä"}'.encode("latin-1"))
    [found] = problems(str(path))
    assert found.startswith("2: not JSON ('utf-8' codec")


def test_all_mistakes_come_at_once_up_to_a_limit(tmp_path: Path) -> None:
    bad = [GOOD | {"id": f"q{i}", "answer": "x", "verifier": "choice"} for i in range(50)]
    assert len(problems(write(tmp_path, *bad[:7]))) == 7
    assert len(problems(write(tmp_path, *bad))) == manifest.MAX_PROBLEMS == 20


class CountingFile(io.BytesIO):
    """Counts what is read."""

    taken = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        CountingFile.taken += count
        return count


def test_a_line_of_5_megabytes_is_refused_by_number_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = write(tmp_path, GOOD, json.dumps(GOOD | {"id": "q2", "question": "x" * 5_000_000}))
    text = Path(uri).read_bytes()
    CountingFile.taken = 0
    monkeypatch.setattr(
        manifest.storage,
        "open_to_read",
        lambda _: io.BufferedReader(CountingFile(text)),  # type: ignore[type-var]
    )
    [found] = problems(uri)
    assert found == "2: the line is longer than 1048576 bytes; expected one JSON object a line, at most 1 MiB"
    assert CountingFile.taken < MAX_LINE_BYTES * 1.1


def test_the_longest_line_is_accepted(tmp_path: Path) -> None:
    room = MAX_LINE_BYTES - len(json.dumps(GOOD)) - 1
    record = GOOD | {"question": GOOD["question"] + "x" * room}
    assert len(read_manifest(write(tmp_path, record, ""))) == 1
    assert "longer than" in problems(write(tmp_path, record | {"question": record["question"] + "xx"}, ""))[0]


def test_written_clips_are_relative_to_the_manifest(tmp_path: Path) -> None:
    uri = write(tmp_path, GOOD, GOOD | {"id": "q2", "audio": "/elsewhere/a.wav"})
    write_manifest(f"{tmp_path}/copy.jsonl", read_manifest(uri))
    written = [json.loads(line) for line in (tmp_path / "copy.jsonl").read_text().splitlines()]
    assert [w["audio"] for w in written] == ["clips/a.wav", "/elsewhere/a.wav"]


def test_a_failed_write_leaves_the_old_manifest(tmp_path: Path) -> None:
    uri = write(tmp_path, GOOD)
    [example] = read_manifest(uri)

    def stops() -> Any:
        yield example
        raise KeyError("stop")

    with pytest.raises(KeyError):
        write_manifest(uri, stops())
    assert read_manifest(uri) == [example]


def test_other_stores_work() -> None:
    uri = "memory://sets/m.jsonl"
    with fsspec.open(uri, "wb") as file:
        file.write(json.dumps(GOOD).encode())
    [example] = read_manifest(uri)
    assert example.prompt.audio_uri == "memory://sets/clips/a.wav"
    write_manifest("memory://sets/copy.jsonl", [example])
    assert read_manifest("memory://sets/copy.jsonl") == [example]


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5).filter(lambda t: t.isprintable()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    verifier = draw(st.sampled_from(list(VERIFIERS.values())))
    polar_or_choice = verifier in (trajectory_pb2.VERIFIER_POLAR, trajectory_pb2.VERIFIER_CHOICE)
    choices = []
    if verifier == trajectory_pb2.VERIFIER_CHOICE:
        choices = draw(st.lists(words, min_size=2, max_size=26, unique=True))
    prompt = trajectory_pb2.Prompt(
        id=draw(words),
        question=draw(words),
        choices=choices,
        answer=draw(st.sampled_from(choices or POLAR_ANSWERS) if polar_or_choice else words),
        verifier=verifier,
        audio_uri=draw(st.sampled_from(["", "/clips/a.wav", "s3://b/c.ogg"])),
        control_uri=draw(st.sampled_from(["", "/clips/b.wav"])),
        kind=draw(st.just("") | words),
    )
    text = st.none() | words
    return Example(prompt, draw(text), draw(text), draw(st.dictionaries(words, json_values, max_size=3)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(examples(), min_size=1, max_size=5, unique_by=lambda e: e.prompt.id))
def test_what_is_written_reads_back(tmp_path: Path, written: list[Example]) -> None:
    uri = f"{tmp_path}/round.jsonl"
    write_manifest(uri, written)
    assert read_manifest(uri) == written


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from([*GOOD, "kind", "reasoning", "extra", "other"]), json_values))
def test_any_json_is_read_or_refused_with_its_line(tmp_path: Path, change: dict[str, Any]) -> None:
    uri = write(tmp_path, GOOD | change)
    try:
        assert len(read_manifest(uri)) == 1
    except ManifestError as error:
        assert all(p.path.startswith(f"{uri}:1") for p in error.problems)


def test_a_manifest_error_is_an_input_error() -> None:
    assert issubclass(ManifestError, InputError)
