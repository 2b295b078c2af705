"""Benchmark files in their own layouts, the published rules with their quirks, and the strict ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.errors import InputError
from reward.benchmarks import BENCHMARKS, score_file
from reward.benchmarks.spoken_mqa import plain_number

MMAU = {
    "audio_id": "./test-mini-audios/1.wav", "question": "Who speaks?", "choices": ["A man", "A woman", "The child"],
    "answer": "A woman", "task": "speech",
}  # fmt: skip
MMSU = {
    "question": "What is heard?", "choice_a": "Cats", "choice_b": "Dogs", "choice_c": "Birds", "choice_d": "Rain",
    "answer_gt": "Dogs", "category": "Perception",
}  # fmt: skip


def write(path: Path, records: list[dict[str, Any]], as_list: bool = False) -> str:
    text = json.dumps(records) if as_list else "\n".join(json.dumps(record) for record in records)
    path.write_text(text)
    return str(path)


def scores(folder: Path, name: str, row: dict[str, Any], *said: str) -> list[tuple[float | None, float]]:
    """(published, strict) of each answer to `row`, in percent."""
    found = []
    for prediction in said:
        manifest = write(folder / "rows.json", [row | {"id": "1"}], as_list=True)
        answers = write(folder / "answers.jsonl", [{"id": "1", BENCHMARKS[name].key: prediction}])
        total = score_file(manifest, answers, name).total
        found.append((total.official, total.strict))
    return found


def test_mmau(tmp_path):
    said = ["A woman", "B. A woman", "B", "The answer is A woman.", "A man", "woman a", "", "x</think>A woman"]
    assert scores(tmp_path, "mmau", MMAU, *said) == [
        (100, 100), (100, 100), (0, 100), (0, 100), (0, 0), (100, 100), (0, 0), (100, 100),
    ]  # fmt: skip


def test_mmar_reads_its_own_keys(tmp_path):
    row = {"audio_path": "a.wav", "question": "Q", "choices": ["yes", "no"], "answer": "no", "category": "Signal Layer"}
    assert scores(tmp_path, "mmar", row, "no", "B", "yes", "yes and no") == [(100, 100), (0, 100), (0, 0), (0, 0)]


def test_mmsu(tmp_path):
    said = ["B", "B. Dogs", "The answer is B.", "Dogs", "dogs", "I cannot say", "A"]
    assert scores(tmp_path, "mmsu", MMSU, *said) == [
        (100, 100), (100, 100), (100, 100), (0, 100), (None, 100), (None, 0), (0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("category", "answer", "said", "expected"),
    [
        ("formal_fallacies", "invalid", "Final answer: invalid", (100, 100)),
        ("formal_fallacies", "invalid", "The argument is not valid.", (100, 100)),
        ("formal_fallacies", "valid", "At first it seems invalid. It is valid.", (100, 0)),
        ("navigate", "no", "No, you end two steps to the left.", (100, 100)),
        ("web_of_lies", "yes", "The answer is yes, Fidel tells the truth.", (100, 100)),
        ("web_of_lies", "yes", "Fidel lies.", (None, 0)),
        ("object_counting", "7", "seven", (100, 100)),
        ("object_counting", "7", "3 apples and 4 pears, final answer: 7", (100, 0)),
        ("object_counting", "7", "thirty", (None, 0)),
    ],
)
def test_big_bench_audio(tmp_path, category, answer, said, expected):
    row = {"category": category, "official_answer": answer, "file_name": "data/question_0.mp3"}
    assert scores(tmp_path, "big-bench-audio", row, said) == [expected]


@pytest.mark.parametrize(
    ("answer", "said", "expected"),
    [
        ({"text": "He buys 2 and 3 more. #### 5"}, "2 + 3 = 5. The answer is 5.", (100, 100)),
        ("1,200", "The answer is: 1200.00", (100, 100)),
        ("5", "First 3, then 5", (100, 0)),
        ("5", "So it is\n5 apples", (100, 100)),
        ("5", "It is five.", (0, 100)),
        ("5", "The answer is 5 of 9.", (100, 0)),
        ("0.5", "The answer is 1/2.", (100, 100)),
        ("5", "The answer is 5.\n\nQ: next? The answer is 9.", (100, 0)),
        ("5", "__import__('os').abort()", (0, 0)),
        ("5", "9**9**9**9", (0, 0)),
    ],
)
def test_spoken_mqa(tmp_path, answer, said, expected):
    assert scores(tmp_path, "spoken-mqa", {"answer": answer}, said) == [expected]


def test_plain_numbers():
    assert [plain_number(text) for text in ("2.50", "3.0", "1/2", "1/0", "x", "007")] == [
        "2.5", "3", "0.5", "1/0", "x", "7",
    ]  # fmt: skip


def test_wildspeech(tmp_path):
    rows = [{"id": n, "user_query": "q", "taskType": "TC", "checklist": "c"} for n in range(5)]
    said = ["Good. Score: [8]", "Score: 10", "I refuse", "Score: 11"]  # and nothing for the fifth
    answers = [{"id": n, "response": ["Hello."], "judgement": reply} for n, reply in enumerate(said)]
    total = score_file(write(tmp_path / "q", rows), write(tmp_path / "a", answers), "wildspeech").total
    assert (total.official, total.counted, total.strict, total.rows) == (90, 2, pytest.approx(36), 5)


def test_wildspeech_without_judgements_or_a_judge_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("EW_JUDGE_URL", raising=False)
    questions = write(tmp_path / "q", [{"id": 1, "user_query": "q"}])
    with pytest.raises(InputError, match="1 responses have no judgement"):
        score_file(questions, write(tmp_path / "a", [{"id": 1, "response": "Hello."}]), "wildspeech")


def test_missing_rows_are_wrong_and_the_published_denominator_is_shown(tmp_path):
    rows = [MMAU | {"id": str(n), "task": "speech" if n < 2 else "music"} for n in range(4)]
    manifest = write(tmp_path / "rows.json", rows, as_list=True)
    said = [
        {"id": "0", "model_output": "A woman"},
        {"id": "2", "model_output": "A man"},
        {"id": "9", "model_output": "x"},
    ]
    figures = score_file(manifest, write(tmp_path / "a.jsonl", said), "mmau")
    assert (figures.answered, figures.unknown) == (2, 1)
    assert (figures.total.official, figures.total.counted) == (50, 2)
    assert (figures.total.official_of_all, figures.total.strict) == (25, 25)
    assert (figures.categories["speech"].strict, figures.categories["music"].strict) == (50, 0)


def test_a_reference_is_never_read_as_an_answer(tmp_path):
    manifest = write(tmp_path / "rows.json", [MMAU | {"id": "1"}], as_list=True)
    assert score_file(manifest, manifest, "mmau").total.strict == 0


def test_a_manifest_is_scored_by_its_verifiers(tmp_path):
    rows = [
        {"id": "a", "question": "How many?", "answer": "3", "verifier": "number", "kind": "count"},
        {"id": "b", "question": "Is it?", "answer": "yes", "verifier": "polar", "kind": "truth"},
    ]
    answers = write(tmp_path / "a.jsonl", [{"id": "a", "prediction": "three"}, {"id": "b", "prediction": "no"}])
    figures = score_file(write(tmp_path / "m.jsonl", rows), answers)
    assert (figures.total.strict, figures.total.official) == (50, None)


@pytest.mark.parametrize("as_list", [True, False])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, as_list):
    for name, rows in (("rows", [MMAU | {"id": "1"}]), ("answers", [{"id": "1", "prediction": "B"}])):
        written = Path(write(tmp_path / name, rows, as_list=as_list))
        written.write_bytes(b"\xef\xbb\xbf" + written.read_bytes())
    assert score_file(str(tmp_path / "rows"), str(tmp_path / "answers"), "mmau").total.strict == 100


@pytest.mark.parametrize(
    ("rows", "answers", "problem"),
    [
        ("", "{}", "is empty"),
        ("{", "{}", "not JSON"),
        ("[1]", "{}", "a JSON int"),
        ('{"id": 1}', "{}", "question"),
        ('{"id": 1, "question": "q", "answer": "a"}\n{"id": 1, "question": "q", "answer": "a"}', "{}", "second time"),
        ('{"id": 1, "question": "q", "answer": "a"}', '{"id": 1}\n{"id": 1}', "second time"),
        ('{"id": 1, "question": "q", "answer": "a"}', '{"id": 1, "prediction": {}}', "not text"),
    ],
)
def test_mistakes_are_named(tmp_path, rows, answers, problem):
    (tmp_path / "rows").write_text(rows)
    (tmp_path / "answers").write_text(answers)
    with pytest.raises(InputError, match=problem):
        score_file(str(tmp_path / "rows"), str(tmp_path / "answers"), "mmau")


def test_the_command(tmp_path):
    manifest = write(tmp_path / "rows.json", [MMAU | {"id": "1"}, MMAU | {"id": "2"}], as_list=True)
    answers = write(tmp_path / "a.jsonl", [{"id": "1", "prediction": "B"}])
    shown = CliRunner().invoke(app, ["score", manifest, answers, "--benchmark", "mmau"])
    assert shown.exit_code == 0, shown.output
    assert "50.0 %" in shown.output
    assert "1 of 2 rows have no answer" in shown.output
    printed = CliRunner().invoke(app, ["score", manifest, answers, "--benchmark", "mmau", "--json"])
    assert json.loads(printed.output)["total"]["strict"] == 50
    refused = CliRunner().invoke(app, ["score", manifest, answers, "--benchmark", "mmlu"])
    assert refused.exit_code == 1
    assert "one of mmau" in refused.output
