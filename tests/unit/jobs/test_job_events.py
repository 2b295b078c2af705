"""What Kubernetes is told of jobs: each thing once, from the service's start on, as events that an API server takes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pytest

from earwitness.cluster.own_api import OwnApi
from earwitness.cluster.own_events import OwnEvents
from earwitness.errors import InfrastructureError
from earwitness.jobs.in_kubernetes import JobTeller
from earwitness.jobs.store import DAMAGE
from earwitness.log import get_logger
from earwitness.wire.jobs.v1 import jobs_pb2


class Store:
    """Jobs and their events, as the store gives them."""

    def __init__(self) -> None:
        self.jobs: dict[str, list[jobs_pb2.Event]] = {}

    def add(self, job_id: str, kind: str, state: str, message: str) -> None:
        events = self.jobs.setdefault(job_id, [])
        job = jobs_pb2.Job(job_id=job_id, state=jobs_pb2.JobState.Value(f"JOB_STATE_{state}"))
        events.append(jobs_pb2.Event(sequence=len(events) + 1, kind=kind, message=message, job=job))

    async def newest(self, offset: int, count: int) -> list[Any]:
        return [SimpleNamespace(job_id=job_id) for job_id in reversed(self.jobs)][offset : offset + count]

    async def get(self, job_id: str) -> Any:
        return SimpleNamespace(sequence=len(self.jobs[job_id]))

    async def events(self, job_id: str, after: int, count: int) -> list[jobs_pb2.Event]:
        return self.jobs[job_id][after : after + count]


class Redis:
    dead = 0

    async def xlen(self, stream: str) -> int:
        return self.dead


class Api(OwnApi):
    """Keeps what it is asked."""

    def __init__(self) -> None:
        self.namespace = "ns"
        self.created: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.refuses = False

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(f"{method} {path}")
        if self.refuses:
            raise InfrastructureError("the Kubernetes API", 0.0, "403: not yours")
        if body is not None:
            self.created.append(body)
        return {"metadata": {"uid": "uid-1"}}


@pytest.fixture
def mesh() -> SimpleNamespace:
    store, redis, api = Store(), Redis(), Api()
    teller = JobTeller(store, redis, OwnEvents(api, "ew-jobs", "jobs", get_logger("test")))  # type: ignore[arg-type]
    return SimpleNamespace(store=store, redis=redis, api=api, look=lambda: asyncio.run(teller.look()))


def told(mesh: SimpleNamespace) -> list[tuple[str, str, str]]:
    return [(e["type"], e["reason"], e["message"]) for e in mesh.api.created]


def test_each_thing_is_told_once_and_nothing_of_before(mesh: SimpleNamespace) -> None:
    mesh.store.add("old", "state", "FAILED", "old failed")
    mesh.redis.dead = 3
    mesh.look()
    assert told(mesh) == []
    mesh.store.add("new", "state", "QUEUED", "new waits for its turn")
    mesh.store.add("new", "state", "STARTING", "new starts")
    mesh.store.add("new", "step", "RUNNING", "step 1")
    mesh.look()
    mesh.look()
    mesh.store.add("new", DAMAGE, "RUNNING", "train: step 7 is damaged; an earlier checkpoint is used")
    mesh.store.add("new", "state", "FAILED", "new failed: no data")
    mesh.redis.dead = 5
    mesh.look()
    assert told(mesh) == [
        ("Normal", "JobStarted", "new starts"),
        ("Warning", "CheckpointDamaged", "new: train: step 7 is damaged; an earlier checkpoint is used"),
        ("Warning", "JobFailed", "new failed: no data"),
        ("Warning", "TaskDeadLettered", "2 tasks were given up, each after it lost its worker again and again"),
    ]


@pytest.mark.parametrize(
    ("state", "reason"),
    [("SUCCEEDED", "JobSucceeded"), ("CANCELLED", "JobCancelled"), ("PAUSED", "JobPaused"), ("RUNNING", None)],
)
def test_states_have_a_word(mesh: SimpleNamespace, state: str, reason: str | None) -> None:
    mesh.look()
    mesh.store.add("j", "state", state, "so it is")
    mesh.look()
    assert told(mesh) == ([("Normal", reason, "so it is")] if reason else [])


def test_events_are_such_that_an_api_server_takes_and_describe_finds(mesh: SimpleNamespace) -> None:
    mesh.look()
    mesh.store.add("j", "state", "FAILED", "because " * 1000)
    mesh.look()
    (event,) = mesh.api.created
    assert len(event["message"]) == 1024
    kubernetes_validate.validate({**event, "metadata": {**event["metadata"], "name": "x"}}, "1.36", strict=True)
    about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ew-jobs", "namespace": "ns", "uid": "uid-1"}
    assert event["involvedObject"] == about
    assert mesh.api.asked == ["GET apis/apps/v1//deployments/ew-jobs", "POST api/v1//events"]


def test_a_refusal_stops_nothing(mesh: SimpleNamespace) -> None:
    mesh.look()
    mesh.api.refuses = True
    mesh.store.add("j", "state", "STARTING", "j starts")
    mesh.look()
    mesh.api.refuses = False
    mesh.store.add("j", "state", "SUCCEEDED", "j succeeded")
    mesh.look()
    assert told(mesh) == [("Normal", "JobSucceeded", "j succeeded")]


def test_paths_stand_within_the_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "namespace").write_text("ns\n")
    (tmp_path / "token").write_text("t")
    seen: list[Any] = []

    class Answer:
        def __enter__(self) -> Any:
            return SimpleNamespace(read=lambda *_: json.dumps({}).encode())

        def __exit__(self, *_: Any) -> None:
            pass

    monkeypatch.setattr("urllib.request.urlopen", lambda request, **_: seen.append(request) or Answer())
    OwnApi("http://h:1", tmp_path).ask("POST", "api/v1//events", {"a": 1})
    assert (seen[0].full_url, seen[0].method) == ("http://h:1/api/v1/namespaces/ns/events", "POST")
