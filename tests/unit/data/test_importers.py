"""Importers on small files in the real layouts, with the quirks of the real ones."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
import soundfile

from earwitness.data.importers import IMPORTERS
from earwitness.data.importing import import_data
from earwitness.manifest import VERIFIERS, read_manifest

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import imported, lines, plan, tone, write

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

MMAU = {
    "id": "3fe64f3d-282c-4bc8-a753-68f8f6c35652", "audio_id": "./test-mini-audios/a.wav", "question": "What sounds?",
    "choices": ["Bird", "Dog"], "answer": "Dog", "dataset": "x", "task": "sound", "split": "test-mini",
    "category": "Reasoning", "sub-category": "Acoustic Source Inference", "difficulty": "medium",
}  # fmt: skip


def test_mmau(tmp_path: Path) -> None:
    """Duplicate choices, letters for answers, withheld answers, a clip that is not there, one that is cut off."""
    source = tmp_path / "MMAU"
    rows = [
        MMAU,
        {**MMAU, "id": "twice", "choices": ["Man", "Woman", "Man", "Child"], "answer": "Child"},
        {**MMAU, "id": "letter", "choices": ["(A) Man", "(B) Woman"], "answer": "(B)"},
        {**MMAU, "id": "withheld", "answer": ""},
        {**MMAU, "id": "none", "answer": "Cat"},
        {**MMAU, "id": "one", "choices": ["Dog", "Dog"]},
        {**MMAU, "id": "gone", "audio_id": "./test-mini-audios/gone.wav"},
        {**MMAU, "id": "cut", "audio_id": "./test-mini-audios/cut.wav"},
        MMAU,
    ]
    write(source / "mmau-test-mini.json", json.dumps(rows))
    write(source / "test-mini-audios/a.wav", tone(440))
    write(source / "test-mini-audios/cut.wav", tone(440)[:30])
    done, examples = imported("mmau", source, tmp_path / "out")
    assert [example.prompt.id for example in examples] == [MMAU["id"], "twice", "letter"]
    assert list(examples[1].prompt.choices) == ["Man", "Woman", "Child"]
    assert (list(examples[2].prompt.choices), examples[2].prompt.answer) == (["Man", "Woman"], "Woman")
    assert (examples[0].prompt.kind, examples[0].extra["difficulty"]) == ("sound", "medium")
    assert examples[0].extra["source"] == {
        "row": "mmau-test-mini.json, row 1", "split": "mmau-test-mini", "seconds": 0.25
    }  # fmt: skip
    assert done.rows == len(rows) == len(examples) + sum(done.left_out.values())
    assert sorted(reason.partition(": ")[0] for reason in done.left_out) == [
        "1 different choices", "audio", "its id a second time", "no answer (those of the test split are withheld)",
        "the answer is not among the choices ('Cat')", "the clip is missing",
    ]  # fmt: skip
    listed = [json.loads(line) for line in Path(done.list_of_left_out).read_text().splitlines()]
    assert listed[0] == {
        "where": "mmau-test-mini.json, row 4", "reason": "no answer (those of the test split are withheld)"
    }  # fmt: skip


def test_mmar_without_a_last_newline(tmp_path: Path) -> None:
    row = {
        "id": "x_00", "audio_path": "./audio/x.wav", "question": "How many?", "choices": ["1", "2", "12"],
        "answer": "12", "modality": "mix-sound-music", "category": "Signal Layer", "sub-category": "Counting",
        "language": "en", "source": "youtube", "url": "u", "timestamp": "00:00:01,00:00:03", "thinking": "One, two.",
        "cue": ["a bell"], "rubric": [{"name": "n", "scoring_point": "s", "note": "", "choices": [0, 1]}],
    }  # fmt: skip
    lines(tmp_path / "MMAR/MMAR-meta.jsonl", row, {**row, "id": 7}, end="")
    write(tmp_path / "MMAR/audio/x.wav", tone(440))
    _, examples = imported("mmar", tmp_path / "MMAR", tmp_path / "out")
    assert [e.prompt.id for e in examples] == ["x_00", "7"]
    assert examples[0].reasoning is None  # a benchmark's reasoning must not become something to learn from
    assert examples[0].extra["thinking"] == "One, two."


def mmsu_table(count: int = 3):
    names = ["question", "choice_a", "choice_b", "choice_c", "choice_d", "answer_gt", "category", "task_name"]
    columns = {name: [name] * count for name in names} | {"answer_gt": ["choice_c"] * count}
    sounds = [{"bytes": tone(200 + 50 * n), "path": f"clip_{n}.wav"} for n in range(count)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns |= {"id": [f"m{n}" for n in range(count)]}
    return pa.table({**columns, "audio": pa.array(sounds, kind)})


def test_mmsu_has_its_sound_in_parquet(tmp_path: Path) -> None:
    (tmp_path / "MMSU/data").mkdir(parents=True)
    huggingface = {"huggingface": json.dumps({"info": {"features": {"audio": {"_type": "Audio"}}}})}
    table = mmsu_table().replace_schema_metadata(huggingface)
    pq.write_table(table, tmp_path / "MMSU/data/train-00000-of-00001.parquet", row_group_size=2)
    out = tmp_path / "out"
    _, examples = imported("mmsu", tmp_path / "MMSU", out, checksums=True)
    assert [e.prompt.id for e in examples] == ["m0", "m1", "m2"]
    assert list(examples[0].prompt.choices) == ["choice_a", "choice_b", "choice_c", "choice_d"]
    assert [Path(e.prompt.audio_uri).read_bytes() for e in examples] == [tone(200 + 50 * n) for n in range(3)]
    assert all(e.extra["source"]["xxh3_128"] == Path(e.prompt.audio_uri).stem for e in examples)
    assert json.loads((out / "mmsu.jsonl").read_text().splitlines()[0])["audio"].startswith("clips/")
    provenance = json.loads((out / "mmsu.provenance.json").read_text())
    assert (provenance["rows"], provenance["manifests"], provenance["left_out"]) == (3, {"mmsu.jsonl": 3}, {})
    assert len(provenance["files"][0]["xxh3_128"]) == 32
    assert sorted(path.name for path in out.iterdir()) == ["clips", "mmsu.jsonl", "mmsu.provenance.json"]


def test_big_bench_audio_has_a_minute_of_mp3_and_numbers_for_ids(tmp_path: Path) -> None:
    source = tmp_path / "big_bench_audio"
    answers = [("formal_fallacies", "invalid"), ("navigate", "Yes"), ("object_counting", 12), ("web_of_lies", "no")]
    lines(
        source / "metadata.jsonl",
        *({"category": c, "official_answer": a, "file_name": f"data/question_{n}.mp3", "id": n}
          for n, (c, a) in enumerate(answers)),
        {"category": "new", "official_answer": "x", "file_name": "data/question_0.mp3", "id": 9},
    )  # fmt: skip
    for n in range(4):
        write(source / f"data/question_{n}.mp3", tone(300, 60.2 if n == 2 else 4.5, "MP3"))
    done, examples = imported("big-bench-audio", source, tmp_path / "out")
    assert [(e.prompt.id, e.prompt.answer, e.prompt.verifier) for e in examples] == [
        ("0", "invalid", VERIFIERS["polar"]), ("1", "yes", VERIFIERS["polar"]), ("2", "12", VERIFIERS["number"]),
        ("3", "no", VERIFIERS["polar"]),
    ]  # fmt: skip
    assert examples[2].extra["source"]["seconds"] == pytest.approx(60.2, abs=0.1)
    assert examples[2].prompt.audio_uri == str(source / "data/question_2.mp3")  # it stays where it is
    assert done.left_out == {"unknown category 'new'": 1}


def test_spoken_mqa_has_a_split_for_each_subset(tmp_path: Path) -> None:
    sound = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    words = pa.struct([("text", pa.string())])
    for subset, answers in {"short_digit": ["4", None], "multi_step_reasoning": ["2+2=4, so #### 1,004"]}.items():
        table = pa.table(
            {
                "context": pa.array([{"bytes": tone(300), "path": None}] * len(answers), sound),
                "context_transcript": pa.array(["two plus two"] * len(answers)),
                "instruction": pa.array([{"text": "Solve it."}] * len(answers), words),
                "answer": pa.array([{"text": answer} for answer in answers], words),
            }
        )
        (tmp_path / "mqa/data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, tmp_path / f"mqa/data/{subset}-00000-of-00001.parquet")
    done, examples = imported("spoken-mqa", tmp_path / "mqa", tmp_path / "out")
    assert [(e.prompt.id, e.prompt.answer, e.prompt.kind, e.prompt.question) for e in examples] == [
        ("multi_step_reasoning-1", "1004", "multi_step_reasoning", "Solve it."),
        ("short_digit-1", "4", "short_digit", "Solve it."),
    ]  # fmt: skip
    assert done.left_out == {"no answer": 1}
    assert len(list((tmp_path / "out/clips").rglob("*.wav"))) == 1  # equal clips are one file


def test_wildspeech(tmp_path: Path) -> None:
    row = {
        "user_query": "Tell me a joke.", "checklist": ["is funny", "is short"], "response": ["..."], "taskType": "TC",
        "additional_info": None, "modification_type": "none", "audio": "wavs/a.wav",
    }  # fmt: skip
    lines(tmp_path / "wild/bench.jsonl", row, {**row, "audio": None}, {**row, "checklist": None})
    write(tmp_path / "wild/wavs/a.wav", tone(440))
    done, examples = imported("wildspeech", tmp_path / "wild", tmp_path / "out")
    assert [e.prompt.question for e in examples] == ["Respond to the speaker.", "Tell me a joke."]
    assert examples[0].prompt.answer == '["is funny", "is short"]'
    assert done.left_out == {"no checklist": 1}


def test_avqa_answers_by_index_and_names_videos(tmp_path: Path) -> None:
    row = {
        "id": 183, "video_name": "-HG3Omg_89c_000030", "video_id": 341, "question_text": "What happened?",
        "multi_choice": ["motorboat", "yacht", "sailboat", "car"], "answer": 1, "question_relation": "View",
        "question_type": "Happening",
    }  # fmt: skip
    source = tmp_path / "avqa"
    write(
        source / "val_qa.json",
        json.dumps([row, {**row, "id": 184, "answer": 4}, {**row, "id": 185, "video_name": "no"}]),
    )
    write(source / "audios/-HG3Omg_89c_000030.mp3", tone(440, 10, "MP3"))
    write(source / "audios/-HG3Omg_89c_000030.flac", tone(440, 10, "FLAC"))
    done, examples = imported("avqa", source, tmp_path / "out")
    assert [(e.prompt.id, e.prompt.answer) for e in examples] == [("183", "yacht")]
    assert examples[0].prompt.audio_uri.endswith(".flac")
    assert done.left_out == {"answer 4 of 4 choices": 1, "the clip is missing": 1}
    assert list(done.manifests) == [str(tmp_path / "out/val_qa.jsonl")]


def test_generic_csv_with_columns_of_its_own(tmp_path: Path) -> None:
    header = "\ufeffqid,prompt_text,option_a,option_b,label,wav"
    rows = ['1,"Which, then?",dog,cat,B,x.wav', "2,Two?,dog,cat,7,x.wav", "3,Is it?,,,yes,x.wav"]
    write(tmp_path / "csv/test.csv", "\n".join([header, *rows]))
    write(tmp_path / "csv/x.wav", tone(440))
    done, examples = imported(
        "generic", tmp_path / "csv/test.csv", tmp_path / "out", columns={"question": "prompt_text"}
    )
    assert [(e.prompt.id, e.prompt.answer, e.prompt.verifier) for e in examples] == [
        ("1", "cat", VERIFIERS["choice"]), ("3", "yes", VERIFIERS["polar"]),
    ]  # fmt: skip
    assert done.left_out == {"the answer is not among the choices ('7')": 1}


def saved(folder: Path, table: object, files: int = 1) -> None:
    """As `datasets` saves a split to disk."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05d}-of-{files:05d}.arrow" for n in range(files)]
    for n, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table.slice(n * len(table) // files, len(table) // files))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))


def test_generic_data_sets_on_disk_have_a_manifest_for_each_split(tmp_path: Path) -> None:
    table = mmsu_table(4).rename_columns(
        ["question", "choice_a", "choice_b", "choice_c", "choice_d", "answer", "kind", "task_name", "id", "audio"]
    )
    saved(tmp_path / "ds/train", table, files=2)
    saved(tmp_path / "ds/test", table.slice(0, 1))
    (tmp_path / "ds/dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    done = import_data(plan("generic", tmp_path / "ds", tmp_path / "out"), lambda *_: None)
    assert {Path(path).name: count for path, count in done.manifests.items()} == {"train.jsonl": 4, "test.jsonl": 1}
    examples = read_manifest(str(tmp_path / "out/train.jsonl"), check_audio=True)
    assert [Path(e.prompt.audio_uri).read_bytes() for e in examples] == [tone(200 + 50 * n) for n in range(4)]
    assert examples[0].prompt.answer == "choice_c"


def shard(path: Path, **members: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_generic_tar_shards(tmp_path: Path) -> None:
    row = json.dumps({"question": "How many?", "answer": "#### 3", "audio": "/old/place.flac"}).encode()
    shard(tmp_path / "wds/train-000000.tar", a__flac=tone(300, kind="FLAC"), a__json=row)
    shard(tmp_path / "wds/train-000001.tar", b__json=row, b__txt=b"text", b__flac=tone(500, kind="FLAC"))
    done, examples = imported("generic", tmp_path / "wds", tmp_path / "out")
    assert list(done.manifests) == [str(tmp_path / "out/train.jsonl")]
    assert [(e.prompt.id, e.prompt.answer) for e in examples] == [("a", "3"), ("b", "3")]
    assert soundfile.info(examples[1].prompt.audio_uri).duration == pytest.approx(0.25)


def test_a_reference_that_its_verifier_refuses_is_left_out(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "q", "answer": "5 or 6", "verifier": "number"},
        {"id": 2, "question": "q", "answer": "5"},
    ]
    done, examples = imported("generic", lines(tmp_path / "t.jsonl", *rows), tmp_path / "out")
    assert done.left_out == {"'5 or 6' is not right by its own verifier number": 1}
    assert [e.prompt.id for e in examples] == ["2"]


def test_an_import_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    rows = [{"id": n, "question": "q", "answer": n, "audio": f"{n}.wav"} for n in range(12)]
    source = lines(tmp_path / "in/t.jsonl", *rows)
    for n in range(12):
        write(tmp_path / f"in/{n}.wav", tone(100 + n))
    whole, whole_examples = imported("generic", source, tmp_path / "whole")

    def cut(done: int, total: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        import_data(plan("generic", source, out), cut)
    assert not (out / "t.jsonl").exists()
    with (out / "generic.importing").open("a") as file:
        file.write('{"where": "half of a li')
    heard = []
    done = import_data(plan("generic", source, out), lambda done, total: heard.append((done, total)))
    assert heard[0] == (7, 12)
    assert heard[-1] == (12, 12)
    assert (done.rows, done.left_out) == (whole.rows, whole.left_out)
    assert read_manifest(str(out / "t.jsonl")) == whole_examples
    assert not (out / "generic.importing").exists()


def test_sound_that_the_file_holds_is_taken_before_a_name_of_it(tmp_path: Path) -> None:
    """The hub makes parquet of folders: paths stay in a column, and lead nowhere."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    row = {"category": ["navigate"], "official_answer": ["yes"], "file_name": ["data/q.mp3"], "id": [7]}
    table = pa.table({**row, "audio": pa.array([{"bytes": tone(300), "path": "q.mp3"}], kind)})
    (tmp_path / "bba").mkdir()
    pq.write_table(table, tmp_path / "bba/train-00000-of-00001.parquet")
    _, examples = imported("big-bench-audio", tmp_path / "bba", tmp_path / "out")
    assert Path(examples[0].prompt.audio_uri).read_bytes() == tone(300)


@pytest.mark.parametrize(
    ("choices", "answer", "right"),
    [
        ("['a dog', 'a cat']", "a cat", "a cat"),
        ('["a dog", "a cat"]', "(b)", "a cat"),
        ("a dog | a cat", "A. a dog", "a dog"),
        ({"A": "a dog", "B": "a cat"}, "B", "a cat"),
        (["A. a dog", "B. a cat"], "B. a cat", "a cat"),
        (["A. a dog", "C. a cat"], "C. a cat", "C. a cat"),
        ([1, 2, 2.5], "2.5", "2.5"),
        (["yes", "no"], True, None),
        (["true", "false"], True, "true"),
        (["B", "A"], "A", "A"),
    ],
)
def test_choices_as_they_are_spelled(tmp_path: Path, choices: object, answer: object, right: str | None) -> None:
    row = {"id": 1, "question": "q", "choices": choices, "answer": answer, "note": float("nan")}
    source = lines(tmp_path / "t.jsonl", row, {"id": 2, "question": "q", "answer": "5"})
    _, examples = imported("generic", source, tmp_path / "out")
    found = {example.prompt.id: example.prompt.answer for example in examples}
    assert found.get("1") == right


def test_every_importer_is_tested() -> None:
    here = Path(__file__).read_text()
    assert [name for name in IMPORTERS if f'("{name}"' not in here] == []
