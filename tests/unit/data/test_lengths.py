"""Tokens told before a job starts are those that the trainer learns from and that vLLM is asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.data.lengths import Counting, refuse_too_long
from earwitness.families.registry import MADE
from earwitness.hearing import Cut, clip_uris
from earwitness.logmel import frames
from earwitness.manifest import Example, ManifestError, write_manifest
from earwitness.recipe.load import load_recipe
from earwitness.recipe.schema import Listening
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

LISTENER = Path(__file__).parents[3] / "models/listener"
LIMIT = json.loads((LISTENER / "config.json").read_text())["text_config"]["max_position_embeddings"]


@pytest.fixture
def rows(tmp_path: Path) -> list[Example]:
    """Text alone, a clip at 44.1 kHz, two clips among the words, and one of two segments."""
    clips = []
    for name, seconds, rate in (("a", 0.71, 16_000), ("b", 1.333, 44_100), ("long", 26.3, 8_000)):
        clips.append(str(tmp_path / f"{name}.wav"))
        soundfile.write(clips[-1], 0.1 * np.sin(np.arange(int(seconds * rate)) / 9), rate)
    asked = wire.Prompt(question="How high?", answer="3", verifier=wire.VERIFIER_NUMBER)
    made = []
    for number, heard in enumerate(([], [clips[1]], clips[:2], [clips[2]])):
        prompt = wire.Prompt(id=f"q{number}")
        prompt.MergeFrom(asked)
        if len(heard) > 1:
            prompt.clips.extend(wire.PlacedClip(audio_uri=clip, at=4 * n) for n, clip in enumerate(heard))
        elif heard:
            prompt.audio_uri = heard[0]
        made.append(Example(prompt, reasoning="The first is <higher>." if number else "", response="3"))
    return made


def test_they_are_counted_as_the_trainer_and_vllm_count_them(rows: list[Example]) -> None:
    from rollout.prompts import PromptCodec
    from trainer.mels import MelCache
    from trainer.tuning.examples import Rendering, load_tokenizer

    counting = Counting(str(LISTENER))
    rendering = Rendering(load_tokenizer(LISTENER), MelCache(128, MADE), max_positions=10_000)
    codec = PromptCodec(str(LISTENER))
    for example in rows:
        length = counting.length(example)
        row = rendering.row(example)
        assert (length.prompt, length.response) == (row.prompt_tokens, row.response_tokens)
        encoded = codec.encode(example.prompt)
        heard = [MADE.audio_tokens(frames(len(segment))) for segment in encoded.segments]
        assert length.prompt == len(encoded.token_ids) - len(heard) + sum(heard)
        assert length.heard == sum(heard)


def test_segments_of_listening_have_marks_of_their_own(rows: list[Example]) -> None:
    from trainer.mels import MelCache
    from trainer.tuning.examples import Rendering, load_tokenizer

    counting, mels = Counting(str(LISTENER)), MelCache(128, MADE, Cut(0.5))
    rendering = Rendering(
        load_tokenizer(LISTENER), mels, max_positions=10_000, listening=Listening(segment_seconds=0.5)
    )
    for example in rows:
        length = counting.length(example, Cut(0.5))
        assert length.prompt + length.response == len(rendering.row(example).tokens)
        more = sum(len(mels[clip]) for clip in clip_uris(example.prompt)) > len(clip_uris(example.prompt))
        assert (length.prompt > counting.length(example).prompt) is more


def validate(folder: Path, rows: list[Example], listening: object = None, **model: object) -> tuple[int, str, str]:
    write_manifest(f"{folder}/cold_start.jsonl", rows)
    recipe = {
        "name": "lengths", "output": str(folder / "out"), "model": model or {"path": str(LISTENER)},
        "data": {"cold_start": f"{folder}/cold_start.jsonl"},
        "stages": [
            {"type": "sft", "tune": {"steps": 1, "optimizer": {"learning_rate": 1.0e-3}, "listening": listening}},
            {"type": "eval", "name": "end", "data": "cold_start", "sampling": {"samples": 1, "max_tokens": LIMIT - 40}},
        ],
    }  # fmt: skip
    (folder / "lengths.yaml").write_text(yaml.safe_dump(recipe))
    done = CliRunner().invoke(app, ["validate", str(folder / "lengths.yaml"), "--data"], terminal_width=300)
    return done.exit_code, done.stdout.replace("\n", " "), done.stderr.replace("\n", " ")


def test_a_row_that_does_not_fit_is_named_with_its_tokens_and_the_limit(tmp_path: Path, rows: list[Example]) -> None:
    status, told, wrong = validate(tmp_path, rows)
    lengths = [Counting(str(LISTENER)).length(row) for row in rows]
    longest, cut = lengths[3], sum(40 < length.prompt <= LIMIT for length in lengths)
    assert longest.prompt > LIMIT and status == 1
    assert f"4 rows, the longest prompt {longest.prompt} tokens of {LIMIT}" in told
    assert f"cold_start.jsonl:4 (q3): {longest.prompt} prompt tokens, {longest.heard} of them heard" in wrong
    assert "in stages[0] (sft)" in wrong and "in stages[1] (eval)" in wrong and "2 mistakes" in wrong
    assert cut and f"{cut} of them leave less room than sampling.max_tokens" in wrong

    assert validate(tmp_path, rows[:3])[0] == 0


def test_what_fits_whole_may_not_in_segments_and_a_job_refuses_it_too(tmp_path: Path, rows: list[Example]) -> None:
    counting, row = Counting(str(LISTENER)), rows[1]
    whole = counting.length(row)
    row = Example(row.prompt, f"{row.reasoning}{' 1' * LIMIT}", row.response)
    while counting.length(row).prompt + counting.length(row).response > LIMIT:
        row = Example(row.prompt, (row.reasoning or "")[:-2], row.response)
    assert validate(tmp_path, [row])[0] == 0

    status, told, wrong = validate(tmp_path, [row], {"segment_seconds": 0.5})
    cut, recipe = counting.length(row, Cut(0.5)), load_recipe((tmp_path / "lengths.yaml").read_text())
    assert cut.prompt > whole.prompt and status == 1 and f"the longest prompt {cut.prompt} tokens" in told
    assert f"(q1): {cut.prompt} prompt tokens, {cut.heard} of them heard in segments of 0.5 s" in wrong
    assert "in stages[0] (sft)" in wrong and "1 mistake" in wrong and "longer segments" in wrong
    with pytest.raises(ManifestError, match=r"in segments of 0\.5 s"):
        refuse_too_long(str(LISTENER), recipe, recipe.data, lambda name, number: None)


def test_a_clip_that_cannot_be_heard_is_told_with_its_row(tmp_path: Path, rows: list[Example]) -> None:
    Path(rows[1].prompt.audio_uri).write_bytes(b"RIFFnothing")
    status, _, wrong = validate(tmp_path, rows[:2])
    assert status == 1 and "cold_start.jsonl:2 (q1):" in wrong and "b.wav" in wrong


def test_a_toy_has_no_tokenizer_yet(tmp_path: Path, rows: list[Example]) -> None:
    status, _, wrong = validate(tmp_path, rows[:1], toy={"max_positions": 2_048})
    assert status == 1 and "model: is a toy" in wrong


def refused(folder: Path, rows: list[Example]) -> list[str]:
    write_manifest(f"{folder}/t.jsonl", rows)
    sampling = {"samples": 1, "max_tokens": 9}
    recipe = {
        "name": "lengths", "output": str(folder / "out"), "model": {"path": str(LISTENER)},
        "data": {"t": f"{folder}/t.jsonl"},
        "stages": [{"type": "eval", "name": "end", "data": "t", "sampling": sampling}],
    }  # fmt: skip
    read = load_recipe(yaml.safe_dump(recipe))
    try:
        refuse_too_long(str(LISTENER), read, read.data, lambda name, number: None)
    except ManifestError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_job_refuses_what_does_not_fit_and_decodes_only_what_may_not(
    tmp_path: Path, rows: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    (wrong,) = refused(tmp_path, rows)
    assert "t.jsonl:4 (q3): " in wrong and f"fewer than {LIMIT}" in wrong

    at_the_edge, tokens = rows[1], Counting(str(LISTENER)).length(rows[1]).prompt
    at_the_edge.prompt.question += " 1" * ((LIMIT - tokens) // 2 - 1)
    while Counting(str(LISTENER)).length(at_the_edge).prompt < LIMIT - 1:
        at_the_edge.prompt.question += "1"
    assert Counting(str(LISTENER)).length(at_the_edge).prompt == LIMIT - 1
    assert refused(tmp_path, [at_the_edge]) == []
    at_the_edge.prompt.question += "1 1"
    assert len(refused(tmp_path, [at_the_edge])) == 1

    def decoded(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("earwitness.data.lengths.read_segments", decoded)
    assert refused(tmp_path, [rows[0], rows[2]]) == []
    Path(rows[2].prompt.clips[0].audio_uri).write_bytes(b"RIFFnothing")  # one worker's sample, dropped with its reason
    assert refused(tmp_path, [rows[2]]) == []
