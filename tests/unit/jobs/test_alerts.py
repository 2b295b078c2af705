"""A rule that begins to hold while a phase runs is an event at once, and only once."""

import asyncio
from types import SimpleNamespace

import pytest

from earwitness.jobs import alerts
from earwitness.jobs.alerts import Alerts
from earwitness.jobs.changes import InTrouble, PhaseDone, apply
from earwitness.jobs.mesh_metrics import figures
from earwitness.jobs.phases import Phase
from earwitness.jobs.record import JobRecord
from earwitness.jobs.states import State
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric

PHASE = Phase(1, "rl", "train")


def step(number: int, think_tokens: float) -> jobs_pb2.Event:
    job = jobs_pb2.Job(stage_index=1, stage_type="rl", phase="train", step=number)
    return jobs_pb2.Event(kind="step", job=job, metrics=[Metric(name="think_tokens.mean", value=think_tokens)])


class Job:
    """Remembers its events and its record."""

    def __init__(self, before: list[jobs_pb2.Event] | None = None) -> None:
        self.phase, self.store = PHASE, self
        self.record = JobRecord("j", "r", "n", "out", 3, 0.0, state=State.RUNNING)
        self.before, self.told, self.changes = before or [], [], 0

    async def all_events(self, job_id: str) -> list[jobs_pb2.Event]:
        return self.before

    async def tell(self, kind: str, words: str, figures: dict[str, float], change: InTrouble) -> None:
        self.told.append((kind, words, figures))
        self.record = apply(self.record, change)

    async def change(self, change: InTrouble) -> None:
        self.changes += 1
        self.record = apply(self.record, change)


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LOOK_SECONDS", 0.0)


def see(watch: Alerts, first: int, last: int, think_tokens: float) -> None:
    asyncio.run(watch.see([step(number, think_tokens) for number in range(first, last + 1)]))


def test_a_collapse_is_told_once_and_stands_in_the_record_while_it_lasts() -> None:
    job = Job()
    watch = Alerts(job)  # type: ignore[arg-type]
    see(watch, 1, 20, 40)
    assert job.told == [] and job.record.trouble == []
    see(watch, 21, 40, 4)
    ((kind, words, seen),) = job.told
    assert kind == "alert" and "shrunk from 40 to 4 tokens" in words and seen == {"begin": 40, "now": 4}
    assert job.record.trouble == ["length_collapse"]
    see(watch, 41, 60, 40)
    assert job.record.trouble == [] and job.changes == 1
    see(watch, 61, 90, 4)
    assert job.record.trouble == ["length_collapse"] and len(job.told) == 1


def test_a_jobs_service_that_comes_back_knows_the_steps_before_and_what_was_told() -> None:
    job = Job([step(number, 40) for number in range(1, 21)] + [step(number, 4) for number in range(21, 40)])
    job.record = apply(job.record, InTrouble(("length_collapse",)))
    see(Alerts(job), 40, 40, 4)  # type: ignore[arg-type]
    assert job.told == [] and job.record.trouble == ["length_collapse"]


def test_a_phase_that_is_done_takes_its_trouble_along() -> None:
    record = apply(Job().record, InTrouble(("entropy_collapse",)))
    assert record.wire().trouble == ["entropy_collapse"]
    assert JobRecord.from_json(record.to_json()) == record
    assert apply(record, PhaseDone(PHASE, 1.0, 2.0, Phase(2, "eval", "score"))).trouble == []


def test_looks_are_not_more_often_than_trends_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(alerts, "time", SimpleNamespace(monotonic=lambda: 10_000.0))
    looks = []
    monkeypatch.setattr(alerts, "findings", lambda seen: looks.append(len(seen.window.steps)) or [])
    watch = Alerts(Job())  # type: ignore[arg-type]
    for number in range(1, 10):
        see(watch, number, number, 40)
    assert looks == [1]


def test_metrics_name_each_rule() -> None:
    job = jobs_pb2.Job(job_id="j", trouble=["length_collapse", "clipped"])
    seen = jobs_pb2.GetMeshResponse(active=job)
    (family,) = (family for family in figures(seen) if family.name == "ew_job_trouble")
    assert {sample.labels["rule"]: sample.value for sample in family.samples} == {"length_collapse": 1, "clipped": 1}
