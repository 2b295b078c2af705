"""The live page in a real browser, on a mesh that works: curves grow, a worker that is gone leaves, buttons act."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import jobs_mesh, whole_recipe

from earwitness.client import Mesh as Client
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from tests.integration.browser_kit import NEEDS_CHROMIUM
from tests.integration.page_kit import opened, points
from tests.integration.process_kit import PATIENCE

PICTURE = os.environ.get("EW_PICTURE", "")
"""Where the watched page is painted for docs/watching.md; empty: it is not."""

DRAWN_SOON = """(() => {
  const began = performance.now();
  for (const group of groups.values()) group.charts.forEach((chart) => {
    chart.draw();
    chart.canvas.getContext('2d').getImageData(0, 0, 1, 1);
  });
  const taken = performance.now() - began;
  return taken < 1000 && taken;
})()"""
"""Milliseconds that all charts take to be drawn and to have pixels, unless they took a second."""

pytestmark = NEEDS_CHROMIUM


def test_a_job_is_watched_from_a_browser(tmp_path: Path) -> None:
    with jobs_mesh(tmp_path) as mesh:
        mesh.hold("tune", 5)
        mesh.start_rest("--step-seconds", "0.05")
        recipe = whole_recipe(tmp_path) | {"track": []}
        job_id = mesh.submit(recipe).job.job_id
        with (
            Client.connect(f"127.0.0.1:{mesh.jobs_port}", seconds=PATIENCE) as client,
            opened(client, tmp_path) as page,
        ):
            page.until("the job", f"document.getElementById('job').value === {job_id!r}")
            seen = page.until("a curve", points("Loss"))
            mesh.hold("tune", 10)
            page.until("a curve that grows", f"{points('Loss')} > {seen}")
            assert "loss" in page.run("document.querySelector('.chart canvas').getAttribute('aria-label')")
            page.until("a worker", "document.getElementById('workers').textContent.includes('stand-in')")
            assert page.run("document.getElementById('problem').hidden")

            click = "document.querySelector('[data-verb={}]').click()"
            page.run(click.format("pause"))
            page.until("a pause", "document.getElementById('state').textContent === 'paused'")
            assert mesh.get(job_id).state == jobs_pb2.JOB_STATE_PAUSED
            mesh.hold("train")
            page.run(click.format("resume"))
            page.until("the end of the pause", "document.getElementById('state').textContent === 'running'")

            page.until("an RL step", points("Reward, part by part"))
            page.until("the weights", "document.getElementById('weights').textContent.includes('delta2.5 MB')")
            page.until("the ledger", "/-train.*used/.test(document.getElementById('ledger').textContent)")
            page.until("what bounds it", "document.getElementById('why').textContent.includes('Bound: the trainer')")

            page.until("samples", "document.querySelectorAll('.sample').length === 12")
            said = page.run("document.querySelector('.sample .said').textContent")
            assert "<b>loud</b>" in said  # a model's text stays text
            assert page.run("document.querySelector('.sample mark.supported').textContent") == "a tone"
            page.run("(() => { const a = document.querySelector('.sample audio'); a.preload = 'auto'; a.load(); })()")
            page.until("sound", "document.querySelector('.sample audio').duration > 0.09")
            choose = "((e, v) => { e.value = v; e.dispatchEvent(new Event('change')); })"
            change = choose + "(document.getElementById('filter'), '%s')"
            for wanted, other in (("right", "wrong"), ("wrong", "right")):
                page.run(change % wanted)
                assert page.run(f"document.querySelectorAll('.sample > .{wanted}').length") > 0
                assert page.run(f"document.querySelectorAll('.sample > .{other}').length") == 0
            page.run(choose + "(document.getElementById('count'), 3)")
            page.run("document.getElementById('scale').requestSubmit()")
            page.until("a scale", "document.getElementById('scaled').textContent === '3 rollout workers are healthy'")
            if PICTURE:
                page.run("document.getElementById('smooth').scrollIntoView()")
                page.picture(Path(PICTURE))
            mesh.kill("rest")
            page.until("no worker", "!document.getElementById('workers').textContent.includes('stand-in')")


class Long:
    """A client that tells of ten thousand steps."""

    STEPS = 10_000

    def list(self, limit: int) -> list[jobs_pb2.Job]:
        return [self.job(self.STEPS)]

    def job(self, step: int) -> jobs_pb2.Job:
        return jobs_pb2.Job(
            job_id="long-1", stage_type="rl", phase="train", step=step, state=jobs_pb2.JOB_STATE_RUNNING
        )

    def mesh(self) -> jobs_pb2.GetMeshResponse:
        return jobs_pb2.GetMeshResponse()

    def groups(self, job_id: str) -> list[object]:
        return []

    def events(self, job_id: str, *, after: int = 0) -> list[jobs_pb2.Event]:
        names = ("reward.mean", "kl", "entropy", "clip_share", "think_tokens.mean", "grad_norm", "loss.policy")
        return [
            jobs_pb2.Event(sequence=i, time=float(i), kind="step", job=self.job(i),
                           metrics=[Metric(name=name, value=(i * 7919 % 1000) / 1000) for name in names])
            for i in range(after + 1, self.STEPS + 1)
        ]  # fmt: skip


def test_ten_thousand_steps_are_drawn_smoothed_and_zoomed(tmp_path: Path) -> None:
    with opened(Long(), tmp_path) as page:
        page.until("the curves", f"{points('KL and entropy')} === {Long.STEPS}")
        drawn = "[...groups.values()][0].byTitle.get('KL and entropy')"
        spread = "((s) => Math.max(...s) - Math.min(...s))(smoothed(%s.series[0].values, %s))"
        assert page.run(spread % (drawn, 0)) > 0.99
        assert page.run(spread % (drawn, 0.3)) < 0.05
        milliseconds = page.until("a drawing within a second", DRAWN_SOON)  # one that no other process interrupts
        print(f"all charts of {Long.STEPS} steps drawn in {milliseconds / 1000:.2f} s")
        page.run(f"{drawn}.group.zoom = [100, 200]; {drawn}.group.hover = 150; {drawn}.draw()")
        assert page.run(f"{drawn}.caption.textContent") == "KL and entropy · step 150"
        assert page.run(f"{drawn}.legend.textContent").startswith(f"kl {(150 * 7919 % 1000) / 1000}")
        pixels = "((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        ink = pixels + "(%s.canvas).some((v) => v)"
        assert page.run(ink % drawn)
