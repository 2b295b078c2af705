"""Commands as processes of their own, in surroundings that nobody meant: an answer, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("EW_ADDRESS", "EW_TOKEN", "EW_STATE", "EW_TLS_CA", "EW_REDIS"):
        monkeypatch.delenv(variable, raising=False)


def run(arguments: list[str], redirect: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own; `redirect` is the shell's."""
    command = f'exec "{sys.executable}" -m earwitness "$@" {redirect}'
    return subprocess.run(
        ["bash", "-c", command, "earwitness", *arguments], capture_output=True,
        env={**os.environ, **environment},
    )  # fmt: skip


SURROUNDINGS = {
    "C": ("", {"LC_ALL": "C"}),
    "POSIX without UTF-8": ("", {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "ascii": ("", {"PYTHONIOENCODING": "ascii:strict"}),
    "a locale that is not there": ("", {"LC_ALL": "xx_XX.KOI8-R"}),
    "a dumb terminal": ("", {"TERM": "dumb", "COLUMNS": "1"}),
    "no columns": ("", {"COLUMNS": "-3", "LINES": "x"}),
    "closed stdin": ("<&-", {}),
    "closed stdout": (">&-", {}),
    "closed stderr": ("2>&-", {}),
    "all closed": ("<&- >&- 2>&-", {}),
    "a full disk": (">/dev/full", {}),
    "a home that is not there": ("", {"HOME": "/nonexistent"}),
    "a state folder that cannot be": ("", {"EW_STATE": "/dev/null/x"}),
}


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_surroundings_get_an_answer(surroundings: str) -> None:
    redirect, environment = SURROUNDINGS[surroundings]
    for arguments in (["--help"], ["validate", "é🐶\u00a0.yaml"], ["list"]):
        done = run(arguments, redirect, **environment)
        assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr, done.stderr
        assert done.returncode in (0, 1, 2)
        assert done.returncode or (arguments == ["--help"] and surroundings != "a full disk")


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = run(["--help"], "| head -c 1")
    assert b"Traceback" not in done.stderr and b"BrokenPipe" not in done.stderr


def test_what_is_a_bug_is_one_line_with_a_status_of_its_own() -> None:
    program = (
        "import sys, earwitness.cli.commands as c\n"
        "c.app = lambda: 1 / 0\n"
        "sys.argv = ['earwitness', 'list']\n"
        "from earwitness.cli.main import app\n"
        "app()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 70
    assert done.stderr == "error: internal error, please report it: ZeroDivisionError: division by zero\n"
