"""The page's server: only its own browser is answered, and what it answers is what the mesh says."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import threading
from collections.abc import Iterator

import pytest

from earwitness.client import UnknownJob
from earwitness.errors import InputError
from earwitness.page import PageServer
from earwitness.page.data import Data, curves, phases
from earwitness.page.server import FILES
from earwitness.series import steps_of
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trajectory.v1 import trajectory_pb2


def event(sequence: int, kind: str = "step", step: int = 0, message: str = "", **job: object) -> jobs_pb2.Event:
    fields = {"job_id": "small-1", "stage_index": 1, "stage_type": "rl", "phase": "train", "step": step, "steps": 9,
              "state": jobs_pb2.JOB_STATE_RUNNING, **job}  # fmt: skip
    figures = [Metric(name="reward.mean", value=step / 3), Metric(name="unheard.of", value=1)] if kind == "step" else []
    return jobs_pb2.Event(sequence=sequence, time=float(sequence), kind=kind, message=message, metrics=figures,
                          job=jobs_pb2.Job(**fields))  # fmt: skip


class Mesh:
    """In the place of the client."""

    def __init__(self) -> None:
        self.told = [event(1, "state", state=jobs_pb2.JOB_STATE_QUEUED), event(2, "stage", message="rl begins")]
        self.told += [event(2 + step, step=step) for step in range(1, 6)]
        self.asked_after: list[int] = []
        self.acts: list[tuple[str, str]] = []

    def list(self, limit: int) -> list[jobs_pb2.Job]:
        return [self.told[-1].job]

    def mesh(self) -> jobs_pb2.GetMeshResponse:
        worker = jobs_pb2.Worker(name="w0", role="rollout", version=3, state="working", tasks=2)
        ledger = jobs_pb2.Ledger(run_id="small-1/1-train/0", issued=3, ready=1, used=20, dropped=2)
        streams = [jobs_pb2.StreamLag(stream="tasks", waiting=4)]
        return jobs_pb2.GetMeshResponse(workers=[worker], streams=streams, ledger=ledger)

    def events(self, job_id: str, *, after: int = 0) -> list[jobs_pb2.Event]:
        self.asked_after.append(after)
        if job_id != "small-1":
            raise UnknownJob(f"there is no job {job_id!r}")
        return [e for e in self.told if e.sequence > after]

    def groups(self, job_id: str) -> list[trajectory_pb2.Group]:
        group = trajectory_pb2.Group(worker="w0")
        group.task.run_id, group.task.ordinal, group.task.prompt.kind = "small-1/1-train/1", 7, "pitch"
        group.task.prompt.audio_uri = "/clip.wav"
        trajectory = group.trajectories.add(text="It climbs <b>3 st</b>, then falls.\n</think>\nup", token_ids=[1, 2])
        trajectory.reward.correct, trajectory.reward.contradicted = True, 1
        trajectory.reward.claims.add(text="then falls", kind="pitch", verdict=trajectory_pb2.VERDICT_CONTRADICTED,
                                     measured="it rises")  # fmt: skip
        return [group]

    def clip(self, run_id: str, ordinal: int) -> bytes:
        assert (run_id, ordinal) == ("small-1/1-train/1", 7)
        return b"RIFF"

    def pause(self, job_id: str) -> jobs_pb2.Job:
        self.acts.append(("pause", job_id))
        return jobs_pb2.Job(job_id=job_id, state=jobs_pb2.JOB_STATE_PAUSED)

    resume = cancel = pause


@pytest.fixture
def mesh() -> Mesh:
    return Mesh()


@pytest.fixture
def page(mesh: Mesh) -> Iterator[PageServer]:
    with PageServer(mesh) as server:  # type: ignore[arg-type]
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        yield server
        server.shutdown()
        serving.join(10)


def ask(page: PageServer, path: str, verb: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """With the page's cookie, unless another is given."""
    connection = http.client.HTTPConnection("127.0.0.1", page.server_port)
    connection.request(verb, path, headers={"Cookie": f"ew_page={page.token}"} | headers)
    answer = connection.getresponse()
    answer.content = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


def told(page: PageServer, path: str, verb: str = "GET", **headers: str) -> dict:
    answer = ask(page, path, verb, **headers)
    assert answer.status == 200, answer.content
    return json.loads(answer.content)


def test_the_address_that_is_printed_gives_the_cookie(page: PageServer) -> None:
    answer = ask(page, f"/?token={page.token}", Cookie="")
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=Strict" in answer.headers["Set-Cookie"]
    assert page.token in answer.headers["Set-Cookie"] and page.url.endswith(f"/?token={page.token}")


@pytest.mark.parametrize(
    ("path", "verb", "headers"),
    [
        ("/", "GET", {"Cookie": ""}),
        ("/?token=", "GET", {"Cookie": ""}),
        ("/?token=wr%C3%B6ng", "GET", {"Cookie": "ew_page="}),
        ("/api/jobs", "GET", {"Cookie": "ew_page=wrong"}),
        ("/api/jobs", "GET", {"Host": "evil.example"}),
        ("/api/pause/small-1", "POST", {}),
        ("/api/pause/small-1", "POST", {"X-Earwitness": "1", "Cookie": ""}),
    ],
)
def test_nobody_else_is_answered(page: PageServer, mesh: Mesh, path: str, verb: str, headers: dict[str, str]) -> None:
    assert ask(page, path, verb, **headers).status == 403
    assert mesh.acts == [] and mesh.asked_after == []


def test_the_page_is_small_and_asks_nobody_else(page: PageServer) -> None:
    total = 0
    for path in FILES:
        answer = ask(page, path)
        assert answer.status == 200 and "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"http://" not in answer.content and b"https://" not in answer.content
        total += len(answer.content)
    assert total < 100_000
    packed = ask(page, "/page.js", **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip" and b"use strict" in gzip.decompress(packed.content)


def test_a_job_is_told_once_and_then_what_is_new(page: PageServer, mesh: Mesh) -> None:
    first = told(page, "/api/job/small-1?after=0")
    (curve,) = first["curves"]
    assert (first["sequence"], curve["key"], curve["steps"]) == (7, "2 rl train", [1, 2, 3, 4, 5])
    assert curve["values"] == {"reward.mean": [0.333333, 0.666667, 1.0, 1.33333, 1.66667]}
    assert curve["charts"][0]["series"] == [{"name": "reward.mean", "label": "reward", "unit": ""}]
    assert first["words"] == [{"time": 2.0, "kind": "stage", "text": "rl begins"}]
    mesh.told.append(event(8, step=6))
    second = told(page, "/api/job/small-1?after=7")
    assert second["curves"][0]["steps"] == [6] and second["words"] == [] and second["job"]["step"] == 6
    assert mesh.asked_after == [0, 7]


def test_the_line_of_time_has_each_phase_once() -> None:
    events = [event(1, "state", state=jobs_pb2.JOB_STATE_QUEUED), event(2, step=1), event(3, step=2),
              event(4, "sample", phase="score", stage_type="eval", stage_index=2, step=5, steps=8)]  # fmt: skip
    assert phases(events) == [
        {"type": "rl", "phase": "train", "begin": 2.0, "end": 3.0, "step": 2, "steps": 9},
        {"type": "eval", "phase": "score", "begin": 4.0, "end": 4.0, "step": 5, "steps": 8},
    ]


def test_values_that_are_none_are_gaps() -> None:
    broken = event(1, step=1)
    broken.metrics[0].value = math.nan
    (curve,) = curves(steps_of([broken, event(2, step=2)]))
    assert json.loads(json.dumps(curve, allow_nan=False))["values"]["reward.mean"] == [None, 0.666667]


def test_mesh_and_rules_are_told(page: PageServer) -> None:
    seen = told(page, "/api/mesh")
    assert seen["workers"][0]["name"] == "w0" and seen["streams"][0]["waiting"] == 4
    assert told(page, "/api/jobs")[0]["id"] == "small-1"
    assert told(page, "/api/explain/small-1")["job_id"] == "small-1"


def test_newest_groups_have_their_claims_marked(page: PageServer) -> None:
    (group,) = told(page, "/api/groups/small-1")
    assert (group["ordinal"], group["kind"], group["clip"]) == (7, "pitch", True)
    (sample,) = group["samples"]
    assert sample["said"] == [
        {"text": "It climbs <b>3 st</b>, ", "verdict": "", "measured": ""},
        {"text": "then falls", "verdict": "contradicted", "measured": "it rises"},
        {"text": ".", "verdict": "", "measured": ""},
    ]
    assert (sample["answer"], sample["correct"], sample["tokens"]) == ("up", True, 2)
    clip = ask(page, "/api/clip/small-1%2F1-train%2F1/7")
    assert (clip.headers["Content-Type"], clip.content) == ("audio/wav", b"RIFF")
    assert ask(page, "/api/clip/small-1/up").status == 404


def test_buttons_act(page: PageServer, mesh: Mesh) -> None:
    for verb in ("pause", "resume", "cancel"):
        assert told(page, f"/api/{verb}/small-1", "POST", **{"X-Earwitness": "1"})["state"] == "paused"
    assert len(mesh.acts) == 3


def test_what_became_of_the_groups_is_told_with_reasons(page: PageServer, mesh: Mesh) -> None:
    assert told(page, "/api/mesh")["ledger"] == {
        "run_id": "small-1/1-train/0", "issued": 3, "rolled": 0, "scored": 0, "ready": 1, "used": 20, "dropped": 2,
    }  # fmt: skip
    for sequence, wrong in ((8, 30), (9, 60)):
        drop = event(sequence, "drop", step=5, message="groups dropped")
        figures = {"groups.used": 20.0, "groups.dropped": wrong + 2.0, "dropped.all wrong": wrong, "dropped.stale": 2.0}
        drop.metrics.extend(Metric(name=name, value=value) for name, value in figures.items())
        mesh.told.append(drop)
    drops = told(page, "/api/job/small-1?after=0")["drops"]
    assert drops == {"2 rl train": {"used": 20, "dropped": 62, "dropped.all wrong": 60, "dropped.stale": 2}}
    assert told(page, "/api/job/small-1?after=9")["drops"] == {}


def test_versions_of_the_weights_are_told_with_bytes_and_seconds(page: PageServer, mesh: Mesh) -> None:
    for sequence, whole in ((8, 1.0), (9, 0.0)):
        step = event(sequence, step=sequence - 2)
        figures = {"publish.bytes": 1e6 - 9e5 * (1 - whole), "publish.whole": whole, "seconds.publish.send": 0.25}
        step.metrics.extend(Metric(name=name, value=value) for name, value in figures.items())
        mesh.told.append(step)
    anchor, delta = told(page, "/api/job/small-1?after=0")["weights"]
    assert anchor == {"step": 6, "bytes": 1e6, "whole": True, "snapshot": None, "send": 0.25}
    assert delta == {"step": 7, "bytes": 1e5, "whole": False, "snapshot": None, "send": 0.25}


def test_workers_are_scaled_where_that_can_be_done_from_here(page: PageServer) -> None:
    header = {"X-Earwitness": "1"}
    assert told(page, "/api/mesh")["scalable"] is False
    refused = ask(page, "/api/scale/rollout/3", "POST", **header)
    assert refused.status == 502 and "`earwitness scale` where it runs" in refused.content.decode()
    asked: list[tuple[str, int]] = []

    def scale(role: str, count: int) -> str:
        if role != "rollout":
            raise InputError("role", f"{role!r} cannot be scaled", "rollout")
        asked.append((role, count))
        return f"{count} {role} workers are healthy"

    page.data = Data(Mesh(), scale)  # type: ignore[arg-type]
    assert told(page, "/api/mesh")["scalable"] is True
    assert told(page, "/api/scale/rollout/3", "POST", **header) == {"words": "3 rollout workers are healthy"}
    assert ask(page, "/api/scale/trainer/3", "POST", **header).status == 502
    for path in ("/api/scale/rollout/-1", "/api/scale/rollout", "/api/scale/rollout/x", "/api/scale/rollout/3/4"):
        assert ask(page, path, "POST", **header).status == 404
    assert ask(page, "/api/scale/rollout/3", "POST").status == 403
    assert asked == [("rollout", 3)]


@pytest.mark.parametrize(
    ("path", "verb", "status"),
    [
        ("/api/job/other?after=0", "GET", 502),
        ("/api/job/small-1?after=x", "GET", 200),
        ("/api/nothing", "GET", 404),
        ("/../server.py", "GET", 404),
        ("/api/shut/small-1", "POST", 404),
        ("/api/pause", "POST", 404),
    ],
)
def test_other_questions_get_an_answer(page: PageServer, path: str, verb: str, status: int) -> None:
    answer = ask(page, path, verb, **{"X-Earwitness": "1"})
    assert answer.status == status
    if status == 502:
        assert "no job 'other'" in json.loads(answer.content)["error"]
