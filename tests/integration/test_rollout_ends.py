"""How a rollout worker ends when it has hardly begun: killed while its engine starts, and unable to keep up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from earwitness.active import ActiveJob, write_active
from earwitness.queue import TASKS, Queue
from earwitness.redis_server import RedisServer, connect
from earwitness.weights import WeightPublisher
from earwitness.wire.trajectory.v1 import trajectory_pb2
from services.rollout import EXIT_CANNOT_KEEP_UP
from tests.integration.process_kit import PATIENCE, ROOT, below, said_in, wait_for
from tests.integration.rollout_toy import make_model, prompt, sampling, weight_tensors

ENGINE = ("spawn_main", "EngineCore")
"""What vLLM's process is called: before it has imported vLLM, and after."""


@dataclass
class Place:
    """Two Redis servers, a model and a job that wants it served."""

    folder: Path
    queue_url: str
    weights_url: str
    model_dir: Path
    queue: Queue
    workers: list[subprocess.Popen[bytes]]

    def start(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """A rollout worker."""
        with (self.folder / f"{name}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "services.rollout"], cwd=ROOT, stderr=log, stdout=log,
                env={**os.environ, "EW_QUEUE_URL": self.queue_url, "EW_WEIGHTS_URLS": self.weights_url,
                     "EW_NAME": name, **environment},
            )  # fmt: skip
        self.workers.append(worker)
        return worker

    def events(self, name: str, event: str) -> list[dict[str, Any]]:
        return [line for line in said_in((self.folder / f"{name}.log").read_text()) if line["event"] == event]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    workers: list[subprocess.Popen[bytes]] = []
    with RedisServer("queue", tmp_path / "q") as queue, RedisServer("weights", tmp_path / "w") as weights:
        client = connect(queue.url)
        model_dir = make_model(tmp_path / "toy")
        write_active(client, ActiveJob("job", str(model_dir), max_model_len=512))
        try:
            yield Place(tmp_path, queue.url, weights.url, model_dir, Queue(client), workers)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


@pytest.mark.parametrize("names", [ENGINE, ENGINE[1:]], ids=["at once", "in the middle"])
def test_killed_while_its_engine_starts_it_leaves_no_process(place: Place, names: tuple[str, ...]) -> None:
    worker = place.start("killed")
    wait_for("the engine's process", lambda: below(worker.pid, *names))
    children = psutil.Process(worker.pid).children(recursive=True)
    assert not place.events("killed", "engine started"), "too late: the engine had started"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    for process in alive:
        process.kill()
    assert not alive, f"outlived the worker: {alive}"


def test_told_to_stop_while_its_engine_starts_it_ends_at_once_and_leaves_no_process(place: Place) -> None:
    worker = place.start("stopped")
    wait_for("the engine's process", lambda: below(worker.pid, *ENGINE))
    children = psutil.Process(worker.pid).children(recursive=True)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert not place.events("stopped", "engine started") and place.events("stopped", "stopped")
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not alive, f"outlived the worker: {alive}"


def test_a_worker_that_cannot_load_what_is_published_says_so_and_leaves(place: Place) -> None:
    """The newest version lacks a chunk, so that no reader can verify it: it is never served, and no task is taken."""
    publisher = WeightPublisher([place.weights_url], "job/0")
    manifest = publisher.publish_anchor(1, weight_tensors(place.model_dir))
    weights = connect(place.weights_url)
    chunks = [chunk.key for chunk in manifest.chunks]
    assert weights.delete(*chunks) == len(chunks)
    place.queue.open_run("job/0-eval/1")
    place.queue.issue(
        trajectory_pb2.GroupTask(run_id="job/0-eval/1", prompt=prompt(0, ""), sampling=sampling(), min_version=1)
    )
    worker = place.start("slow", EW_ROLLOUT_BEHIND_SECONDS="2")
    said = wait_for(
        "its last word",
        lambda: [w for w in place.queue.workers() if w.fields["state"] == "cannot keep up"],
    )
    assert said[0].fields["behind"] == "1" and said[0].fields["version"] == "0"
    assert worker.wait() == EXIT_CANNOT_KEEP_UP
    assert len(place.events("slow", "weights not loaded")) >= 3 and not place.events("slow", "weights loaded")
    (failed,) = place.events("slow", "service failed")
    assert "CannotKeepUpError: no version could be served for" in failed["error"]
    lag = next(lag for lag in place.queue.lag() if lag.stream == TASKS)
    assert (lag.waiting, lag.pending) == (1, 0)
