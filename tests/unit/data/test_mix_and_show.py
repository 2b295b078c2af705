"""`data mix` joins manifests by weight; `data show` writes a page that plays."""

import base64
import io
import re
import sys
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.manifest import read_manifest

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import lines, tone, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two manifests; the command runs beside them, without a screen."""
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    row = {"question": "Up <b>or</b> down?", "answer": "up", "verifier": "text", "reasoning": "It rises."}
    lines(tmp_path / "a/audio.jsonl", *({"id": f"q{n}", "audio": f"{n}.flac", **row} for n in range(6)))
    lines(tmp_path / "text.jsonl", *({"id": f"q{n}", **row} for n in range(2)))
    for n in range(6):
        write(tmp_path / f"a/{n}.flac", tone(200 + n, 20 if n == 0 else 0.3, "FLAC"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["data", *arguments])
    return done.exit_code, done.output


def test_a_mix_has_the_weights_and_finds_its_clips(folder: Path) -> None:
    status, told = run("mix", "a/audio.jsonl=3", "text.jsonl", "--out", "both/mix.jsonl")
    assert (status, told.strip()) == (0, "both/mix.jsonl: 6 of audio, 2 of text")
    found = read_manifest("both/mix.jsonl", check_audio=True)
    assert [example.prompt.id.split("/")[0] for example in found] == ["audio", "audio", "text", "audio"] * 2
    assert run("mix", "text.jsonl", "--out", "both/mix.jsonl")[0] == 1  # nothing is written over
    assert run("mix", "text.jsonl=0", "--out", "x.jsonl")[0] == 1
    assert run("mix", "text.jsonl", "./text.jsonl=2", "--out", "x.jsonl")[0] == 1
    assert not Path("x.jsonl").exists()


def test_a_page_plays_its_sample_and_escapes_its_words(folder: Path) -> None:
    assert run("show", "a/audio.jsonl", "--count", "6", "--out", "page.html") == (0, "page.html\n")
    page = Path("page.html").read_text()
    assert "<b>or</b>" not in page
    sounds = [base64.b64decode(data) for data in re.findall(r'base64,([^"]+)"', page)]
    assert sorted(round(soundfile.info(io.BytesIO(sound)).duration, 1) for sound in sounds) == [0.3] * 5 + [15.0]
    run("show", "a/audio.jsonl", "--count", "2", "--out", "few.html")
    assert Path("few.html").read_text().count("<audio") == 2
    assert "2 of 6 lines" in Path("few.html").read_text()
