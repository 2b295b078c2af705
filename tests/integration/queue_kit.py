"""A queue on a real Redis, through the blocking and the asyncio client alike; groups that go through it."""

import asyncio

import pytest

from earwitness.queue import READY, ROLLOUTS, TASKS, AsyncQueue, Queue, commands
from earwitness.queue.names import CONSUMERS
from earwitness.redis_server import RedisServer, connect, connect_async
from earwitness.wire.trajectory.v1 import trajectory_pb2

RUN = "job/0-train/1"
CLAIM_IDLE_MS = 600_000
"""So long that nothing is claimed but what `fall_silent` has made old: no outcome depends on how fast a test runs."""


class Blocking:
    """An AsyncQueue called like a Queue, so that both run the same tests."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(connect_async(url))
        self._queue = AsyncQueue(self._client, CLAIM_IDLE_MS)

    def __getattr__(self, name: str):
        method = getattr(self._queue, name)
        return lambda *args, **kwargs: self._loop.run_until_complete(method(*args, **kwargs))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer("queue", tmp_path_factory.mktemp("queue")) as running:
        yield running


@pytest.fixture
def client(server):
    client = connect(server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture(params=["sync", "async"])
def queue(request, server, client):
    if request.param == "sync":
        yield Queue(client, CLAIM_IDLE_MS)
        return
    queue = Blocking(server.url)
    yield queue
    queue.close()


def fall_silent(client, stream):
    """As if whoever holds entries of the stream had renewed none of them for longer than `CLAIM_IDLE_MS`."""
    for held in client.xpending_range(stream, CONSUMERS, "-", "+", 100):
        client.xclaim(stream, CONSUMERS, held["consumer"], 0, [held["message_id"]], idle=CLAIM_IDLE_MS + 1, justid=True)


def task(ordinal: int, run_id: str = RUN) -> trajectory_pb2.GroupTask:
    return trajectory_pb2.GroupTask(run_id=run_id, ordinal=ordinal)


def group(ordinal: int, run_id: str = RUN) -> trajectory_pb2.Group:
    return trajectory_pb2.Group(task=task(ordinal, run_id))


def take_one(queue, stream, consumer="worker"):
    (taken,) = queue.take(stream, consumer, 1, 0)
    return taken


def bring_to_ready(queue, ordinal):
    """Issues an ordinal and brings it to `ready`; returns its (message id, ordinal) there."""
    assert queue.issue(task(ordinal))
    for stream_from, stream_to in ((TASKS, ROLLOUTS), (ROLLOUTS, READY)):
        taken = take_one(queue, stream_from)
        assert queue.hand_off(stream_from, taken.message_id, group(ordinal), stream_to) == "ok"
    return take_one(queue, READY, "trainer").message_id, ordinal


def assert_consistent(queue, run_id=RUN):
    """Each ordinal is in one state, the counts say the same, and a stream holds exactly what is in its state."""
    ledger, counts = queue.ledger(run_id), queue.counts(run_id)
    kinds = [state.split(":")[0] for state in ledger.values()]
    for kind in ("issued", "rolled", "scored", "ready", "used", "dropped"):
        assert getattr(counts, kind) == kinds.count(kind)
    if queue.current_run() == run_id:
        for lag in queue.lag():
            assert lag.waiting + lag.pending == kinds.count(commands.STATE_OF[lag.stream]), lag
