"""What people send is read in a process that can be killed."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from earwitness.errors import DocumentError, InfrastructureError, InputError
from earwitness.jobs.apart import _ending, apart
from earwitness.jobs.apart_process import probe
from reward.reference import reference_problem

RECIPE = """
name: small
output: /out
model: {toy: {}}
data: {cold_start: %s}
stages:
  - {type: sft, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
"""
LINE = '{{"id": "q{}", "question": "?", "answer": "a", "verifier": "text", "reasoning": ""}}\n'


def check(recipe: str, silence: float = 60.0) -> object:
    return asyncio.run(apart("check", {"recipe": recipe}, silence))


def data(folder: Path, lines: int) -> Path:
    with (folder / "data.jsonl").open("w") as file:
        file.writelines(LINE.format(n) for n in range(lines))
    return folder / "data.jsonl"


def test_a_recipe_that_can_run_is_told_in_three_words(tmp_path: Path) -> None:
    assert check(RECIPE % data(tmp_path, 3)) == {"name": "small", "output": "/out", "stages": 1}


def test_mistakes_come_back_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"stages\[0\]\.colour"):
        check(RECIPE.replace("type: sft,", "type: sft, colour: 1,") % "/x")
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        check(RECIPE % (tmp_path / "gone.jsonl"))


def test_a_pipe_is_no_manifest_and_nobody_waits_for_its_other_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a device, a pipe or a socket"):
        check(RECIPE % (tmp_path / "pipe"))


def test_a_reference_that_its_verifier_refuses_is_a_mistake_of_its_line(tmp_path: Path) -> None:
    wrong = '{"id": "z", "question": "?", "answer": "5 or 6", "verifier": "number", "reasoning": ""}\n'
    path = data(tmp_path, 3)
    path.write_text(path.read_text() + wrong)
    with pytest.raises(DocumentError, match=r"data\.jsonl:4\.answer: '5 or 6' is not right by its own verifier number"):
        check(RECIPE % path)


def test_a_row_that_is_too_long_for_the_model_is_a_mistake_of_its_line(tmp_path: Path) -> None:
    path = data(tmp_path, 3)
    path.write_text(path.read_text() + LINE.format("z").replace("?", "How many? " * 200))
    model = str(Path(__file__).parents[2] / "models/listener")
    given = {"recipe": RECIPE % path, "manifests": {"cold_start": str(path)}, "model": model}
    with pytest.raises(DocumentError, match=r"data\.jsonl:4 \(qz\): [0-9]+ prompt tokens, 0 of them heard"):
        asyncio.run(apart("lengths", given, 60.0))


def test_what_says_nothing_is_killed_and_named(tmp_path: Path) -> None:
    """A store that hangs looks like this one, which is only slow: nothing is heard in time."""
    given = {"recipe": RECIPE % "/x", "manifests": {"cold_start": str(data(tmp_path, 200_000))}, "folder": "/nowhere"}
    with pytest.raises(InfrastructureError, match=r"^cold_start, behind line [0-9]+: it does"):
        asyncio.run(apart("index", given, 0.01))


def test_who_writes_clips_says_so_at_once_and_as_it_goes_on(tmp_path: Path) -> None:
    """Else the limit for its start would be the limit for all of them."""
    heard: list[tuple[str, int]] = []
    given = {"folder": str(tmp_path), "probe": {"lessons": 1, "cold_start": 1, "train": 101, "eval": 1}}
    manifests = probe(given, lambda *words: heard.append(words), reference_problem)
    assert sorted(manifests) == ["cold_start", "eval", "lessons", "train"]
    assert heard == [("probe", 0), ("probe", 102)]


def test_what_computes_without_end_is_killed_by_the_signal_that_says_so() -> None:
    endless = (
        "from earwitness.jobs import apart_process\n"
        "apart_process.CPU_SECONDS = 1\n"
        "def at(*_):\n    while True: pass\n"
        "apart_process.check({'recipe': ''}, at, lambda prompt: None)"
    )
    ended = subprocess.run([sys.executable, "-c", endless], capture_output=True)
    assert ended.returncode == -signal.SIGXCPU
    assert "more seconds of computing" in _ending("check", ended.returncode)
