"""What a person asks of a mesh by its addresses: `python mesh_client.py submit RECIPE BASE`, `state JOB` and so on."""

from __future__ import annotations

import json
import sys

from earwitness.client import Mesh, state_name
from earwitness.queue.names import LEDGER
from earwitness.redis_client import connect
from earwitness.settings import Settings


def submit(recipe: str, base: str) -> str:
    """Id of the job."""
    with Mesh.connect() as mesh:
        return mesh.submit(recipe, base=base).job_id


def state(job_id: str) -> dict[str, str | int]:
    """What the job is at."""
    with Mesh.connect() as mesh:
        job = mesh.get(job_id)
    at = f"{job.stage_type} {job.phase}"
    return {"state": state_name(job.state), "reason": job.reason, "at": at, "step": job.step, "lineage": job.lineage}


def ledger(job_id: str) -> dict[str, list[str]]:
    """What became of each group, by run."""
    client = connect(Settings.from_env().queue_url)
    runs = [key.decode() for key in client.scan_iter(f"{LEDGER}{job_id}/*")]
    return {run: [said.decode() for said in client.hvals(run)] for run in runs}


def groups(job_id: str) -> dict[str, float]:
    """What the job says last of the groups of its RL stage."""
    with Mesh.connect() as mesh:
        told = [event for event in mesh.events(job_id) if event.kind == "drop" and event.job.phase == "train"]
    return {metric.name: metric.value for metric in told[-1].metrics}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
