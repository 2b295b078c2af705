"""What a job tells of the trainer that it follows."""

import asyncio
from types import SimpleNamespace

import pytest

from earwitness.errors import JobFailed
from earwitness.jobs import training
from earwitness.jobs.record import JobRecord
from earwitness.wire.errors.v1 import errors_pb2
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trainer.v1 import trainer_pb2 as wire


class Trainer:
    """Says one status after another."""

    def __init__(self, *statuses: wire.GetStatusResponse) -> None:
        self._statuses = list(statuses)

    async def status(self, after_step: int) -> wire.GetStatusResponse:
        return self._statuses.pop(0)


class Job:
    """Remembers what is told."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.phase, self.told = trainer, SimpleNamespace(name="train", stage_index=0, stage_type="rl"), []
        self.record = JobRecord("j", "r", "n", "out", 1, 0.0)
        self.store = SimpleNamespace(all_events=self.events)
        self.steps: list[int] = []

    async def tell(self, kind: str, words: str) -> None:
        self.told.append((kind, words))

    async def events(self, job_id: str) -> list[jobs_pb2.Event]:
        return []

    async def commit(self, record: JobRecord, events: list[jobs_pb2.Event]) -> None:
        self.record = record
        self.steps += [event.job.step for event in events]


def status(state: wire.PhaseState, *passed_over: str) -> wire.GetStatusResponse:
    return wire.GetStatusResponse(job_id="j", phase="train", state=state, passed_over=passed_over)


def test_a_damaged_checkpoint_is_an_event_once(monkeypatch):
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)
    torn = "checkpoint x/step-00000002: is torn: MANIFEST.json is missing"
    running, done = wire.PHASE_STATE_RUNNING, wire.PHASE_STATE_DONE
    job = Job(Trainer(status(running), status(running, torn), status(running, torn), status(done, torn)))
    follower = training.Follower(job, wire.StartPhaseRequest(job_id="j", phase="train"))
    assert asyncio.run(follower.run()).state == done
    assert job.told == [("checkpoint", f"train: {torn}; an earlier checkpoint is used")]


def test_a_trainer_that_waited_for_a_server_is_started_again_and_any_other_failure_is_the_jobs(monkeypatch):
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)

    class Starts(Trainer):
        started = 0

        async def start_phase(self, request: wire.StartPhaseRequest) -> wire.StartPhaseResponse:
            self.started += 1
            return wire.StartPhaseResponse()

    failed = status(wire.PHASE_STATE_FAILED)
    failed.reason = "waited 9 s for a word that begins so"
    away = wire.GetStatusResponse()
    away.CopyFrom(failed)
    away.reason_kind = errors_pb2.ERROR_KIND_INFRASTRUCTURE
    job = Job(Starts(away, status(wire.PHASE_STATE_DONE)))
    follower = training.Follower(job, wire.StartPhaseRequest(job_id="j", phase="train"))
    assert asyncio.run(follower.run()).state == wire.PHASE_STATE_DONE and job.trainer.started == 1
    job = Job(Starts(failed))
    with pytest.raises(JobFailed, match="waited 9 s"):
        asyncio.run(training.Follower(job, wire.StartPhaseRequest(job_id="j", phase="train")).run())


def test_steps_that_were_done_before_a_stop_are_told_and_those_of_another_phase_are_not(monkeypatch):
    monkeypatch.setattr(training, "POLL_SECONDS", 0.0)

    class Stops(Trainer):
        """A board that forgets its steps when it is started again."""

        def __init__(self, phase: str) -> None:
            super().__init__()
            self.of, self.step, self.state = phase, 3, wire.PHASE_STATE_RUNNING

        async def stop_phase(self, job_id: str) -> None:
            self.step, self.state = 5, wire.PHASE_STATE_STOPPED

        async def status(self, after_step: int) -> wire.GetStatusResponse:
            done = range(after_step + 1, self.step + 1)
            return wire.GetStatusResponse(
                job_id="j", phase=self.of, state=self.state, step=self.step,
                steps_done=[wire.StepMetrics(step=step) for step in done][:1],  # no more than one in an answer
            )  # fmt: skip

    for phase, expected in [("train", [1, 2, 3, 4, 5]), ("tune", [])]:
        job = Job(Stops(phase))
        asyncio.run(training.Follower(job, wire.StartPhaseRequest(job_id="j", phase="train")).stop())
        assert job.steps == expected
