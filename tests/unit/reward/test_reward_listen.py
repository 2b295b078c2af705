"""`listen` as a person sees it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from earwitness.audio import AudioError
from reward.listen import main


def test_claims_are_printed_with_verdict_and_measured_value_and_drawn(two_tones, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    picture = tmp_path / "clip.png"
    main(
        two_tones, "The first tone is near 900 Hz. The second is higher. I would guess [red]so.", str(picture), console
    )
    text = console.file.getvalue()
    assert "contradicted" in text
    assert "439 Hz" in text
    assert "1 of 2 checkable claims supported" in text
    assert "I would guess" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_reasoning_only_measurements_are_printed(two_tones):
    console = Console(file=io.StringIO(), width=200)
    main(two_tones, console=console)
    assert "What is claimed" not in console.file.getvalue()


def test_reasoning_may_come_from_standard_input(two_tones, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("I hear two tones."))
    console = Console(file=io.StringIO(), width=200)
    main(two_tones, "-", console=console)
    assert "1 of 1 checkable claims supported" in console.file.getvalue()


def test_a_missing_clip_is_a_typed_error(tmp_path):
    with pytest.raises(AudioError):
        main(str(tmp_path / "none.wav"))
