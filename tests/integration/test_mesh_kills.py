"""Every process of a real mesh is killed in the middle of a job, and the job succeeds. One mesh, the tests in order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from earwitness.local.state import NoMesh
from earwitness.local.sweep import born, tagged
from earwitness.queue import READY, ROLLOUTS, TASKS
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trainer.v1 import trainer_pb2
from tests.integration.browser_kit import NEEDS_CHROMIUM
from tests.integration.mesh_kit import PROBE, TOY, RealMesh, published_versions, wait_for
from tests.integration.metrics_kit import Metrics, answer, asked, prometheus, unanswered, until_answered
from tests.integration.page_kit import opened
from tests.integration.trace_collector import Collector, collector
from tests.integration.watching_kit import watches_to_the_end

STEPS = 6
GROUPS = 4
WATCHED_STEPS = 60  # of half a second: a page that asks every two has to see some before they are over


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as there:
        yield there


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, traces: Collector) -> Iterator[Metrics]:
    """Of the mesh, while it is started."""
    with pytest.MonkeyPatch.context() as patch:
        traces.environment(patch)
        yield Metrics(tmp_path_factory.mktemp("metrics") / "ports", patch)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory, environment: Metrics) -> Iterator[RealMesh]:
    mesh = RealMesh(tmp_path_factory.mktemp("mesh"))
    yield mesh
    with suppress(NoMesh):  # stopped by the last test
        mesh.stop()


@pytest.fixture(scope="module")
def versions(mesh: RealMesh) -> Iterator[list[tuple[str, int]]]:
    """From the first job's start on."""
    with published_versions(mesh) as seen:
        yield seen


@pytest.fixture
def first(mesh: RealMesh) -> jobs_pb2.Job:
    return mesh.submit("workers", {"toy": TOY}, STEPS)


@pytest.fixture
def second(mesh: RealMesh, first: jobs_pb2.Job) -> jobs_pb2.Job:
    """On the first one's model, so that the rollout worker keeps its engine."""
    return mesh.submit("control", {"path": f"{first.output_uri}/model"}, STEPS)


def test_the_same_request_is_one_job_and_a_second_one_waits(
    mesh: RealMesh, versions: list[tuple[str, int]], first: jobs_pb2.Job, second: jobs_pb2.Job
) -> None:
    again = mesh.submit("workers", {"toy": TOY}, STEPS)
    assert again.job_id == first.job_id != second.job_id
    assert {j.job_id for j in mesh.client.list()} == {first.job_id, second.job_id}
    mesh.until(first.job_id, "the first to start", lambda j: j.state != jobs_pb2.JOB_STATE_QUEUED)
    assert mesh.client.get(second.job_id).state == jobs_pb2.JOB_STATE_QUEUED


def test_a_job_survives_the_kill_of_each_worker(
    mesh: RealMesh, first: jobs_pb2.Job, second: jobs_pb2.Job, traces: Collector, versions: list[tuple[str, int]]
) -> None:
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
    check_way(mesh, job)


def test_a_job_survives_the_kill_of_everybody_else(
    mesh: RealMesh, second: jobs_pb2.Job, versions: list[tuple[str, int]]
) -> None:
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
    return mesh.submit("long", {"path": f"{first.output_uri}/model"}, 400)


def test_what_the_chart_asks_is_answered_by_a_mesh_that_works(
    mesh: RealMesh, long: jobs_pb2.Job, environment: Metrics
) -> None:
    chart = asked()
    assert len(chart.panels) >= 15 and len(chart.alerts) >= 12
    mesh.until_step(long.job_id, 1)
    wait_for("each panel's series", lambda: unanswered(chart.panels, environment.samples()) == [])
    of_trouble_alone = ["EarwitnessNotLearning"]
    there = unanswered(chart.alerts, environment.samples(), values=False)
    assert [line for line in there if line.split(":")[0] not in of_trouble_alone] == []


def test_a_real_prometheus_answers_each_panel_and_evaluates_each_rule(
    mesh: RealMesh, long: jobs_pb2.Job, environment: Metrics, tmp_path: Path
) -> None:
    chart = asked()
    with prometheus(environment, chart.rules, tmp_path / "prometheus") as address:
        until_answered(address, chart.panels)
        groups = answer(address, "rules")["groups"]
        assert {rule["name"] for group in groups for rule in group["rules"]} == {name for name, _ in chart.alerts}
        assert all(rule["health"] in ("ok", "unknown") for group in groups for rule in group["rules"]), groups


def test_an_engine_that_dies_in_a_weight_update_takes_its_worker_with_it(mesh: RealMesh, long: jobs_pb2.Job) -> None:
    mesh.until_step(long.job_id, 1)
    mesh.freeze_engine_in_update()
    step = mesh.client.get(long.job_id).step
    with mesh.killed("rollout-0", mesh.engine()):
        pass
    mesh.until_step(long.job_id, step + 1)


def test_cancel_in_the_middle_leaves_nothing_running(mesh: RealMesh, long: jobs_pb2.Job) -> None:
    job = mesh.until_step(long.job_id, 1)
    mesh.cancelled(job.job_id)
    assert mesh.queue.current_run() == ""
    assert all(lag.waiting + lag.pending == 0 for lag in mesh.queue.lag())
    running = trainer_pb2.PHASE_STATE_RUNNING
    wait_for("the trainer to be idle", lambda: mesh.trainer().state != running)
    wait_for("the rollout worker to be idle", lambda: mesh.rollout().groups == 0)
    tokens = mesh.rollout().tokens
    time.sleep(2.0)
    assert mesh.rollout().tokens == tokens
    assert mesh.queue.current_run() == ""
    assert all(lag.waiting + lag.pending == 0 for lag in mesh.queue.lag())
    ledger = mesh.queue.ledger(f"{job.job_id}/1-train/0")
    assert ledger and all(state.startswith(("used:", "dropped:")) for state in ledger.values())


@NEEDS_CHROMIUM
def test_a_person_watches_a_job_in_a_browser_from_its_start_to_its_end(
    mesh: RealMesh, first: jobs_pb2.Job, tmp_path: Path
) -> None:
    job = mesh.submit("watched", {"path": f"{first.output_uri}/model"}, WATCHED_STEPS)
    mesh.until_step(job.job_id, 1)
    mesh.client.pause(job.job_id)  # while Chromium starts
    with opened(mesh.client, tmp_path) as page:  # it shows the job that has begun
        page.until("the job", f"document.getElementById('job').value === {job.job_id!r}")
        watches_to_the_end(page, mesh, job, WATCHED_STEPS)


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
    run_id, stations = f"{job.job_id}/1-train/0", {"submit", "issue", "rollout", "reward", "train", "publish"}
    used = {ordinal for ordinal, state in mesh.queue.ledger(run_id).items() if state.startswith("used:")}

    def whole() -> set[int]:
        return {o for o, spans in traces.lives(run_id).items() if stations <= {s.name for s in spans}}

    # Each killed worker may have finished some groups that it had not told of yet.
    wait_for("the traces", lambda: len(used & whole()) >= len(used) - 2 * GROUPS)
    found = traces.lives(run_id)
    assert set(found) >= used
    taken_over = [
        o for o in used & whole()
        if max(s.end_time_unix_nano for s in found[o] if s.name == "issue") < killed * 1e9
        and min(s.start_time_unix_nano for s in found[o] if s.name == "rollout") > killed * 1e9
    ]  # fmt: skip
    assert taken_over, "the killed worker held none"
    for spans in found.values():
        (issue,) = [s for s in spans if s.name == "issue"]
        (submit,) = [s for s in spans if s.name == "submit"]
        assert (submit.parent_span_id, issue.parent_span_id) == (b"", submit.span_id)
        assert {s.parent_span_id for s in spans if s not in (issue, submit)} <= {issue.span_id}
        assert all(s.end_time_unix_nano >= s.start_time_unix_nano for s in spans)
        learned = {traces.attributes(s)["version"] for s in spans if s.name == "train"}
        assert {traces.attributes(s)["version"] for s in spans if s.name in ("publish", "load")} <= learned
    assert any(s.name == "load" for spans in found.values() for s in spans)
    assert {service for service, _ in traces.services} >= {f"earwitness-{s}" for s in ("jobs", "rollout", "reward")}
    phases = {traces.attributes(s)["phase"]: s.trace_id for s in traces.spans if s.name == "phase"}
    calls = {s.trace_id for s in traces.spans if s.name == "StartPhase"}
    assert phases["1-train"] in calls


def check_way(mesh: RealMesh, job: jobs_pb2.Job) -> None:
    """The queue tells the same of a group, with no collector."""
    found = mesh.client.group(job.job_id)
    way = found.group.passages
    assert [stay.station for stay in way] == ["rollout", "reward", "train", "publish", "load"]
    assert found.submitted_at == job.submitted_at < way[0].arrived
    assert len({(stay.version, stay.lineage) for stay in way[2:]}) == 1 and way[2].version > 1
    assert way[0].worker == way[4].worker == "rollout-0"
    assert all(stay.begun <= stay.ended for stay in way)
    assert way[2].begun <= way[3].begun <= way[4].ended


def check_steps(mesh: RealMesh, job: jobs_pb2.Job) -> None:
    """Every step is told; the first has a first step's identities, and in all of them the workers held the policy."""
    told = [e for e in mesh.client.watch(job.job_id) if e.kind == "step" and e.job.stage_type == "rl"]
    assert {e.job.step for e in told} == set(range(1, STEPS + 1))
    figures = {m.name: m.value for m in told[0].metrics}
    assert told[0].job.step == 1
    assert abs(figures["kl"]) <= 1e-6
    assert abs(figures["ratio.mean"] - 1.0) <= 1e-6
    assert all(m.value <= 1e-3 for e in told for m in e.metrics if m.name == "logprob_gap.mean")
