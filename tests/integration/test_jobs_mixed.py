"""A job whose stages take several manifests: shares of what is sampled, and a ledger as exact as ever."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import check_ledgers, jobs_mesh, whole_recipe

from earwitness.manifest import Example, read_manifest, write_manifest
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.trajectory.v1 import trajectory_pb2


def sampled(output: str, phase: str) -> list[str]:
    """Prompt ids of a sampling pass, by ordinal."""
    lines = Path(output, "samples", f"{phase}.jsonl").read_text().splitlines()
    return [json.loads(line)["task"]["prompt"]["id"] for line in lines]


def test_every_stage_mixes_sound_and_text(tmp_path: Path) -> None:
    recipe = whole_recipe(tmp_path)
    texts = [
        Example(
            trajectory_pb2.Prompt(
                id=f"train-{n}", question="1 + 1?", choices=["up", "down"], answer="up", kind="text",
                verifier=trajectory_pb2.VERIFIER_CHOICE,
            ),
            reasoning="It rises.",
        )
        for n in range(8)
    ]  # fmt: skip
    recipe["data"]["text"] = str(tmp_path / "text.jsonl")
    write_manifest(recipe["data"]["text"], texts)
    for stage in recipe["stages"]:
        names = {"sft": "cold_start", "eval": "eval"}
        weight = {} if stage["type"] == "eval" else {"weight": 3}
        stage["data"] = [{"name": names.get(stage["type"], "train"), **weight}, {"name": "text"}]
    with jobs_mesh(tmp_path) as mesh:
        mesh.start_rest()
        job = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
        assert job.state == wire.JOB_STATE_SUCCEEDED, job
        check_ledgers(mesh, job, recipe, evaluated=32)
    mixed = Counter(e.prompt.id.split("/")[0] for e in read_manifest(f"{job.output_uri}/mixed/0.jsonl"))
    assert mixed == {"cold_start": 24, "text": 8}
    for phase, count in (("2-sample", 16), ("3-select", 20)):
        ids = sampled(job.output_uri, phase)
        assert len(set(ids)) == len(ids) == count
        assert Counter(name.split("/")[0] for name in ids) == {"train": count * 3 // 4, "text": count // 4}
    assert sampled(job.output_uri, "1-score") == [f"eval/eval-{n}" for n in range(24)] + [
        f"text/train-{n}" for n in range(8)
    ]
