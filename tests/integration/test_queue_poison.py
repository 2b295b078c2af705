"""Work that breaks whoever takes it is delivered three times, then a dead letter; nobody ends or loops over it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from earwitness.log import get_logger
from earwitness.queue import READY, ROLLOUTS, TASKS, AsyncQueue, Queue
from earwitness.redis_server import RedisServer, connect, connect_async
from earwitness.settings import Settings
from earwitness.wire.trajectory.v1 import trajectory_pb2
from services import reward
from tests.integration.process_kit import PATIENCE

RUN = "job/1-train/0"
GARBAGE = b"\xff\xfe this is no protobuf"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path_factory.mktemp("queue")) as running:
        yield running


@pytest.fixture
def queue(server: RedisServer) -> Queue:
    connect(server.url).flushall()
    queue = Queue(connect(server.url), 60_000)  # nobody is silent for so long: what is given out again was given back
    queue.open_run(RUN)
    return queue


def issue(queue: Queue, *ordinals: int) -> None:
    for ordinal in ordinals:
        assert queue.issue(trajectory_pb2.GroupTask(run_id=RUN, ordinal=ordinal))


def empty(queue: Queue) -> bool:
    return all(lag.waiting + lag.pending == 0 for lag in queue.lag())


def test_three_failures_are_a_dead_letter_with_the_last_reason_whoever_leaves_between(queue: Queue) -> None:
    issue(queue, 4)
    for delivery in range(3):
        (taken,) = queue.take(TASKS, f"worker {delivery}", 1, 0)
        assert queue.fail(TASKS, "another", taken.message_id, "not its own") == "stale"
        assert queue.fail(TASKS, f"worker {delivery}", taken.message_id, f"OSError: number {delivery}") == "ok"
        queue.forget(TASKS, f"worker {delivery}")  # a leave does not take back what failed before
    assert queue.take(TASKS, "nobody", 1, 0) == []
    (letter,) = queue.dead_letters()
    assert (letter.run_id, letter.ordinal, letter.stream) == (RUN, 4, TASKS)
    assert letter.reason == "dead letter: 3 deliveries from ew:tasks without a result: OSError: number 2"
    assert queue.ledger(RUN) == {4: f"dropped:{letter.reason}"}
    assert queue.counts(RUN).dropped == queue.counts(RUN).total == 1 and empty(queue)


@pytest.mark.parametrize(
    "fields",
    [
        {"other": "field"},
        {"run": RUN, "ordinal": "seven", "data": "x"},
        {"run": RUN, "data": "x"},
        {"ordinal": "3", "data": "x"},
        {"run": RUN, "ordinal": "0"},
    ],
)
def test_an_entry_that_is_none_of_ours_is_put_away_and_the_next_one_given_out(
    queue: Queue, server: RedisServer, fields: dict[str, str]
) -> None:
    client = connect(server.url)
    issue(queue, 0)
    (held,) = queue.take(TASKS, "holder", 1, 0)
    client.xadd(TASKS, fields)
    issue(queue, 1)
    (taken,) = queue.take(TASKS, "worker", 9, 0)
    assert trajectory_pb2.GroupTask.FromString(taken.data).ordinal == 1
    assert len(queue.dead_letters()) == 1
    assert "without run, ordinal or data" in queue.dead_letters()[0].reason
    group = trajectory_pb2.Group(task=trajectory_pb2.GroupTask(run_id=RUN, ordinal=1))
    assert queue.hand_off(TASKS, taken.message_id, group, READY) == "ok"
    assert [lag.pending for lag in queue.lag() if lag.stream == TASKS] == [1] and held


class Scoring:
    """Fails on ordinal 2, whatever is tried."""

    async def score(self, group: trajectory_pb2.Group) -> trajectory_pb2.Group:
        if group.task.ordinal == 2:
            raise MemoryError("this group is too much")
        return group


def test_a_reward_worker_goes_on_beside_groups_that_break_it_and_groups_nobody_can_read(
    queue: Queue, server: RedisServer
) -> None:
    issue(queue, 0, 1, 2, 3)
    for taken in queue.take(TASKS, "rollout", 9, 0):
        task = trajectory_pb2.GroupTask.FromString(taken.data)
        group = trajectory_pb2.Group(task=task, trajectories=[trajectory_pb2.Trajectory(index=0)])
        queue.hand_off(TASKS, taken.message_id, group, ROLLOUTS)
    client = connect(server.url)
    torn = client.xrange(ROLLOUTS)[1]
    client.xdel(ROLLOUTS, torn[0])
    client.xadd(ROLLOUTS, {b"run": RUN, b"ordinal": 1, b"data": GARBAGE})

    async def settled() -> bool:
        counts = queue.counts(RUN)
        return counts.ready + counts.dropped == 4

    async def main() -> None:
        working = AsyncQueue(await connect_async(server.url), 60_000)
        settings = Settings(listen="", name="reward", claim_idle_ms=60_000)
        worker = asyncio.create_task(reward.work(working, Scoring(), settings, get_logger("test")))  # type: ignore[arg-type]
        async with asyncio.timeout(PATIENCE):
            while not await settled():
                assert not worker.done(), worker.result()
                await asyncio.sleep(0.02)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    asyncio.run(main())
    ledger = queue.ledger(RUN)
    assert (ledger[0], ledger[3]) == ("ready", "ready")
    assert ledger[1].startswith("dropped:dead letter: 3 deliveries") and "DecodeError" in ledger[1]
    assert ledger[2].startswith("dropped:dead letter: 3 deliveries") and "MemoryError" in ledger[2]
    assert [letter.ordinal for letter in queue.dead_letters()] in ([1, 2], [2, 1])
