"""A sampling pass ends whatever second of its file the queue loses: what is missing is found and issued again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from earwitness.data.mixture import Portion
from earwitness.jobs.sampling import _collect
from earwitness.jobs.tasks import Pass
from earwitness.queue import READY, ROLLOUTS, TASKS, AsyncQueue, Queue
from earwitness.queue.names import COUNTS, LEDGER
from earwitness.recipe.schema import Rewards, SamplingConfig
from earwitness.recipe.stages.base import Asked
from earwitness.redis_server import RedisServer, connect, connect_async
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

RUN = "job/1-score/0"
TOTAL = 6
PASS = Pass(
    RUN,
    Asked([wire.Prompt(id=f"p{n}") for n in range(TOTAL)], SamplingConfig(samples=1)),
    [Portion(1, TOTAL)],
    1,
    "",
    Rewards(),
)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path_factory.mktemp("queue")) as running:
        yield running


class Results:
    """What the jobs store keeps of a pass."""

    def __init__(self) -> None:
        self.kept: dict[int, bytes] = {}

    async def result_ordinals(self, run_id: str) -> list[int]:
        return list(self.kept)

    async def save_result(self, run_id: str, ordinal: int, data: bytes) -> None:
        self.kept[ordinal] = data


def lose_an_issue(client: redis.Redis) -> None:
    """As if the effects of one `issue` had never been written."""
    entries = client.xrange(TASKS)
    message_id, fields = entries[3]
    client.xdel(TASKS, message_id)
    client.hdel(LEDGER + RUN, fields[b"ordinal"])
    client.hincrby(COUNTS + RUN, "issued", -1)


def lose_everything(client: redis.Redis) -> None:
    """More than can be lost: the run with all it had in flight."""
    client.flushall()


async def work(queue: AsyncQueue) -> None:
    """Rollout and reward at once."""
    while True:
        for message_id, data in await queue.take(TASKS, "rollout", 4, 50):
            await queue.hand_off(TASKS, message_id, wire.Group(task=wire.GroupTask.FromString(data)), ROLLOUTS)
        for message_id, data in await queue.take(ROLLOUTS, "reward", 4, 50):
            await queue.hand_off(ROLLOUTS, message_id, wire.Group.FromString(data), READY)


@pytest.mark.parametrize("lose", [lose_an_issue, lose_everything])
def test_what_a_crash_of_the_queue_lost_is_issued_again(
    server: RedisServer, lose: Callable[[redis.Redis], None]
) -> None:
    client, results = connect(server.url), Results()

    async def tell(*_: Any, **__: Any) -> None:
        return None

    async def main() -> None:
        queue = AsyncQueue(await connect_async(server.url))
        record = SimpleNamespace(job_id="job", lineage=0, version=3, step=0, submitted_at=0.0, started_at=0.0)
        job: Any = SimpleNamespace(store=results, queue=queue, record=record, consumer="jobs", tell=tell)
        collecting = asyncio.create_task(_collect(job, PASS, TOTAL))
        async with asyncio.timeout(60):
            while (await queue.counts(RUN)).issued < TOTAL:  # noqa: ASYNC110 - the queue has no event
                await asyncio.sleep(0.01)
            lose(client)
            working = asyncio.create_task(work(AsyncQueue(await connect_async(server.url))))
            await collecting
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    asyncio.run(main())
    ledger = Queue(client).ledger(RUN)
    assert ledger == dict.fromkeys(range(TOTAL), "used:0")
    assert sorted(results.kept) == list(range(TOTAL))


def test_an_ordinal_that_no_stream_holds_is_forgotten_and_can_be_issued_again(server: RedisServer) -> None:
    client, queue = connect(server.url), Queue(connect(server.url))
    queue.open_run(RUN, used={9: 1})
    for ordinal in range(3):
        queue.issue(wire.GroupTask(run_id=RUN, ordinal=ordinal))
    assert queue.recount(RUN) == 0
    client.xdel(TASKS, client.xrange(TASKS)[1][0])
    assert queue.recount("another/1-score/0") == 0
    assert queue.recount(RUN) == 1
    assert queue.ledger(RUN) == {0: "issued", 2: "issued", 9: "used:1"} and queue.counts(RUN).issued == 2
    assert queue.issue(wire.GroupTask(run_id=RUN, ordinal=1))
