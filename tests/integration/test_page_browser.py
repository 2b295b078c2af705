"""The live page in a real browser, on a mesh that works: curves grow, a worker that is gone leaves, buttons act."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import jobs_mesh, wait_for, whole_recipe

from earwitness.client import Mesh as Client
from earwitness.page import PageServer
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH")


class Browser:
    """One page, driven through Chromium's DevTools protocol."""

    def __init__(self, address: str, folder: Path) -> None:
        connect = pytest.importorskip("websockets.sync.client").connect
        self._folder = folder
        self._process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
             f"--user-data-dir={folder / 'profile'}", "--window-size=1300,1200", "about:blank"],
            stderr=(folder / "chromium.log").open("wb"), start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
        port = wait_for("Chromium", self._port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        self._socket = connect(pages[0]["webSocketDebuggerUrl"], max_size=None)
        self._number = 0
        self._send("Page.navigate", url=address)
        self.until("the page", "typeof groups !== 'undefined'")

    def _port(self) -> str:
        file = self._folder / "profile" / "DevToolsActivePort"
        return file.read_text().split("\n")[0] if file.exists() else ""

    def _send(self, method: str, **params: Any) -> dict:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            told = json.loads(self._socket.recv(timeout=60))
            if told.get("id") == self._number:
                return told["result"]

    def run(self, program: str) -> Any:
        """The value of a piece of JavaScript."""
        found = self._send("Runtime.evaluate", expression=program, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, what: str, program: str) -> Any:
        return wait_for(what, lambda: self.run(program))

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait(20)


@contextlib.contextmanager
def opened(client: Any, folder: Path) -> Iterator[Browser]:
    with PageServer(client) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        browser = Browser(server.url, folder)
        try:
            yield browser
        finally:
            browser.close()
            server.shutdown()


def points(chart: str) -> str:
    """How many steps a chart shows."""
    return f"Math.max(0, ...[...groups.values()].map((g) => g.byTitle.get({chart!r})?.series[0].steps.length ?? 0))"


def test_a_job_is_watched_from_a_browser(tmp_path: Path) -> None:
    with jobs_mesh(tmp_path) as mesh:
        mesh.start_rest("--step-seconds", "0.4")
        recipe = whole_recipe(tmp_path) | {"track": []}
        job_id = mesh.submit(recipe).job.job_id
        with Client.connect(f"127.0.0.1:{mesh.jobs_port}") as client, opened(client, tmp_path) as page:
            page.until("the job", f"document.getElementById('job').value === {job_id!r}")
            seen = page.until("a curve", points("Loss"))
            page.until("a curve that grows", f"{points('Loss')} > {seen}")
            assert "loss" in page.run("document.querySelector('.chart canvas').getAttribute('aria-label')")
            page.until("a worker", "document.getElementById('workers').textContent.includes('stand-in')")
            assert page.run("document.getElementById('problem').hidden")

            click = "document.querySelector('[data-verb={}]').click()"
            page.run(click.format("pause"))
            page.until("a pause", "document.getElementById('state').textContent === 'paused'")
            assert mesh.get(job_id).state == jobs_pb2.JOB_STATE_PAUSED
            page.run(click.format("resume"))
            page.until("its end", "document.getElementById('state').textContent === 'running'")

            page.until("an RL step", points("Reward, part by part"))
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
        started = time.monotonic()
        page.run("(() => { for (const g of groups.values()) g.charts.forEach((c) => c.draw()); })()")
        print(f"all charts of {Long.STEPS} steps drawn in {time.monotonic() - started:.2f} s")
        page.run(f"{drawn}.group.zoom = [100, 200]; {drawn}.group.hover = 150; {drawn}.draw()")
        assert page.run(f"{drawn}.caption.textContent") == "KL and entropy · step 150"
        assert page.run(f"{drawn}.legend.textContent").startswith(f"kl {(150 * 7919 % 1000) / 1000}")
        pixels = "((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        ink = pixels + "(%s.canvas).some((v) => v)"
        assert page.run(ink % drawn)
