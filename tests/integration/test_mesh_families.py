"""A checkpoint of another family goes through a job of every kind of stage on a real mesh."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.manifest import Example, write_manifest
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.family_toys import make_toy_of
from tests.integration.mesh_kit import RealMesh

REASONING = "The tone is near 440 Hz."
QUESTION = "What do you hear?"
ANSWER = "a tone"
TEXTS = [f"{QUESTION}\nA. {ANSWER}\nB. noise", f"<think>\n{REASONING}\n</think>\n{ANSWER}"] * 20
"""What the tokenizer learns from."""
CLIPS = 16
"""Of each manifest."""


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[RealMesh]:
    mesh = RealMesh(tmp_path)
    yield mesh
    mesh.stop()


def manifests(folder: Path) -> dict[str, str]:
    """A question that one sentence answers truly, whichever clip is heard: enough to be learned in a few updates."""
    folder.mkdir()
    numbers = np.random.default_rng(5)
    written = {}
    for name in ("cold_start", "train", "eval"):
        examples = []
        for index in range(CLIPS):
            time = np.arange(int(16_000 * (0.8 + 0.13 * index))) / 16_000  # up to 2.75 s: more than a window
            clip = 0.2 * np.sin(2 * np.pi * 440 * time) + 0.001 * numbers.standard_normal(time.size)
            path = folder / f"{name}-{index}.wav"
            soundfile.write(path, clip.astype(np.float32), 16_000)
            prompt = trajectory_pb2.Prompt(
                id=f"{name}-{index}", question=QUESTION, choices=[ANSWER, "noise"], answer=ANSWER, audio_uri=str(path),
                verifier=trajectory_pb2.VERIFIER_CHOICE,
            )  # fmt: skip
            examples.append(Example(prompt, reasoning=REASONING if name == "cold_start" else None))
        written[name] = str(folder / f"{name}.jsonl")
        write_manifest(written[name], examples)
    return written


def recipe(folder: Path, model: Path) -> dict[str, Any]:
    optimizer = {"learning_rate": 1.0e-3}
    few = {"steps": 2, "batch_size": 8, "micro_batch_size": 8, "optimizer": {"learning_rate": 1.0e-5}}
    sampling = {"samples": 2, "max_tokens": 40, "temperature": 0.7}
    return {
        "name": "family",
        "output": str(folder / "out"),
        "model": {"path": str(model)},
        "data": manifests(folder / "clips"),
        "stages": [
            {"type": "sft", "tune": {**few, "steps": 60, "optimizer": optimizer}},
            {"type": "mgrd", "prompts": 8, "sampling": sampling, "tune": few},
            {
                "type": "rl", "algorithm": "rloo", "steps": 2, "groups_per_step": 4, "sampling": sampling,
                "optimizer": {"learning_rate": 1.0e-5}, "dynamic_filter": False, "checkpoint_every": 2,
            },
            {"type": "eval", "name": "final", "sampling": {**sampling, "samples": 1}},
        ],
    }  # fmt: skip


def test_qwen2_5_omni_goes_through_a_job(mesh: RealMesh, tmp_path: Path) -> None:
    model = make_toy_of(QWEN2_5_OMNI, tmp_path / "toy", TEXTS, sharpness=1.0)
    (model / "spk_dict.pt").write_bytes(b"voices")
    job = mesh.until_succeeded(mesh.submit_recipe(recipe(tmp_path, model)).job_id)

    told = [e for e in mesh.client.watch(job.job_id) if e.kind == "step" and e.job.stage_type == "rl"]
    gaps = [m.value for e in told for m in e.metrics if m.name == "logprob_gap.mean"]
    assert len(gaps) == 2 and max(gaps) <= 1e-3
    report = json.loads(Path(job.output_uri, "report.json").read_text())
    assert report["accuracy"]["n"] == CLIPS
    assert report["accuracy"]["final"] > 0.5, "a constant answer was not learned"

    (out,) = Path(job.output_uri).glob("checkpoints/2-rl/step-*/hf")
    before, after = (load_file(folder / "model.safetensors") for folder in (model, out))
    assert before.keys() == after.keys()
    untouched = {name for name in before if np.array_equal(before[name], after[name])}
    assert untouched == {name for name in before if QWEN2_5_OMNI.names.passes(name)}
    assert (out / "spk_dict.pt").read_bytes() == b"voices"
    assert (out / "config.json").read_bytes() == (model / "config.json").read_bytes()
