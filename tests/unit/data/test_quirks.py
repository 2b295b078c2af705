"""What data sets that others made are like: every row right, or left out with a reason; never another question."""

import base64
import io
import json
import os
import sys
import tarfile
import unicodedata
from pathlib import Path

import pytest

from earwitness.audio import read_audio
from earwitness.data.importing import import_data
from earwitness.data.question import SourceError
from earwitness.hearing import clip_uris
from earwitness.manifest import read_manifest

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import imported, lines, plan, tone, write

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

FIRST = {"id": "first", "question": "What is 2 and 3?", "answer": "5"}
TWO = ["a dog", "a cat"]


def second_of(folder: Path, row: dict[str, object], *clips: str) -> object:
    """What becomes of `row` behind one that is right: its example, or the reason why it was left out."""
    for number, clip in enumerate(clips or ["a.wav", "b.wav"]):
        write(folder / "in" / clip, tone(300 + 100 * number))
    done, examples = imported("generic", lines(folder / "in/t.jsonl", FIRST, {"id": "x", **row}), folder / "out")
    return examples[1] if len(examples) > 1 else next(iter(done.left_out))


ASKED = {"question": "Which?"}


@pytest.mark.parametrize(
    ("choices", "answer", "right"),
    [
        (["a. a dog", "b. a cat"], "b", "a cat"),
        (["(a) a dog", "(b) a cat"], "(b) a cat", "a cat"),
        (["1. a dog", "2. a cat"], "2", "a cat"),
        (["1) a dog", "2) a cat"], "1) a dog", "a dog"),
        (["A、狗", "B、猫"], "B", "猫"),
        (["A: a dog", "B: a cat"], "b.", "a cat"),
        (["1.5", "2.5"], "2.5", "2.5"),
        ([3.0, 4.0], 4.0, "4"),
        ([1234567.0, 7654321.0], 1234567.0, "1234567"),
        ({"label": ["A", "B"], "text": TWO}, "B", "a cat"),
        ({"label": ["1", "2"], "text": TWO}, "2", "a cat"),
        ([{"label": "A", "text": "a dog"}, {"label": "B", "text": "a cat"}], "A", "a dog"),
        ("A. a dog\nB. a cat", "B", "a cat"),
        (["a dog", None, "a cat"], "C", "a cat"),
        (["a dog", "", "a cat"], "(b)", None),
        (TWO, ["a cat"], "a cat"),
        (TWO, 1, None),
        (TWO, "", None),
        (["Cm", "CM", "G"], "cm", None),
    ],
)
def test_choices_and_answers(tmp_path: Path, choices: object, answer: object, right: str | None) -> None:
    found = second_of(tmp_path, {**ASKED, "choices": choices, "answer": answer})
    assert (found.prompt.answer if right else isinstance(found, str)) == (right or True)
    if right:
        assert right in found.prompt.choices and "" not in found.prompt.choices


@pytest.mark.parametrize(
    ("row", "clips"),
    [
        ({"audio": ["a.wav"]}, ["a"]),
        ({"audio": ["a.wav", "b.wav"]}, ["a", "b"]),
        ({"question": "<audio>Which?", "audio": "a.wav"}, ["a"]),
        ({"query": "Of <audio> and <audio>?", "question": None, "audios": ["b.wav", "a.wav"]}, ["b", "a"]),
        ({"audio": {"path": "a.wav", "bytes": None}}, ["a"]),
        ({"audio": "file://./a.wav"}, ["a"]),
        ({"audio": "A.WAV"}, ["a"]),
        ({"audio": float("nan"), "audio_path": "b.wav"}, ["b"]),
        ({"context": "It rains in Spain.\nMainly.", "audio_path": "b.wav"}, ["b"]),
        ({"context": "It rains in Spain.\nMainly."}, []),
        ({"audio": {"path": None, "bytes": None}}, []),
        ({"question": "<audio>Which?"}, "1 places for 0 clips"),
        ({"sound_file": "a.wav"}, "column 'sound_file' may be the clip: --field audio=sound_file"),
        ({"audio": "https://x.org/a.wav"}, "is an address"),
        ({"audio": {"array": [0.0] * 4000}}, "decoded samples that cannot be used"),
        ({"audio": {"array": [[0.0], [0.0, 1.0]], "sampling_rate": 16000}}, "decoded samples that cannot be used"),
        ({"audio": {"array": [], "sampling_rate": 16000}}, "holds no samples"),
        ({"audio": "m.m4a"}, "is an MP4 file"),
        ({"audio": str({"array": [0.25] * 60, "sampling_rate": 16000})}, "the clip is missing"),
        ({"audio": "empty.wav"}, "the file is empty"),
    ],
)
def test_clips(tmp_path: Path, row: dict[str, object], clips: object) -> None:
    write(tmp_path / "in/m.m4a", b"\0\0\0\x20ftypM4A " + bytes(100))
    write(tmp_path / "in/empty.wav", b"")
    found = second_of(tmp_path, {**ASKED, "answer": "yes", **row})
    if isinstance(clips, str):
        assert isinstance(found, str) and clips in found
        return
    assert [Path(uri).stem for uri in clip_uris(found.prompt)] == clips
    assert "<audio>" not in found.prompt.question


@pytest.mark.parametrize("form", ["data", "input_audio", "array", "two channels", "whole numbers"])
def test_sound_within_the_row(tmp_path: Path, form: str) -> None:
    text = base64.b64encode(tone(300)).decode()
    samples = [0.5, -0.5] * 2000
    value = {
        "data": f"data:audio/wav;base64,{text}",
        "input_audio": {"data": text, "format": "wav"},
        "array": {"array": samples, "sampling_rate": 16000.0, "path": "/old/x.wav"},
        "two channels": {"array": [samples, samples], "sampling_rate": 16000},
        "whole numbers": {"array": [int(sample * 32768) for sample in samples], "sampling_rate": 16000},
    }[form]
    found = second_of(tmp_path, {**ASKED, "answer": "yes", "audio": value})
    assert found.extra["source"]["seconds"] == 0.25
    if "array" in value:
        assert abs(read_audio(found.prompt.audio_uri)).max() == pytest.approx(0.5)


def test_names_of_another_system_are_found(tmp_path: Path) -> None:
    """macOS decomposes letters with marks; Windows does not tell small letters from capitals."""
    name = unicodedata.normalize("NFC", "é_鳥.wav")
    found = second_of(tmp_path, {**ASKED, "answer": "yes", "audio": name}, unicodedata.normalize("NFD", name))
    assert unicodedata.normalize("NFC", Path(found.prompt.audio_uri).name) == name


def test_rows_of_several_shards_have_ids_of_their_own(tmp_path: Path) -> None:
    for shard in range(2):
        write(tmp_path / f"in/data/train-0000{shard}-of-00002-0123456789abcdef.jsonl", json.dumps(FIRST | {"id": None}))
    write(tmp_path / "in/test/0000.jsonl", json.dumps(FIRST))
    done = import_data(plan("generic", tmp_path / "in", tmp_path / "out"), lambda *_: None)
    assert {Path(path).name: count for path, count in done.manifests.items()} == {"train.jsonl": 2, "test.jsonl": 1}
    assert [e.prompt.id for e in read_manifest(str(tmp_path / "out/train.jsonl"))] == ["train-1", "train-2"]


def test_a_number_of_a_name_is_the_name(tmp_path: Path) -> None:
    features = {"answer": {"_type": "ClassLabel", "names": ["A", "B"]}, "question": {"_type": "Value"}}
    table = pa.table({"question": ["Which?"] * 3, "choices": [TWO] * 3, "answer": [1, 0, -1]})
    huggingface = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "in").mkdir()
    pq.write_table(table.replace_schema_metadata(huggingface), tmp_path / "in/train.parquet")
    done, examples = imported("generic", tmp_path / "in", tmp_path / "out")
    assert [e.prompt.answer for e in examples] == ["a cat", "a dog"]
    assert done.left_out == {"no answer": 1}


def tar_of(path: Path, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


ROW = json.dumps({"question": "Which?", "answer": "yes"}).encode()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.wav": tone(300), "b.wav": tone(300), "a.json": ROW}, "stands apart from the files of its row"),
        ({"a.1.json": ROW, "a.2.json": ROW.replace(b"yes", b"no")}, "says another 'answer'"),
        ({"a.json": b'{"answer": 1, "answer": 2}'}, "the same key twice"),
        ({"a.json": b"\xff\xfe"}, "is not JSON"),
    ],
)
def test_a_tar_whose_rows_cannot_be_told_is_refused(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        import_data(plan("generic", tar_of(tmp_path / "t.tar", **members), tmp_path / "out"), lambda *_: None)
    assert not (tmp_path / "out").exists()


def test_tar_rows_with_two_clips_and_with_what_is_not_read(tmp_path: Path) -> None:
    source = tar_of(
        tmp_path / "t.tar",
        **{"._a.json": b"\0\1", "a.0.WAV": tone(300), "a.1.wav": tone(500), "a.json": ROW, "b.m4a": b"x" * 50,
           "b.json": ROW, "c.json": ROW, "c.npy": b"\x93NUMPY"},
    )  # fmt: skip
    done, (example,) = imported("generic", source, tmp_path / "out")
    assert [Path(uri).read_bytes() for uri in clip_uris(example.prompt)] == [tone(300), tone(500)]
    assert len(done.left_out) == 2 and any("column 'npy'" in reason for reason in done.left_out)


@pytest.mark.parametrize("name", ["t.jsonl.gz", "t.tar.zst", "t.zip"])
def test_what_is_packed_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path / f"in/{name}", b"x")
    for source in (tmp_path / "in", tmp_path / f"in/{name}"):
        with pytest.raises(SourceError, match="packed"):
            import_data(plan("generic", source, tmp_path / "out"), lambda *_: None)


@pytest.mark.parametrize("name", ["mmau", "mmar", "mmsu", "big-bench-audio", "spoken-mqa"])
def test_a_question_about_a_recording_is_none_without_it(tmp_path: Path, name: str) -> None:
    row = {
        "id": 1, "question": "Which?", "choices": TWO, "answer": "a cat", "choice_a": "a dog", "choice_b": "a cat",
        "answer_gt": "a cat", "category": "navigate", "official_answer": "yes",
    }  # fmt: skip
    with pytest.raises(SourceError, match="no clip"):
        import_data(plan(name, lines(tmp_path / "t.jsonl", row | {"answer": 5} if name == "spoken-mqa" else row),
                         tmp_path / "out"), lambda *_: None)  # fmt: skip


def test_a_row_that_no_manifest_holds_is_left_out(tmp_path: Path) -> None:
    found = second_of(tmp_path, {**ASKED, "answer": "yes", "transcript": "x" * 2_000_000})
    assert isinstance(found, str) and "longer than" in found


def test_a_file_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = os.fsencode(tmp_path / "in") + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_text(json.dumps(FIRST) + "\n" + json.dumps({"id": 2}))
    with pytest.raises(SourceError, match="is not a path"):
        import_data(plan("generic", tmp_path / "in", tmp_path / "out"), lambda *_: None)


def test_subsets_in_folders_of_their_own_keep_their_names(tmp_path: Path) -> None:
    for subset in ("long_digit", "short_digit"):
        write(tmp_path / f"in/{subset}/a.wav", tone(300))
        lines(tmp_path / f"in/{subset}/test.jsonl", {"context": "a.wav", "answer": {"text": "#### 4"}})
    _, examples = imported("spoken-mqa", tmp_path / "in", tmp_path / "out")
    assert [e.prompt.kind for e in examples] == ["long_digit", "short_digit"]
