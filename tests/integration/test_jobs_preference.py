"""A job whose last stage corrects self-cognition by DPO, on stand-ins for rollout, reward and trainer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, jobs_mesh, whole_recipe

from earwitness.manifest import read_manifest
from earwitness.wire.jobs.v1 import jobs_pb2 as wire


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


def test_samples_become_pairs_and_the_pairs_are_tuned_on(mesh: Mesh, tmp_path: Path) -> None:
    recipe = whole_recipe(tmp_path)
    tune = {"steps": 4, "optimizer": {"learning_rate": 1e-3}, "beta": 0.2, "length_normalised": True}
    dpo = {"type": "dpo", "prompts": 20, "sampling": {"samples": 8}, "max_per_prompt": 1, "tune": tune}
    recipe["stages"] = [recipe["stages"][0], dpo, recipe["stages"][-1]]
    mesh.start_rest()
    events = mesh.events(mesh.submit(recipe).job.job_id)
    job = events[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    assert [e.job.step for e in events if e.kind == "step" and e.job.stage_type == "dpo"] == [1, 2, 3, 4]

    pairs = read_manifest(str(Path(job.output_uri, "dpo", "1.jsonl")))
    counts = json.loads(Path(job.output_uri, "dpo", "1.counts.json").read_text())
    assert sum(counts.values()) == 20 * 8
    assert 2 <= len(pairs) <= 2 * 20  # a fifth of the stand-in's answers are surrogates
    for chosen, rejected in zip(pairs[0::2], pairs[1::2], strict=True):
        assert chosen.prompt.id.endswith("~0+") and rejected.prompt.id.endswith("~0-")
        assert chosen.prompt.audio_uri == rejected.prompt.audio_uri
        assert chosen.response == chosen.prompt.answer  # right; the rejected one may be either
    report = json.loads(Path(job.output_uri, "report.json").read_text())
    assert report["seconds"]["dpo"] > 0
