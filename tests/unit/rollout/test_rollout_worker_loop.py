"""The worker's decisions, with an engine and a queue that only remember."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from earwitness import tracing
from earwitness.audio import AudioError
from earwitness.errors import InfrastructureError, InputError
from earwitness.log import get_logger
from earwitness.queue import Taken
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BrokenEngineError
from rollout.worker import Rate, RolloutWorker
from tests.integration.process_kit import PATIENCE
from tests.integration.trace_collector import collector

RUN = "job/0-eval/0"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls takes longer to leave than a pod has."""
    monkeypatch.setattr("rollout.worker.HAND_BACK_SECONDS", PATIENCE)


async def for_ever() -> None:
    await asyncio.Event().wait()


class FakeEngine:
    """Answers at once, or as `answer` says."""

    tokens = 0
    served = None
    kv_tokens = 100_000

    def __init__(self) -> None:
        self.answer: Callable[[], Any] = lambda: None
        self.started = 0
        self.interrupted = asyncio.Event()

    async def generate(self, prompt: Any, sampling: Any, *, ordinal: int, without_audio: bool, begun: Any) -> Any:
        self.started += 1
        result = self.answer()
        if asyncio.iscoroutine(result):
            working = asyncio.ensure_future(result)
            interrupted = asyncio.ensure_future(self.interrupted.wait())
            await asyncio.wait({working, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            working.cancel()
            interrupted.cancel()
        tokens = [*(begun[0].token_ids if begun else []), 5, 6, 7]
        reason = trajectory_pb2.FINISH_REASON_STOP * (not self.interrupted.is_set())
        return [1, 2], [trajectory_pb2.Trajectory(index=0, token_ids=tokens, finish_reason=reason)]

    async def interrupt(self) -> None:
        self.interrupted.set()


class FakeServing:
    """Serves, unless told otherwise."""

    state = "idle"
    load_seconds = 0.0
    behind = 0

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.ready = True

    @asynccontextmanager
    async def use(self, min_version: int, lineage: str) -> AsyncIterator[FakeEngine]:
        yield self.engine

    def able_at(self, min_version: int) -> float:
        return 2.5

    async def until_ready(self, seconds: float) -> None:
        await asyncio.sleep(0.01)


class FakeQueue:
    """Holds tasks, remembers what became of them."""

    def __init__(self, tasks: int) -> None:
        self.waiting = [trajectory_pb2.GroupTask(run_id=RUN, ordinal=i) for i in range(tasks)]
        self.held: set[str] = set()
        self.done: dict[int, str] = {}
        self.run = RUN
        self.left = False
        self.away = False
        self.states: list[str] = []
        self.groups: list[trajectory_pb2.Group] = []
        self.handed_back: dict[int, list[int]] = {}
        self.failed: list[str] = []
        self.garbage = False

    def answer(self) -> None:
        if self.away:
            raise InfrastructureError("Redis", 4.0, "connection refused")

    async def take(self, stream: str, consumer: str, count: int, block_ms: int) -> list[Taken]:
        await asyncio.sleep(0.001)
        self.answer()
        tasks, self.waiting = self.waiting[:count], self.waiting[count:]
        self.held |= {str(task.ordinal) for task in tasks}
        if self.garbage:
            self.garbage = False
            return [Taken("garbage", b"\xff"), *(Taken(str(task.ordinal), task.SerializeToString()) for task in tasks)]
        return [Taken(str(task.ordinal), task.SerializeToString()) for task in tasks]

    async def renew(self, stream: str, consumer: str, message_ids: list[str]) -> list[str]:
        self.answer()
        return [m for m in message_ids if m in self.held]

    async def hand_off(self, stream: str, message_id: str, group: Any, stream_to: str) -> str:
        self.answer()
        self.done[group.task.ordinal] = "rolled"
        self.groups.append(group)
        return "ok"

    async def hand_back(self, consumer: str, message_id: str, task: Any) -> bool:
        self.handed_back[task.ordinal] = list(task.begun[0].token_ids)
        return True

    async def drop(self, stream: str, message_id: str, run_id: str, ordinal: int, reason: str) -> str:
        self.done[ordinal] = reason
        return "ok"

    async def fail(self, stream: str, consumer: str, message_id: str, reason: str) -> str:
        self.failed.append(reason)
        return "ok"

    async def current_run(self) -> str:
        return self.run

    async def announce(self, role: str, name: str, fields: Any) -> None:
        assert set(fields) >= {"state", "version", "tasks", "behind", "tokens_per_second"}
        self.states.append(fields["state"])

    async def forget(self, stream: str, consumer: str) -> None:
        self.left = True


def make(tasks: int, *, max_groups: int = 4, grace: float = 1.0) -> tuple[RolloutWorker, FakeQueue, FakeServing]:
    queue, serving = FakeQueue(tasks), FakeServing()
    worker = RolloutWorker(
        queue,  # type: ignore[arg-type]
        serving,  # type: ignore[arg-type]
        "w",
        get_logger("test"),
        max_groups=max_groups,
        claim_idle_ms=40,
        grace_seconds=grace,
    )
    return worker, queue, serving


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - the fakes have no events
            await asyncio.sleep(0.005)


async def end(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_task_ends_once_and_the_worker_leaves() -> None:
    worker, queue, _ = make(9)
    running = asyncio.create_task(worker.run())
    await until(lambda: len(queue.done) == 9)
    await end(running)
    assert set(queue.done.values()) == {"rolled"} and queue.left and worker.state == "leaving"
    for group in queue.groups:
        (stay,) = group.passages
        assert (stay.station, stay.worker) == ("rollout", "w")
        assert stay.arrived == group.task.ordinal / 1000 < stay.able == 2.5 < stay.begun <= stay.ended
        assert 0 < stay.kv_use <= 1


async def test_no_more_groups_than_allowed_and_none_before_the_weights_are_there() -> None:
    worker, queue, serving = make(9, max_groups=3)
    serving.ready = False
    gate = asyncio.Event()
    serving.engine.answer = lambda: gate.wait()
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0.05)
    assert len(queue.waiting) == 9
    serving.ready = True
    await until(lambda: serving.engine.started == 3)
    await asyncio.sleep(0.05)
    assert len(worker.flights) == 3 and len(queue.waiting) == 6
    gate.set()
    await until(lambda: len(queue.done) == 9)
    await end(running)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AudioError("clip.wav", "no such file", "a file"), "bad audio: clip.wav: no such file; expected a file"),
        (InputError("prompt p0", "is too long", "less"), "bad prompt: prompt p0: is too long; expected less"),
    ],
)
async def test_a_prompt_that_cannot_be_used_is_dropped_with_the_reason(error: InputError, reason: str) -> None:
    worker, queue, serving = make(1)

    def refuse() -> None:
        raise error

    serving.engine.answer = refuse
    running = asyncio.create_task(worker.run())
    await until(lambda: bool(queue.done))
    await end(running)
    assert queue.done == {0: reason} and worker.dropped == 1


async def test_a_crash_is_no_leave() -> None:
    """The tasks in flight may be what broke the engine: their deliveries count."""
    worker, queue, serving = make(1)

    def fail() -> None:
        raise BrokenEngineError("died")

    serving.engine.answer = fail
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(BrokenEngineError):
            await worker.run()
    assert not queue.done and not queue.left and not queue.handed_back


async def test_a_task_that_fails_is_given_back_as_failed_and_the_worker_goes_on() -> None:
    worker, queue, serving = make(3)
    queue.waiting[2] = trajectory_pb2.GroupTask(run_id=RUN, ordinal=2)
    errors = iter([KeyError("a bug"), OSError(5, "Input/output error")])

    def fail() -> None:
        if error := next(errors, None):
            raise error

    serving.engine.answer = fail
    running = asyncio.create_task(worker.run())
    await until(lambda: len(queue.done) == 1 and len(queue.failed) == 2)
    await end(running)
    assert set(queue.failed) == {"KeyError: 'a bug'", "OSError: [Errno 5] Input/output error"} and queue.left


async def test_a_task_that_cannot_be_read_is_given_back_as_failed() -> None:
    worker, queue, _ = make(1)
    queue.garbage = True
    running = asyncio.create_task(worker.run())
    await until(lambda: len(queue.done) == 1 and len(queue.failed) == 1)
    await end(running)
    assert queue.failed[0].startswith("DecodeError")


async def test_a_queue_that_is_away_for_too_long_ends_the_worker() -> None:
    worker, queue, _ = make(6, max_groups=2)
    running = asyncio.create_task(worker.run())
    await until(lambda: len(queue.done) == 6)
    queue.away = True
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(InfrastructureError, match="connection refused"):
            await running


async def test_groups_of_another_run_and_groups_that_were_claimed_are_aborted() -> None:
    worker, queue, serving = make(2)
    serving.engine.answer = for_ever
    running = asyncio.create_task(worker.run())
    await until(lambda: len(worker.flights) == 2)
    queue.held.discard("0")
    await until(lambda: set(worker.flights) == {"1"})
    queue.run = "job/0-eval/1"
    await until(lambda: not worker.flights)
    await end(running)
    assert not queue.done


@pytest.mark.parametrize(("grace", "finished"), [(PATIENCE, True), (0.01, False)])
async def test_on_leaving_groups_in_flight_get_the_grace(grace: float, finished: bool) -> None:
    worker, queue, serving = make(6, max_groups=2, grace=grace)
    answers = asyncio.Event()
    serving.engine.answer = answers.wait
    running = asyncio.create_task(worker.run())
    await until(lambda: serving.engine.started == 2)
    running.cancel()
    await until(lambda: worker.state == "leaving")
    if finished:
        answers.set()
    await asyncio.gather(running, return_exceptions=True)
    assert (len(queue.done) == 2) is finished
    assert queue.handed_back == ({} if finished else {0: [5, 6, 7], 1: [5, 6, 7]})
    assert worker.handed_back == (0 if finished else 6)
    assert len(queue.waiting) == 4 and queue.left and queue.states[-1] == "leaving"


async def test_what_others_began_is_gone_on_with() -> None:
    worker, queue, _ = make(1)
    queue.waiting[0].begun.add(index=0, token_ids=[3, 4])
    running = asyncio.create_task(worker.run())
    await until(lambda: len(queue.done) == 1)
    await end(running)
    assert list(queue.groups[0].trajectories[0].token_ids) == [3, 4, 5, 6, 7]
    assert not queue.groups[0].task.begun


async def test_a_group_that_is_handed_over_stays_in_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as told:
        told.environment(monkeypatch)
        tracing.start("rollout", "w")
        context = tracing.root("issue", 1.0, 2.0, ordinal=0)
        leaving, queue, serving = make(1, grace=0.01)
        queue.waiting[0].traceparent = context
        serving.engine.answer = for_ever
        running = asyncio.create_task(leaving.run())
        await until(lambda: serving.engine.started == 1)
        await end(running)
        following, queue, _ = make(1)
        queue.waiting[0].traceparent = context
        queue.waiting[0].begun.add(index=0, token_ids=[5, 6, 7])
        running = asyncio.create_task(following.run())
        await until(lambda: len(queue.done) == 1)
        await end(running)
        await asyncio.to_thread(tracing.stop)
        issue, *stays = told.spans
        assert [told.attributes(s)["handed_back"] for s in stays] == [True, False]
        assert {s.trace_id for s in stays} == {issue.trace_id}
        assert queue.groups[0].task.traceparent == context


def test_a_new_engine_counts_tokens_from_zero() -> None:
    rate = Rate()
    assert rate.of(1000) > 0
    assert rate.of(10) == 0
