"""A benchmark that is asked aloud, of a server that has no model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.errors import InfrastructureError
from earwitness.probe.sound import tone
from serving.realtime.aloud import ask_all
from tests.unit.serving.realtime_kit import place
from tests.unit.serving.serving_kit import Hum, Parrot, wav

CATEGORIES = (("formal_fallacies", "invalid"), ("navigate", "yes"), ("web_of_lies", "no"))


def questions(folder: Path, seconds: float = 0.4) -> Path:
    """Big Bench Audio in its layout."""
    (folder / "data").mkdir(parents=True)
    rows = []
    for number, (category, answer) in enumerate(CATEGORIES):
        name = f"data/question_{number}.mp3"
        (folder / name).write_bytes(wav(0.1 * tone(seconds, 300.0 + 50 * number)))
        rows.append({"category": category, "official_answer": answer, "file_name": name, "id": number})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


async def test_a_benchmark_is_asked_aloud_and_its_transcripts_are_scored(tmp_path: Path) -> None:
    """Everybody is told "no": one of three is right, by our rule and by the published one."""
    parrot, out = Parrot("I heard it.\n</think>\nNo"), tmp_path / "out"
    async with place(parrot, voice=Hum(), token="secret") as there:
        data = str(questions(tmp_path / "bba"))
        given = ["bench", "--realtime", f"http://{there.address}", "--token", "secret", "--data", data,
                 "--benchmark", "big-bench-audio", "--out", str(out), "--json"]  # fmt: skip
        done = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert (measured["rows"], measured["answered"], measured["official"]) == (3, 3, pytest.approx(50.0))
    assert measured["strict"] == pytest.approx(100 / 3)
    assert 0 < measured["first_audio"]["p50"] <= measured["first_audio"]["p95"]
    answers = [json.loads(line) for line in (out / "answers-1.jsonl").read_text().splitlines()]
    assert [answer["response"] for answer in answers] == ["No"] * 3
    assert {answer["thinking_prediction"] for answer in answers} == {"I heard it."}
    heard = [clip for asked in parrot.asked for clip in asked.clips]
    assert [round(float(np.abs(np.fft.rfft(sound)).argmax() / 0.4)) for sound in heard] == [300, 350, 400]


async def test_what_the_server_refuses_is_told_and_the_next_is_asked(tmp_path: Path) -> None:
    from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

    clips = [tmp_path / "gone.wav", tmp_path / "there.wav"]
    clips[1].write_bytes(wav(0.1 * tone(0.2, 300.0)))
    prompts = [wire.Prompt(id=clip.stem, audio_uri=str(clip), question="How high?") for clip in clips]
    told: list[tuple[int, int]] = []
    async with place(voice=Hum()) as there:
        heard = await ask_all(f"http://{there.address}", "", prompts, lambda *counts: told.append(counts))
    assert [group.task.prompt.id for group in heard.groups] == ["there"] and len(heard.first_seconds) == 1
    assert [why.split(":")[0] for why in heard.refused] == ["gone"] and told == [(1, 2), (2, 2)]
    async with place() as there:  # no voice
        heard = await ask_all(f"http://{there.address}", "", prompts[1:], lambda *counts: None)
        assert heard.groups == [] and "no voice" in heard.refused[0]
    with pytest.raises(InfrastructureError, match="earwitness serve"):
        await ask_all(f"http://{there.address}", "", prompts, lambda *counts: None)


def test_a_model_or_a_server_is_asked(tmp_path: Path) -> None:
    given = ["bench", "--benchmark", "big-bench-audio", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1 and "MODEL, --realtime" in done.stderr
