"""What the jobs service shows of the mesh: in GetMesh and on /metrics."""

from __future__ import annotations

import io
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, jobs_mesh, wait_for, whole_recipe

from earwitness.queue import Queue
from earwitness.queue.commands import SHOWN_KEPT
from earwitness.queue.names import CONSUMERS, DEAD, TASKS
from earwitness.redis_server import connect
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.trajectory.v1 import trajectory_pb2

SAMPLE = re.compile(r"^(ew_\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
    return whole_recipe(tmp_path)


def scraped(mesh: Mesh) -> dict[str, float]:
    """Samples by name and labels, as Prometheus reads them; empty while the endpoint is not up."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{mesh.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {name + (f"{{{labels}}}" if labels else ""): float(value) for name, labels, value in SAMPLE.findall(text)}


def until_scraped(mesh: Mesh, what: str, condition: Callable[[dict[str, float]], object]) -> dict[str, float]:
    def there() -> dict[str, float] | None:
        found = scraped(mesh)
        return found if found and condition(found) else None

    return wait_for(what, there)


def test_the_mesh_shows_who_is_here(mesh: Mesh) -> None:
    mesh.start_rest()
    get = lambda: mesh.stub.GetMesh(wire.GetMeshRequest(), wait_for_ready=True)  # noqa: E731
    found = wait_for("a worker", lambda: get() if get().workers else None)
    (worker,) = found.workers
    assert (worker.name, worker.role, worker.state, worker.tokens_per_second) == ("stand-in", "rollout", "working", 10)
    assert worker.seen_seconds_ago < 10
    assert [s.stream for s in found.streams] == ["tasks", "rollouts", "scored", "ready", "dead"]
    assert found.ledger == wire.Ledger()
    queue = Queue(connect(mesh.redis.url))
    queue.open_run("small-1/1-train/0", used={0: 1, 1: 1}, dropped={2: "all wrong"})
    queue.issue(trajectory_pb2.GroupTask(run_id="small-1/1-train/0", ordinal=3))
    ledger = wait_for("the run", lambda: (told := get().ledger).issued + told.rolled + told.ready and told)
    assert (ledger.run_id, ledger.used, ledger.dropped) == ("small-1/1-train/0", 2, 1)
    assert ledger.issued + ledger.rolled + ledger.scored + ledger.ready == 1


def test_metrics_show_work_that_lies_and_work_that_was_given_up(mesh: Mesh) -> None:
    redis = connect(mesh.redis.url)
    redis.xgroup_create(TASKS, CONSUMERS, "0", mkstream=True)
    redis.xadd(TASKS, {"data": b"x"}, id=f"{int(time.time() * 1000) - 60_000}-0")
    redis.xadd(TASKS, {"data": b"x"})
    redis.xadd(DEAD, {"reason": b"y"})
    found = until_scraped(mesh, "the lag", lambda s: s.get('ew_queue_waiting{stream="tasks"}') == 2)
    assert found["ew_queue_up"] == 1
    assert 60 <= found['ew_queue_oldest_seconds{stream="tasks"}'] < 120
    assert found['ew_queue_oldest_seconds{stream="ready"}'] == 0
    assert found["ew_queue_dead_letters"] == 1
    assert not any(name.startswith("ew_job_") for name in found)


def test_metrics_show_a_job_that_stands_still(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--step-seconds", "0.3")
    job_id = mesh.submit(recipe).job.job_id
    mesh.until(job_id, "steps", lambda j: j.stage_type == "sft" and j.step >= 2)
    running = f'ew_job_state{{job_id="{job_id}",state="running"}}'
    found = until_scraped(mesh, "the running job", lambda s: s.get(running) == 1 and s["ew_job_steps"])
    assert found["ew_job_steps"] == 20
    assert found["ew_job_still_seconds"] < 5
    mesh.kill("rest")
    until_scraped(mesh, "a job that stands still", lambda s: s.get("ew_job_still_seconds", 0) > 4)


def test_the_newest_groups_of_a_job_can_be_looked_at_and_their_clips_heard(mesh: Mesh, tmp_path: Path) -> None:
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, np.sin(np.arange(1600) * 0.1) * 0.5, 16_000)
    queue = Queue(connect(mesh.redis.url))

    def show(ordinal: int, job: str = "small-1") -> None:
        task = trajectory_pb2.GroupTask(run_id=f"{job}/1-train/1", ordinal=ordinal)
        task.prompt.audio_uri = str(clip)
        queue.show(trajectory_pb2.Group(task=task))

    show(0, "small-10")
    for ordinal in range(SHOWN_KEPT):
        show(ordinal)
    asked = wire.ListGroupsRequest(job_id="small-1")
    groups = mesh.stub.ListGroups(asked, wait_for_ready=True).groups
    assert [group.task.ordinal for group in groups] == list(reversed(range(SHOWN_KEPT)))
    assert not mesh.stub.ListGroups(wire.ListGroupsRequest(job_id="small-10")).groups
    found = mesh.stub.GetClip(wire.GetClipRequest(run_id="small-1/1-train/1", ordinal=3))
    wave, rate = soundfile.read(io.BytesIO(found.wav))
    assert (len(wave), rate) == (1600, 16_000)
    for run_id, ordinal in (("small-1/1-train/1", 99), ("small-10/1-train/1", 0)):
        with pytest.raises(grpc.RpcError) as refused:
            mesh.stub.GetClip(wire.GetClipRequest(run_id=run_id, ordinal=ordinal))
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
