"""The quickstart, watched in a real browser from before it is submitted until it has succeeded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.integration.browser_kit import NEEDS_CHROMIUM
from tests.integration.mesh_kit import RealMesh
from tests.integration.page_kit import opened
from tests.integration.watching_kit import watches_to_the_end

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "recipes" / "quickstart.yaml"
CHOSEN = """((id) => {
  const jobs = document.getElementById('job');
  jobs.value = id;
  if (jobs.value === id) jobs.dispatchEvent(new Event('change'));
  return jobs.value === id;
})(%r)"""
"""Chooses a job as soon as it is in the list."""


@pytest.mark.long
@NEEDS_CHROMIUM
def test_every_stage_of_the_quickstart_is_seen_as_it_runs(tmp_path: Path) -> None:
    recipe = yaml.safe_load(QUICKSTART.read_text())
    recipe |= {"output": str(tmp_path / "out"), "model": recipe["model"] | {"path": str(ROOT / "models" / "listener")}}
    stages = list(enumerate(recipe["stages"], 1))
    mesh = RealMesh(tmp_path)
    try:
        with opened(mesh.client, tmp_path) as page:
            job = mesh.submit_recipe(recipe)
            page.until("the job in the list", CHOSEN % job.job_id)
            for place, stage in stages:
                if stage["type"] in ("sft", "mgrd"):
                    shown = f"groups.get('{place} {stage['type']} tune')?.byTitle.get('Loss')?.series[0].steps.length"
                    page.until(f"all of the loss of stage {place}", f"{shown} === {stage['tune']['steps']}")
            mesh.until_step(job.job_id, 1)
            mesh.client.pause(job.job_id)
            (steps,) = (stage["steps"] for _, stage in stages if stage["type"] == "rl")
            watches_to_the_end(page, mesh, job, steps)
    finally:
        mesh.stop()
