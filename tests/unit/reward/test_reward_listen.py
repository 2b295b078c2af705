"""`listen` as a person sees it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console
from typer.testing import CliRunner

from earwitness.audio import SAMPLE_RATE, AudioError
from earwitness.cli.commands import app
from earwitness.probe.scene import lead
from earwitness.probe.sound import tone
from reward.listen import main
from reward.statements import Not


@pytest.fixture
def tone_file(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, lead(np.random.default_rng(0), 0.1 * tone(0.5, 1000.0)), SAMPLE_RATE)
    return str(path)


def test_claims_are_printed_with_verdict_and_measured_value_and_drawn(two_tones, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    picture = tmp_path / "clip.png"
    main(
        [two_tones],
        "The first tone is near 900 Hz. The second is higher. I would guess [red]so.",
        str(picture),
        console,
    )
    text = console.file.getvalue()
    assert "contradicted" in text
    assert "439 Hz" in text
    assert "1 of 2 checkable claims supported" in text
    assert "I would guess" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_reasoning_only_measurements_are_printed(two_tones):
    console = Console(file=io.StringIO(), width=200)
    main([two_tones], console=console)
    assert "What is claimed" not in console.file.getvalue()


def test_reasoning_may_come_from_standard_input(two_tones, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("I hear two tones."))
    console = Console(file=io.StringIO(), width=200)
    main([two_tones], "-", console=console)
    assert "1 of 1 checkable claims supported" in console.file.getvalue()


def test_a_missing_clip_is_a_typed_error(tmp_path):
    with pytest.raises(AudioError):
        main([str(tmp_path / "none.wav")])


def test_what_is_said_of_one_of_two_clips_is_checked_on_that_one(two_tones, tone_file):
    console = Console(file=io.StringIO(), width=200)
    said = "Clip A has two tones. The second recording has two tones. The second recording is higher."
    main([two_tones, tone_file], said, console=console)
    text = console.file.getvalue()
    assert "What was measured in clip 2" in text
    assert "2 of 3 checkable claims supported" in text
    console = Console(file=io.StringIO(), width=200)
    main([tone_file, two_tones], said, console=console)
    assert "1 of 3 checkable claims supported" in console.file.getvalue()


def test_a_sentence_behind_the_clips_is_what_is_said_of_them(two_tones, tone_file):
    done = CliRunner().invoke(app, ["listen", two_tones, tone_file, "Clip B is near 1000 Hz."], terminal_width=200)
    assert done.exit_code == 0 and "1 of 1 checkable claims supported" in done.stdout
    done = CliRunner().invoke(app, ["listen", two_tones, tone_file])
    assert done.exit_code == 0 and "What is claimed" not in done.stdout


def test_each_clip_has_a_picture_with_what_is_said_of_it(two_tones, tone_file, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "reward.plot.draw",
        lambda path, samples, measurement, grounding: drawn.update({Path(path).name: (measurement, grounding)}),
    )
    said = "Clip A has two tones. The second recording is not noise. The second recording is higher. It is a tone."
    main([two_tones, tone_file], said, plot=str(tmp_path / "clips.png"), console=Console(file=io.StringIO()))
    assert list(drawn) == ["clips-1.png", "clips-2.png"]
    (first, of_first), (second, of_second) = drawn.values()
    assert first.duration != second.duration
    assert [claim.text for claim in of_first.claims] == ["Clip A has two tones"]
    assert len(of_second.claims) == len(of_second.distinct) == 2
    for claim in [*of_first.distinct, *of_second.distinct]:
        inner = claim.statement.statement if isinstance(claim.statement, Not) else claim.statement
        assert inner.part is None  # of the clip, not of its second sound
