"""A benchmark in its real layout, from its files to our row beside the published ones; a stand-in for the model."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit/data"))

from data_kit import lines, tone, write
from jobs_kit import Mesh, jobs_mesh

from earwitness.cli.commands import app
from earwitness.wire.jobs.v1 import jobs_pb2
from tests.integration.process_kit import PATIENCE

ROOT = Path(__file__).parents[2]
CATEGORIES = (("formal_fallacies", "invalid"), ("navigate", "yes"), ("object_counting", 12), ("web_of_lies", "no"))
RUNS = 2


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        mesh.start_rest()
        mesh.stub.ListJobs(jobs_pb2.ListJobsRequest(), wait_for_ready=True, timeout=PATIENCE)
        yield mesh


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    config = json.loads((ROOT / "models/listener/config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 512
    write(tmp_path / "model/config.json", json.dumps(config))
    return tmp_path / "model"


def bench(mesh: Mesh, *arguments: object) -> str:
    address = ["--address", f"127.0.0.1:{mesh.jobs_port}", "--token", ""]
    done = CliRunner().invoke(app, ["bench", *map(str, arguments), *address])
    assert done.exit_code == 0, done.output
    return done.stdout


def is_right(identity: str, ordinal: int, run: int) -> bool:
    """As the stand-in draws it."""
    return random.Random(f"{identity}/{ordinal}/{run}").random() < 0.5


def test_big_bench_audio_from_its_files_to_its_row(mesh: Mesh, checkpoint: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "bba", tmp_path / "out"
    rows = [
        {"category": category, "official_answer": answer, "file_name": f"data/question_{n}.mp3", "id": n}
        for n, (category, answer) in enumerate(CATEGORIES * 3)
    ]
    lines(source / "metadata.jsonl", *rows, {**rows[0], "id": 99, "file_name": "data/gone.mp3"})
    for n in range(len(rows)):
        write(source / f"data/question_{n}.mp3", tone(300, 60.2 if n == 5 else 4.5, "MP3"))
    given = (checkpoint, "--benchmark", "big-bench-audio", "--data", source, "--out", out, "--runs", RUNS, "--json")
    measured = json.loads(bench(mesh, *given))

    # The stand-in says the reference or "unsure", in which the published rule finds no answer and counts none.
    right = [[is_right(str(row["id"]), ordinal, run) for ordinal, row in enumerate(rows)] for run in range(RUNS)]
    share = 100 * sum(map(sum, right)) / (RUNS * len(rows))
    assert (measured["rows"], measured["runs"], measured["left_out"], measured["answered"]) == (12, 2, 1, 12)
    assert measured["strict"] == pytest.approx(share) == measured["official_of_all"]
    assert measured["official"] == 100.0
    assert measured["strict_interval"][0] < share < measured["strict_interval"][1]
    assert set(measured["categories"]) == {category for category, _ in CATEGORIES}
    assert {row["model"]: row["percent"] for row in measured["published"][:4]}["Step-Audio-R1"] == 98.7

    answers = [json.loads(line) for line in (out / "answers-2.jsonl").read_text().splitlines()]
    assert [{key: answer[key] for key in rows[0]} for answer in answers] == rows  # the benchmark's own, as they were
    assert [answer["response"] != "unsure" for answer in answers] == right[1]
    page = (out / "wrong.html").read_text()
    assert f"{12 - sum(right[0])} of 12 first answers are wrong" in page
    assert page.count("<audio") == 12 - sum(right[0])
    assert all("</think>" not in answer["response"] and answer["thinking_prediction"] for answer in answers)
    again = CliRunner().invoke(
        app, ["score", str(source / "metadata.jsonl"), str(out / "answers-1.jsonl"), "--benchmark", "big-bench-audio"]
    )
    assert again.exit_code == 0, again.output


def test_mmau_gets_the_list_that_its_program_reads(mesh: Mesh, checkpoint: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "mmau", tmp_path / "out"
    row = {
        "audio_id": "./test-mini-audios/a.wav", "question": "What?", "choices": ["Dog", "Cat", "Dog"], "answer": "Cat",
        "task": "sound", "split": "test-mini", "difficulty": "easy",
    }  # fmt: skip
    write(source / "mmau-test-mini.json", json.dumps([{"id": f"m{n}", **row} for n in range(4)]))
    write(source / "test-mini-audios/a.wav", tone(300))
    told = bench(mesh, checkpoint, "--benchmark", "mmau", "--data", source, "--out", out)
    found = json.loads((out / "answers-1.json").read_text())
    assert [answer["choices"] for answer in found] == [row["choices"]] * 4
    assert [answer["model_output"] for answer in found] == [
        "Cat" if is_right(f"m{n}", n, 0) else "Dog" for n in range(4)
    ]
    assert "Step-Audio-R1, arXiv 2511.15848" in told
    assert "this model, strictly" in told

    # The same as a stage of a job: the stand-in draws by prompt and ordinal, so the figures are the same.
    recipe = yaml.safe_load((out / "bench.yaml").read_text()) | {"name": "staged", "output": str(tmp_path / "staged")}
    recipe["stages"][0]["benchmark"] = "mmau"
    job = mesh.submit(recipe).job
    ended = mesh.until(job.job_id, "its end", lambda now: now.state == jobs_pb2.JOB_STATE_SUCCEEDED)
    report = json.loads(Path(ended.output_uri, "report.json").read_text())["benchmarks"]["mmau"]
    right = sum(answer["model_output"] == "Cat" for answer in found)
    assert (report["rows"], report["runs"], report["strict"]) == (4, 1, 25.0 * right)
    assert report["official_of_all"] == 25.0 * right
    assert any("mmau: " in event.message and "strictly" in event.message for event in mesh.events(job.job_id))
    assert [Path(answers).name for answers in report["answers"]] == ["answers-1.json"]
