"""The DPO phase of a real trainer process: it starts at the reference, learns to prefer, and resumes bit by bit."""

import math
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import write_data, write_recipe
from trainer_service import TrainerService, losses

from earwitness.manifest import Example, read_manifest, write_manifest
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trajectory.v1 import trajectory_pb2

STEPS = 6


def write_pairs(folder: Path, manifest: str) -> str:
    """To each question an answer that listens, and one that denies to."""
    lines = []
    for example in read_manifest(manifest):
        for sign, reasoning in (("+", "I hear a beep."), ("-", "How many? one two")):
            prompt = trajectory_pb2.Prompt()
            prompt.CopyFrom(example.prompt)
            prompt.id += sign
            lines.append(Example(prompt, reasoning, example.prompt.answer))
    pairs = folder / "pairs.jsonl"
    write_manifest(str(pairs), lines)
    return str(pairs)


def test_killed_and_resumed_it_learns_what_it_would_have_learned(tmp_path):
    manifest = write_data(tmp_path)
    recipe = yaml.safe_load(write_recipe(tmp_path, manifest))
    tune = {
        "steps": STEPS, "batch_size": 8, "micro_batch_size": 4, "packed": True, "beta": 0.5,
        "optimizer": {"learning_rate": 1e-3}, "checkpoint_every": 2,
    }  # fmt: skip
    recipe["stages"] = [recipe["stages"][0], {"type": "dpo", "data": "cold_start", "tune": tune}]
    content = yaml.safe_dump(recipe).encode()
    with TrainerService(tmp_path) as trainer:
        fields = {
            "job_id": "j",
            "recipe_yaml": content,
            "stage_index": 1,
            "phase": "tune",
            "model_uri": trainer.call("PrepareModel", job_id="j", recipe_yaml=content).model_uri,
            "manifest_uri": write_pairs(tmp_path, manifest),
        }
        trainer.call("StartPhase", **fields, checkpoint_uri=str(tmp_path / "whole"))
        done = trainer.wait(state=wire.PHASE_STATE_DONE)
        expected = losses(done)
        assert expected[1] == pytest.approx(math.log(2), abs=1e-5)  # at the reference there is no preference
        assert losses(done, "margin")[1] == pytest.approx(0.0, abs=1e-5)
        assert expected[STEPS] < 0.5
        assert losses(done, "accuracy")[STEPS] == 1.0

        trainer.call("StartPhase", **trainer.cut_short({**fields, "checkpoint_uri": str(tmp_path / "cut")}))
        resumed = trainer.wait(state=wire.PHASE_STATE_DONE)
        assert resumed.lineage == 1
        after = losses(resumed)
        assert after == {step: expected[step] for step in after}  # the reference is the stage's first policy, not this
