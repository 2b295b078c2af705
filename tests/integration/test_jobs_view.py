"""What the jobs service shows of the mesh: in GetMesh and on /metrics."""

from __future__ import annotations

import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, jobs_mesh, wait_for, whole_recipe

from earwitness.queue.names import CONSUMERS, DEAD, TASKS
from earwitness.redis_server import connect
from earwitness.wire.jobs.v1 import jobs_pb2 as wire

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
    get = lambda: mesh.stub.GetMesh(wire.GetMeshRequest(), wait_for_ready=True, timeout=20)  # noqa: E731
    found = wait_for("a worker", lambda: get() if get().workers else None)
    (worker,) = found.workers
    assert (worker.name, worker.role, worker.state, worker.tokens_per_second) == ("stand-in", "rollout", "working", 10)
    assert worker.seen_seconds_ago < 10
    assert [s.stream for s in found.streams] == ["tasks", "rollouts", "scored", "ready", "dead"]


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
    found = until_scraped(mesh, "the running job", lambda s: s.get(running) == 1)
    assert found["ew_job_steps"] == 20
    assert found["ew_job_still_seconds"] < 5
    mesh.kill("rest")
    until_scraped(mesh, "a job that stands still", lambda s: s.get("ew_job_still_seconds", 0) > 4)
