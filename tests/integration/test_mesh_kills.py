"""Every process of a real mesh is killed in the middle of a job, and the job succeeds. One mesh, the tests in order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from earwitness.local.state import NoMesh
from earwitness.local.sweep import born, tagged
from earwitness.queue import READY, ROLLOUTS, TASKS
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trainer.v1 import trainer_pb2
from tests.integration.mesh_kit import PROBE, TOY, RealMesh, published_versions, wait_for
from tests.integration.trace_collector import Collector, collector

STEPS = 6
GROUPS = 4
CANCEL_SECONDS = 10.0


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as there:
        yield there


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, traces: Collector) -> Iterator[RealMesh]:
    with pytest.MonkeyPatch.context() as patch:
        traces.environment(patch)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")  # ms: who is killed loses what was not sent yet
        mesh = RealMesh(tmp_path_factory.mktemp("mesh"))
    yield mesh
    with suppress(NoMesh):  # stopped by the last test
        mesh.stop()


@pytest.fixture
def first(mesh: RealMesh) -> jobs_pb2.Job:
    return mesh.submit("workers", {"toy": TOY}, STEPS)


@pytest.fixture
def second(mesh: RealMesh, first: jobs_pb2.Job) -> jobs_pb2.Job:
    """On the first one's model, so that the rollout worker keeps its engine."""
    return mesh.submit("control", {"path": f"{first.output_uri}/model"}, STEPS)


def test_the_same_request_is_one_job_and_a_second_one_waits(
    mesh: RealMesh, first: jobs_pb2.Job, second: jobs_pb2.Job
) -> None:
    again = mesh.submit("workers", {"toy": TOY}, STEPS)
    assert again.job_id == first.job_id != second.job_id
    assert {j.job_id for j in mesh.client.list()} == {first.job_id, second.job_id}
    mesh.until(first.job_id, "the first to start", lambda j: j.state != jobs_pb2.JOB_STATE_QUEUED)
    assert mesh.client.get(second.job_id).state == jobs_pb2.JOB_STATE_QUEUED


def test_a_job_survives_the_kill_of_each_worker(
    mesh: RealMesh, first: jobs_pb2.Job, second: jobs_pb2.Job, traces: Collector
) -> None:
    with published_versions(mesh) as versions:
        mesh.until_step(first.job_id, 1)
        mesh.freeze_at_work("rollout-0", TASKS)
        killed = time.time()
        with mesh.killed("rollout-0"):
            mesh.until_step(first.job_id, 2)
        mesh.until_step(first.job_id, 3)
        mesh.freeze_at_work("reward-0", ROLLOUTS)
        with mesh.killed("reward-0"):
            assert mesh.client.get(second.job_id).state == jobs_pb2.JOB_STATE_QUEUED
        job = mesh.until_succeeded(first.job_id)
    assert job.lineage == 0
    check_ledger(mesh, job)
    check_versions(versions, job)
    check_steps(mesh, job)
    check_traces(mesh, job, traces, killed)


def test_a_job_survives_the_kill_of_everybody_else(mesh: RealMesh, second: jobs_pb2.Job) -> None:
    with published_versions(mesh) as versions:
        mesh.until_step(second.job_id, 1)
        for name in ("jobs", "queue", "weights"):
            with mesh.killed(name):
                pass
        mesh.until_step(second.job_id, 3)
        mesh.freeze_at_work("trainer", READY)
        with mesh.killed("trainer"):
            pass
        job = mesh.until_succeeded(second.job_id)
    assert job.lineage == 1
    check_ledger(mesh, job)
    check_versions(versions, job)
    check_steps(mesh, job)


@pytest.fixture
def long(mesh: RealMesh, first: jobs_pb2.Job) -> jobs_pb2.Job:
    return mesh.submit("long", {"path": f"{first.output_uri}/model"}, 100)


def test_an_engine_that_dies_in_a_weight_update_takes_its_worker_with_it(mesh: RealMesh, long: jobs_pb2.Job) -> None:
    mesh.until_step(long.job_id, 1)
    mesh.freeze_engine_in_update()
    step = mesh.client.get(long.job_id).step
    with mesh.killed("rollout-0", mesh.engine()):
        pass
    mesh.until_step(long.job_id, step + 1)


def test_cancel_in_the_middle_leaves_nothing_running(mesh: RealMesh, long: jobs_pb2.Job) -> None:
    job = mesh.until_step(long.job_id, 1)
    started = time.monotonic()
    assert mesh.client.cancel(job.job_id).state == jobs_pb2.JOB_STATE_CANCELLED
    assert time.monotonic() - started < CANCEL_SECONDS
    assert mesh.queue.current_run() == ""
    assert all(lag.waiting + lag.pending == 0 for lag in mesh.queue.lag())
    running = trainer_pb2.PHASE_STATE_RUNNING
    wait_for("the trainer to be idle", lambda: mesh.trainer().state != running, CANCEL_SECONDS)
    wait_for("the rollout worker to be idle", lambda: mesh.rollout().groups == 0, CANCEL_SECONDS)
    tokens = mesh.rollout().tokens
    time.sleep(2.0)
    assert mesh.rollout().tokens == tokens
    assert mesh.queue.current_run() == ""
    assert all(lag.waiting + lag.pending == 0 for lag in mesh.queue.lag())
    ledger = mesh.queue.ledger(f"{job.job_id}/1-train/0")
    assert ledger and all(state.startswith(("used:", "dropped:")) for state in ledger.values())


def test_down_leaves_no_process(mesh: RealMesh) -> None:
    supervisor = psutil.Process(mesh.state.pid)
    there = {p.pid: born(p.pid) for p in [supervisor, *supervisor.children(recursive=True)]}
    assert set(tagged(mesh.state.mesh)) < set(there)
    assert mesh.stop() == []
    assert tagged(mesh.state.mesh) == []
    assert [pid for pid, since in there.items() if since and born(pid) == since] == []


def check_ledger(mesh: RealMesh, job: jobs_pb2.Job) -> None:
    """In the lineage that survived, each ordinal was used once or dropped with a reason, and each step had its fill."""
    run_id = f"{job.job_id}/1-train/{job.lineage}"
    ledger = mesh.queue.ledger(run_id)
    written = json.loads(Path(job.output_uri, "ledger", "1-train.json").read_text())
    assert written == {"run_id": run_id, "ordinals": {str(o): ledger[o] for o in sorted(ledger)}}
    used = [state for state in ledger.values() if state.startswith("used:")]
    dropped = [state for state in ledger.values() if state not in used]
    assert all(state.startswith("dropped:") and state != "dropped:" for state in dropped), ledger
    assert sorted(used) == sorted(f"used:{step}" for step in range(1, STEPS + 1) for _ in range(GROUPS))
    evaluated = json.loads(Path(job.output_uri, "ledger", "2-score.json").read_text())["ordinals"]
    assert evaluated == {str(ordinal): "used:0" for ordinal in range(PROBE.eval)}
    assert mesh.queue.dead_letters() == []


def check_versions(versions: list[tuple[str, int]], job: jobs_pb2.Job) -> None:
    """Versions go up by one within a lineage, and a later lineage never ends behind an earlier one."""
    by_lineage: dict[int, list[int]] = {}
    for lineage, version in versions:
        owner, _, number = lineage.rpartition("/")
        if owner == job.job_id:
            by_lineage.setdefault(int(number), []).append(version)
    assert list(by_lineage) == list(range(job.lineage + 1))
    for found in by_lineage.values():
        assert found == list(range(found[0], found[0] + len(found))), versions
    assert by_lineage[0][0] == 1  # the cold start
    assert by_lineage[job.lineage][-1] == 1 + STEPS


def check_traces(mesh: RealMesh, job: jobs_pb2.Job, traces: Collector, killed: float) -> None:
    """Each group's life is one trace over all services, also of those that the killed worker held."""
    run_id, stations = f"{job.job_id}/1-train/0", {"issue", "rollout", "reward", "train", "publish"}
    used = {ordinal for ordinal, state in mesh.queue.ledger(run_id).items() if state.startswith("used:")}

    def lives() -> dict[int, list[Any]]:
        spans = traces.spans
        of = {s.trace_id: traces.attributes(s) for s in spans if s.name == "issue"}
        return {
            of[trace]["ordinal"]: [s for s in spans if s.trace_id == trace]
            for trace in of
            if of[trace]["run"] == run_id
        }

    def whole() -> set[int]:
        return {o for o, spans in lives().items() if stations <= {s.name for s in spans}}

    # Each killed worker may have finished some groups that it had not told of yet.
    wait_for("the traces", lambda: len(used & whole()) >= len(used) - 2 * GROUPS)
    found = lives()
    assert set(found) >= used
    taken_over = [
        o for o in used & whole()
        if max(s.end_time_unix_nano for s in found[o] if s.name == "issue") < killed * 1e9
        and min(s.start_time_unix_nano for s in found[o] if s.name == "rollout") > killed * 1e9
    ]  # fmt: skip
    assert taken_over, "the killed worker held none"
    for spans in found.values():
        (issue,) = [s for s in spans if s.name == "issue"]
        assert {s.parent_span_id for s in spans if s is not issue} <= {issue.span_id}
        assert all(s.end_time_unix_nano >= s.start_time_unix_nano for s in spans)
        learned = {traces.attributes(s)["version"] for s in spans if s.name == "train"}
        assert {traces.attributes(s)["version"] for s in spans if s.name in ("publish", "load")} <= learned
    assert any(s.name == "load" for spans in found.values() for s in spans)
    assert {service for service, _ in traces.services} >= {f"earwitness-{s}" for s in ("jobs", "rollout", "reward")}
    phases = {traces.attributes(s)["phase"]: s.trace_id for s in traces.spans if s.name == "phase"}
    calls = {s.trace_id for s in traces.spans if s.name == "StartPhase"}
    assert phases["1-train"] in calls


def check_steps(mesh: RealMesh, job: jobs_pb2.Job) -> None:
    """Every step is told; the first has a first step's identities, and in all of them the workers held the policy."""
    told = [e for e in mesh.client.watch(job.job_id) if e.kind == "step" and e.job.stage_type == "rl"]
    assert {e.job.step for e in told} == set(range(1, STEPS + 1))
    figures = {m.name: m.value for m in told[0].metrics}
    assert told[0].job.step == 1
    assert abs(figures["kl"]) <= 1e-6
    assert abs(figures["ratio.mean"] - 1.0) <= 1e-6
    assert all(m.value <= 1e-3 for e in told for m in e.metrics if m.name == "logprob_gap.mean")
