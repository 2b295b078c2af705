"""Questions that compare two recordings: what is said of each is true of that one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from earwitness.audio import read_audio
from earwitness.chat import question_text
from earwitness.hearing import clip_uris, pieces
from earwitness.manifest import Example, read_manifest, write_manifest
from earwitness.probe import Traces
from earwitness.probe.write import Asked, make_example
from earwitness.recipe.schema.sampling import RECORDING_KINDS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import measure

SUPPORTED, CONTRADICTED = trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_CONTRADICTED


def made(folder: Path, kind: str, index: int, split: str = "lessons") -> tuple[trajectory_pb2.Prompt, str]:
    prompt, reasoning, _, _ = make_example(str(folder), 3, split, Traces(), index, Asked((kind,)))
    assert reasoning is not None
    return trajectory_pb2.Prompt.FromString(prompt), reasoning


@pytest.mark.parametrize("kind", RECORDING_KINDS)
def test_what_is_cited_is_in_the_recording_of_which_it_is_said(tmp_path: Path, kind: str) -> None:
    answers, exchanged = set(), 0
    for index in range(6):
        prompt, reasoning = made(tmp_path, kind, index)
        first, second = (measure(read_audio(uri)) for uri in clip_uris(prompt))
        said = [float(number) for number in re.findall(r"-?[\d.]+(?= (?:Hz|s|dB)\b)", reasoning)]
        assert prompt.answer == ("first" if said[0] > said[1] else "second"), reasoning
        answers.add(prompt.answer)
        found = check_claims(reasoning, prompt, [first, second])
        assert found.supported >= 2 and found.contradicted == 0, reasoning
        exchanged += check_claims(reasoning, prompt, [second, first]).contradicted
    assert answers == {"first", "second"}
    assert exchanged >= 12, "which recording is which made no difference"


def test_each_recording_stands_behind_its_name_and_a_manifest_keeps_it_there(tmp_path: Path) -> None:
    prompt, reasoning = made(tmp_path, "recording_higher", 1)
    first, second = clip_uris(prompt)
    assert list(pieces(prompt))[:4] == [
        ("First recording: ", None), ("", first), (" Second recording: ", None), ("", second)
    ]  # fmt: skip
    assert prompt.audio_uri == "" and "recording" in question_text(prompt)
    write_manifest(f"{tmp_path}/two.jsonl", [Example(prompt, reasoning)])
    assert read_manifest(f"{tmp_path}/two.jsonl", check_audio=True)[0].prompt == prompt


@pytest.mark.parametrize("kind", RECORDING_KINDS)
def test_without_what_decides_the_two_cannot_be_told_apart_by_it(tmp_path: Path, kind: str) -> None:
    prompt, _ = made(tmp_path, kind, 2, "eval")
    write_manifest(f"{tmp_path}/two.jsonl", [Example(prompt)])
    prompt = read_manifest(f"{tmp_path}/two.jsonl", check_audio=True)[0].prompt
    first, second = (measure(read_audio(clip.control_uri)) for clip in prompt.clips)
    if kind == "recording_higher":
        assert not any(event.pitch for event in [*first.events, *second.events])
    elif kind == "recording_longer":
        assert first.duration == second.duration == 1.0
    else:
        assert first.events[0].level == pytest.approx(second.events[0].level, abs=1.5)
        was = [measure(read_audio(clip.audio_uri)).events[0].level for clip in prompt.clips]
        assert abs(was[0] - was[1]) > 3
    assert not made(tmp_path, kind, 2, "train")[0].clips[0].control_uri


def test_the_same_index_sounds_otherwise_in_another_split(tmp_path: Path) -> None:
    clips = []
    for split in ("lessons", "train", "eval"):
        (tmp_path / split).mkdir()
        clips += clip_uris(made(tmp_path / split, "recording_longer", 0, split)[0])
    assert len({Path(uri).read_bytes() for uri in clips}) == 6
