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

STEPS = 20_000
"""More than are done while somebody looks."""
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
    found = wait_for("a worker", lambda: told if (told := get()).workers else None)
    (worker,) = found.workers
    assert (worker.name, worker.role, worker.state, worker.tokens_per_second) == ("stand-in", "rollout", "working", 10)
    wait_for("it to be seen again and again", lambda: [w for w in get().workers if w.seen_seconds_ago < 1])
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
    begun = time.time() - 60
    redis.xadd(TASKS, {"data": b"x"}, id=f"{int(begun * 1000)}-0")
    redis.xadd(TASKS, {"data": b"x"})
    redis.xadd(DEAD, {"reason": b"y"})
    found = until_scraped(mesh, "the lag", lambda s: s.get('ew_queue_waiting{stream="tasks"}') == 2)
    assert found["ew_queue_up"] == 1
    assert 60 <= found['ew_queue_oldest_seconds{stream="tasks"}'] <= time.time() - begun + 0.1
    assert found['ew_queue_oldest_seconds{stream="ready"}'] == 0
    assert found["ew_queue_dead_letters"] == 1
    assert not any(name.startswith("ew_job_") for name in found)


def test_metrics_show_a_job_that_stands_still(mesh: Mesh, recipe: dict) -> None:
    recipe["stages"][0]["tune"] |= {"steps": STEPS}
    mesh.start_rest("--step-seconds", "0.1")
    job_id = mesh.submit(recipe).job.job_id
    mesh.until(job_id, "steps", lambda j: j.stage_type == "sft" and j.step >= 2)
    running = f'ew_job_state{{job_id="{job_id}",state="running"}}'
    goes_on = lambda s: s.get(running) == 1 and s.get("ew_job_steps") and s["ew_job_still_seconds"] < 5  # noqa: E731
    found = until_scraped(mesh, "a job that goes on", goes_on)
    assert found["ew_job_steps"] == STEPS
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


def test_the_way_of_a_group_goes_on_to_the_weights_that_were_learned_from_it(mesh: Mesh, recipe: dict) -> None:
    submitted = mesh.submit(recipe).job
    queue, run_id, lineage = Queue(connect(mesh.redis.url)), f"{submitted.job_id}/1-train/0", f"{submitted.job_id}/0"

    def ask(ordinal: int | None = None) -> list[tuple[str, str]]:
        found = mesh.stub.GetGroup(wire.GetGroupRequest(job_id=submitted.job_id, ordinal=ordinal), wait_for_ready=True)
        assert found.submitted_at == submitted.submitted_at
        return [(stay.station, stay.worker) for stay in found.group.passages]

    ways = []
    for ordinal, version in ((3, 1), (4, 2)):
        way = trajectory_pb2.Group(task=trajectory_pb2.GroupTask(run_id=run_id, ordinal=ordinal))
        way.passages.add(station="rollout", worker="w0", arrived=version)
        way.passages.add(station="train", worker="t0", arrived=version, version=version, lineage=lineage)
        ways.append(way)
        queue.keep_learned([way])
    for station, worker, version, of in (
        ("load", "w1", 1, lineage), ("load", "w0", 1, lineage), ("publish", "t0", 1, lineage),
        ("publish", "t0", 2, lineage), ("load", "w9", 1, "other/0"),
    ):  # fmt: skip
        ended = {"t0": 1.0, "w0": 2.0, "w1": 3.0}.get(worker, 4.0)
        queue.keep_carried(
            trajectory_pb2.Passage(station=station, worker=worker, version=version, lineage=of, ended=ended)
        )
    shown = trajectory_pb2.Group(task=trajectory_pb2.GroupTask(run_id=run_id, ordinal=5))
    shown.passages.add(station="rollout", worker="w1")
    queue.show(shown)
    begin = [("rollout", "w0"), ("train", "t0"), ("publish", "t0")]
    assert ask(3) == ask() == [*begin, ("load", "w0"), ("load", "w1")]  # the newest whose way is over
    assert ask(4) == begin
    assert ask(5) == [("rollout", "w1")]
    for job_id, ordinal, said in ((submitted.job_id, 9, "they are: 4, 3, 5"), ("none-1", 3, "there is no job")):
        with pytest.raises(grpc.RpcError) as refused:
            mesh.stub.GetGroup(wire.GetGroupRequest(job_id=job_id, ordinal=ordinal))
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND and said in str(refused.value.details())
