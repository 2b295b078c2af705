"""What a person sees, hears and does on the live page while RL goes on in a real mesh."""

from __future__ import annotations

from earwitness.queue import TASKS
from earwitness.wire.jobs.v1 import jobs_pb2
from tests.integration.mesh_kit import RealMesh
from tests.integration.page_kit import Browser, points

REWARD = points("Reward, part by part")
PLAYED = """(async () => {
  const audio = document.querySelector('.sample audio');
  if (audio.paused) await audio.play();
  return audio.currentTime > 0.1 && {duration: audio.duration, at: audio.currentTime};
})()"""
"""Plays the first sample of the page, and says how far it has come."""


def watches_to_the_end(page: Browser, mesh: RealMesh, job: jobs_pb2.Job, steps: int) -> None:
    """The page shows `job`, which is paused in its RL of `steps` steps, or will be at once."""
    seen = page.until("a reward", REWARD)
    page.until("a button to resume", "!document.querySelector('[data-verb=resume]').disabled")
    page.run("document.querySelector('[data-verb=resume]').click()")
    page.until("a reward that grows", f"{REWARD} > {seen}")

    page.until("a button", "!document.querySelector('[data-verb=pause]').disabled")
    page.run("document.querySelector('[data-verb=pause]').click()")
    page.until("a pause", "document.getElementById('state').textContent === 'paused'")
    step = mesh.client.get(job.job_id).step
    page.until("the other button", "!document.querySelector('[data-verb=resume]').disabled")
    page.run("document.querySelector('[data-verb=resume]').click()")
    mesh.until_step(job.job_id, step + 1)

    page.until("samples", "document.querySelectorAll('.sample').length > 0")
    playing = page.until("sound that plays", PLAYED)
    assert playing["duration"] > 0.5 and playing["at"] > 0.1

    listed = "document.getElementById('workers').textContent.includes('rollout-0')"
    assert page.until("the rollout worker", listed)
    mesh.freeze_at_work("rollout-0", TASKS)
    page.until("a list without the worker that hangs", f"!{listed}")
    with mesh.killed("rollout-0"):
        pass
    page.until("its successor", listed)

    page.until("the end", "document.getElementById('state').textContent === 'succeeded'")
    assert mesh.client.get(job.job_id).state == jobs_pb2.JOB_STATE_SUCCEEDED
    page.until("the last step", f"{REWARD} === {steps}")
    assert page.run("document.getElementById('problem').hidden")
