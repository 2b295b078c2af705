"""Checkpoints of other families go through jobs on a real mesh: whole, with LoRA, and through a benchmark."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file
from safetensors.torch import load_file as torch_file
from typer.testing import CliRunner

from earwitness.artifacts import read_groups
from earwitness.cli.commands import app
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.step_audio import STEP_AUDIO
from earwitness.manifest import Example, write_manifest
from earwitness.probe import Traces
from earwitness.probe.write import Asked, write_split
from earwitness.recipe.schema.sampling import RECORDING_KINDS
from earwitness.weights import WeightReader
from earwitness.wire.trajectory.v1 import trajectory_pb2
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, VERSION_KIND_DELTA
from reward.score import score_group
from tests.integration.family_toys import LONGEST, make_toy_of
from tests.integration.mesh_kit import RealMesh
from tests.unit.data.data_kit import lines, tone, write

LISTENER = Path(__file__).parents[2] / "models/listener"
REASONING = "The tone is near 440 Hz."
QUESTION = "What do you hear?"
ANSWER = "a tone"
COMPARED = "The first recording is near 440 Hz and the second is near 660 Hz."
COMPARISON = "First recording: Second recording: Which is higher?"
HIGHER = "second"
TEXTS = [
    f"{QUESTION}\nA. {ANSWER}\nB. noise",
    f"<think>\n{REASONING}\n</think>\n{ANSWER}",
    f"{COMPARISON}\nA. first\nB. {HIGHER}",
    f"<think>\n{COMPARED}\n</think>\n{HIGHER}",
] * 20
"""What the tokenizer learns from."""
CLIPS = 16
"""Prompts of each manifest; every second one is about two clips."""
COMPARISONS = len(RECORDING_KINDS)
"""The probe's own questions about two clips that are learned from, one of each kind; twice as many are held out."""


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    mesh = RealMesh(tmp_path_factory.mktemp("families"))
    yield mesh
    mesh.stop()


def manifests(folder: Path) -> dict[str, str]:
    """Two questions, each of which one sentence answers truly, whichever clips are heard: enough to be learned in a few
    updates."""
    folder.mkdir()
    numbers = np.random.default_rng(5)

    def tone(name: str, hertz: float, seconds: float) -> str:
        time = np.arange(int(16_000 * seconds)) / 16_000
        clip = 0.2 * np.sin(2 * np.pi * hertz * time) + 0.001 * numbers.standard_normal(time.size)
        soundfile.write(folder / f"{name}.wav", clip.astype(np.float32), 16_000)
        return f"{folder}/{name}.wav"

    written = {}
    for name in ("cold_start", "train", "eval"):
        examples = []
        for index in range(CLIPS):
            clip = tone(f"{name}-{index}", 440, 0.8 + 0.13 * index)  # up to 2.75 s: more than a window
            prompt = trajectory_pb2.Prompt(id=f"{name}-{index}", verifier=trajectory_pb2.VERIFIER_CHOICE)
            reasoning = REASONING
            if index % 2:
                reasoning = COMPARED
                prompt.question, prompt.kind, prompt.answer = COMPARISON, "two", HIGHER
                prompt.choices[:] = ["first", HIGHER]
                prompt.clips.add(audio_uri=clip, at=len("First recording: "))
                other = tone(f"{name}-{index}-second", 660, 2.75 - 0.13 * index)
                prompt.clips.add(audio_uri=other, at=COMPARISON.index("Which"))
            else:
                prompt.question, prompt.kind, prompt.answer, prompt.audio_uri = QUESTION, "one", ANSWER, clip
                prompt.choices[:] = [ANSWER, "noise"]
            examples.append(Example(prompt, reasoning=reasoning if name == "cold_start" else None))
        written[name] = str(folder / f"{name}.jsonl")
        write_manifest(written[name], examples)
    asked = Asked(RECORDING_KINDS)
    written["recordings"] = write_split(str(folder / "probe"), COMPARISONS, 5, "train", Traces(), asked)
    written["held_out"] = write_split(str(folder / "probe"), 2 * COMPARISONS, 5, "eval", asked=asked)
    return written


def recipe(name: str, folder: Path, model: Path) -> dict[str, Any]:
    optimizer = {"learning_rate": 1.0e-3}
    few = {"steps": 2, "batch_size": 8, "micro_batch_size": 8, "optimizer": {"learning_rate": 1.0e-5}}
    sampling = {"samples": 2, "max_tokens": 40, "temperature": 0.7}
    return {
        "name": name,
        "output": str(folder / "out"),
        "model": {"path": str(model)},
        "data": manifests(folder / "clips"),
        "stages": [
            {"type": "sft", "tune": {**few, "steps": 100, "optimizer": optimizer}},
            {"type": "mgrd", "prompts": 8, "sampling": sampling, "tune": few},
            {
                "type": "rl", "data": [{"name": "train"}, {"name": "recordings"}],
                "algorithm": "rloo", "steps": 2, "groups_per_step": 4, "sampling": sampling,
                "optimizer": {"learning_rate": 1.0e-5}, "dynamic_filter": False, "checkpoint_every": 2,
            },
            {"type": "sft", "data": "recordings", "tune": few},
            {"type": "eval", "name": "recordings", "data": "held_out", "sampling": sampling},
            {"type": "eval", "name": "final", "sampling": {**sampling, "samples": 1}},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "family",
    [QWEN2_5_OMNI, pytest.param(AUDIOFLAMINGO3, marks=pytest.mark.long)],
    ids=["qwen2_5_omni", "audioflamingo3"],
)
def test_a_family_goes_through_a_job(mesh: RealMesh, tmp_path: Path, family: Family) -> None:
    model = make_toy_of(family, tmp_path / "toy", TEXTS, sharpness=1.0)
    (model / "spk_dict.pt").write_bytes(b"voices")
    job = mesh.until_succeeded(mesh.submit_recipe(recipe(family.model_type, tmp_path, model)).job_id)

    gaps = gaps_of(mesh, job.job_id)
    assert len(gaps) == 2 and max(gaps) <= 1e-3
    report = json.loads(Path(job.output_uri, "report.json").read_text())
    assert report["accuracy"]["n"] == CLIPS
    right = {kind: figures["final"] for kind, figures in report["kinds"].items()}
    assert min(right["one"], right["two"]) > 0.5, f"a constant answer was not learned: {right}"
    share = report["supported_share"]["final"]
    assert share > 0.8, f"not checked on the recording that is meant: {share}"
    scored_as_it_is_heard_here(f"{job.output_uri}/samples/4-score.jsonl")

    (out,) = Path(job.output_uri).glob("checkpoints/2-rl/step-*/hf")
    before, after = (load_file(folder / "model.safetensors") for folder in (model, out))
    assert before.keys() == after.keys()
    sinusoids = {family.names.published("encoder.positional_embedding.weight")} & before.keys()  # never trained
    assert unmoved(before, after) == sinusoids | {name for name in before if family.names.passes(name)}
    beside = out / "spk_dict.pt"
    assert (beside.read_bytes() == b"voices") if "spk_dict.pt" in family.beside else not beside.exists()
    assert (out / "config.json").read_bytes() == (model / "config.json").read_bytes()


def gaps_of(mesh: RealMesh, job_id: str) -> list[float]:
    """Mean |trainer - rollout log-prob| of each RL step."""
    told = [e for e in mesh.client.watch(job_id) if e.kind == "step" and e.job.stage_type == "rl"]
    return [m.value for e in told for m in e.metrics if m.name == "logprob_gap.mean"]


def scored_as_it_is_heard_here(samples: str) -> None:
    """Every comparison has the reward that its two clips give it."""
    groups = read_groups(samples)
    assert Counter(group.task.prompt.kind for group in groups) == dict.fromkeys(RECORDING_KINDS, 2)
    for group in groups:
        again = trajectory_pb2.Group.FromString(group.SerializeToString())
        score_group(again)
        assert len(again.task.prompt.clips) == len(group.trajectories) == 2
        for given, expected in zip(group.trajectories, again.trajectories, strict=True):
            assert not given.reward.drop_reason
            assert given.reward.total == pytest.approx(expected.reward.total, abs=1e-5)
            assert verdicts(given) == verdicts(expected)


def verdicts(trajectory: trajectory_pb2.Trajectory) -> list[tuple[str, int]]:
    return [(claim.text, claim.verdict) for claim in trajectory.reward.claims]


def unmoved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if np.array_equal(before[name], after[name])}


@pytest.mark.long
def test_with_lora_what_is_published_is_what_moves(mesh: RealMesh, tmp_path: Path) -> None:
    """In bf16, where a small update moves few numbers: versions of RL are deltas, of the decoder's matrices alone."""
    model = make_toy_of(AUDIOFLAMINGO3, tmp_path / "toy", TEXTS, sharpness=1.0)
    whole = recipe("lora", tmp_path, model)
    sft, _, rl, *_ = whole["stages"]
    sft["tune"]["steps"] = 4
    rl["entropy_coef"] = 0.01  # whatever the rewards are, there is something to learn
    lora = {"path": str(model), "dtype": "bfloat16", "lora": {"rank": 8, "alpha": 16.0}}
    job = mesh.until_succeeded(mesh.submit_recipe(whole | {"model": lora, "stages": [sft, rl]}).job_id)

    before = torch_file(model / "model.safetensors")  # in fp32: what is frozen comes out to the bit
    matrices = {name for name in before if name.endswith("_proj.weight") and "language_model.model.layers." in name}
    assert len(matrices) == 2 * 7
    reader = WeightReader(mesh.state.weights_urls)
    latest = reader.latest()
    assert latest is not None and latest[0].startswith(job.job_id)
    first, *updates = reader.chain(*latest)
    assert [m.kind for m in (first, *updates)] == [VERSION_KIND_ANCHOR, VERSION_KIND_DELTA, VERSION_KIND_DELTA]
    for update in updates:
        assert {entry.name for entry in update.tensors if entry.nbytes} == matrices

    (checkpoint,) = Path(job.output_uri).glob("checkpoints/1-rl/step-*")
    after = torch_file(checkpoint / "hf" / "model.safetensors")
    assert {name for name in before if not before[name].equal(after[name])} == matrices
    adapter = torch_file(checkpoint / "adapter" / "adapter_model.safetensors")
    assert len(adapter) == 2 * len(matrices)


@pytest.mark.long
def test_big_bench_audio_through_a_real_engine(mesh: RealMesh, tmp_path: Path) -> None:
    """Its layout, from files of 4.5 and 60.2 s to a row: the shipped listener hears them whole, and RL learns from them
    as one policy with its workers."""
    model = shutil.copytree(LISTENER, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["text_config"] |= dict.fromkeys(("max_seq_len", "max_position_embeddings"), LONGEST)
    (model / "config.json").write_text(json.dumps(config))
    assert STEP_AUDIO.audio_tokens(6_020) == 753
    source, out = tmp_path / "bba", tmp_path / "out"
    seconds = (4.5, 60.2, 31.0, 60.0)
    rows = [
        {"category": "navigate", "official_answer": "yes", "file_name": f"data/question_{n}.mp3", "id": n}
        for n in range(len(seconds))
    ]
    lines(source / "metadata.jsonl", *rows)
    for row, length in zip(rows, seconds, strict=True):
        write(source / str(row["file_name"]), tone(440, length, "MP3"))
    given = ["bench", str(model), "--benchmark", "big-bench-audio", "--data", str(source), "--out", str(out)]
    there = ["--address", mesh.state.address, "--token", mesh.state.token]
    done = CliRunner().invoke(app, [*given, "--runs", "2", "--max-tokens", "32", "--json", *there])
    assert done.exit_code == 0, f"{done.output}\n{mesh.logs()}"
    measured = json.loads(done.stdout)
    assert (measured["rows"], measured["runs"], measured["left_out"]) == (4, 2, 0)

    (samples,) = (out / "job").glob("*/samples/0-score.jsonl")
    groups = sorted(read_groups(str(samples)), key=lambda group: group.task.ordinal)
    trajectories = [trajectory for group in groups for trajectory in group.trajectories]
    assert len(trajectories) == 8 and all(trajectory.token_ids for trajectory in trajectories)
    assert not any(trajectory.reward.drop_reason for trajectory in trajectories)
    right = sum(trajectory.reward.correct for trajectory in trajectories)
    assert measured["strict"] == pytest.approx(100 * right / len(trajectories))
    for run in (1, 2):
        answers = [json.loads(line) for line in (out / f"answers-{run}.jsonl").read_text().splitlines()]
        assert [{key: answer[key] for key in rows[0]} for answer in answers] == rows

    rl = {
        "type": "rl", "algorithm": "rloo", "steps": 1, "groups_per_step": len(rows), "dynamic_filter": False,
        "sampling": {"samples": 2, "max_tokens": 32}, "optimizer": {"learning_rate": 1.0e-5},
    }  # fmt: skip
    minutes = {"name": "minutes", "output": str(tmp_path / "minutes"), "model": {"path": str(model)}, "stages": [rl]}
    learned = mesh.submit_recipe(minutes | {"data": {"train": str(out / "big-bench-audio.jsonl")}})
    mesh.until_succeeded(learned.job_id)
    (gap,) = gaps_of(mesh, learned.job_id)
    print(f"log-prob gap of clips up to {max(seconds)} s: {gap:.2e}")
    assert gap <= 1e-3
