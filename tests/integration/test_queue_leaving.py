"""Work that is handed back half done, and a ledger that went back a second."""

import shutil
import time

import pytest

from earwitness.queue import READY, ROLLOUTS, SCORED, TASKS, AlreadyUsedError, PayloadTooLargeError, Queue, commands
from earwitness.queue.values import Counts
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for

RUN = "job/1-train/0"
CLAIM_IDLE_MS = 60_000
"""So long that nothing is claimed that was not handed back."""


@pytest.fixture
def server(tmp_path):
    with RedisServer("queue", tmp_path) as running:
        yield running


@pytest.fixture
def client(server):
    return connect(server.url)


@pytest.fixture
def queue(client):
    queue = Queue(client, CLAIM_IDLE_MS)
    queue.open_run(RUN)
    return queue


def task(ordinal):
    return trajectory_pb2.GroupTask(
        run_id=RUN,
        ordinal=ordinal,
        prompt=trajectory_pb2.Prompt(id=f"p{ordinal}"),
        sampling=trajectory_pb2.Sampling(samples=2, max_tokens=8),
    )


def begin(task, tokens):
    """The task with `tokens` tokens of each sample."""
    for index in range(task.sampling.samples):
        task.begun.add(index=index, token_ids=range(tokens), logprobs=[-0.5] * tokens).versions.add(
            version=3, tokens=tokens
        )
    return task


def take(queue, consumer):
    (taken,) = queue.take(TASKS, consumer, 1, 0)
    return taken.message_id, trajectory_pb2.GroupTask.FromString(taken.data)


def bring_to(queue, stream, ordinal):
    """Moves one ordinal as far as `stream`."""
    queue.issue(task(ordinal))
    (taken,) = queue.take(TASKS, "w", 1, 0)
    for there, after in ((TASKS, ROLLOUTS), (ROLLOUTS, SCORED), (SCORED, READY)):
        if stream == there:
            return taken.message_id
        queue.hand_off(there, taken.message_id, trajectory_pb2.Group(task=task(ordinal)), after)
        (taken,) = queue.take(after, "w", 1, 0)
    return taken.message_id


def test_what_a_leaver_generated_comes_with_the_task(queue, client):
    for ordinal in range(3):
        queue.issue(task(ordinal))
    message_id, first = take(queue, "leaver")
    assert queue.hand_back("leaver", message_id, begin(task(0), tokens=5))
    again, second = take(queue, "heir")  # before the tasks that nobody has begun
    assert again == message_id
    assert second == begin(first, tokens=5)
    assert queue.ledger(RUN)[0] == "issued"
    assert queue.hand_back("heir", again, begin(task(0), tokens=7))  # what it had is part of what it gives
    _, third = take(queue, "last")
    assert [len(t.token_ids) for t in third.begun] == [7, 7]
    assert client.xpending_range(TASKS, "ew", message_id, message_id, 1)[0]["times_delivered"] == 1
    assert queue.hand_off(TASKS, message_id, trajectory_pb2.Group(task=task(0)), ROLLOUTS) == "ok"
    assert not client.keys("ew:begun:*")
    assert queue.counts(RUN) == Counts(issued=2, rolled=1)


def test_a_killed_heir_loses_only_its_own_part(queue, client):
    queue.issue(task(0))
    message_id, _ = take(queue, "leaver")
    queue.hand_back("leaver", message_id, begin(task(0), tokens=5))
    take(queue, "killed")
    impatient = Queue(client, claim_idle_ms=1)
    time.sleep(0.01)
    _, claimed = take(impatient, "last")
    assert [len(t.token_ids) for t in claimed.begun] == [5, 5]


def test_who_no_longer_holds_a_task_cannot_hand_it_back(queue, client):
    queue.issue(task(0))
    message_id, _ = take(queue, "slow")
    time.sleep(0.01)
    (claimed,) = Queue(client, claim_idle_ms=1).take(TASKS, "heir", 1, 0)
    assert claimed.message_id == message_id
    assert not queue.hand_back("slow", message_id, begin(task(0), tokens=5))
    assert client.xpending_range(TASKS, "ew", "-", "+", 9)[0]["consumer"] == b"heir"
    queue.close_run(RUN)
    assert not queue.hand_back("heir", message_id, begin(task(0), tokens=5))
    assert not client.keys("ew:begun:*")


@pytest.mark.parametrize("end", ["drop", "close", "open another"])
def test_nothing_is_kept_of_an_ordinal_that_ended(queue, client, end):
    queue.issue(task(0))
    message_id, _ = take(queue, "leaver")
    queue.hand_back("leaver", message_id, begin(task(0), tokens=5))
    assert client.keys("ew:begun:*")
    if end == "drop":
        queue.drop(TASKS, message_id, RUN, 0, "bad clip")
    elif end == "close":
        queue.close_run(RUN)
    else:
        queue.open_run("job/1-train/1")
    assert not client.keys("ew:begun:*")


def test_too_much_to_hand_back_is_refused(queue, monkeypatch):
    monkeypatch.setattr(commands, "MAX_PAYLOAD_BYTES", 100)
    queue.issue(task(0))
    message_id, _ = take(queue, "leaver")
    with pytest.raises(PayloadTooLargeError, match=r"what was generated is [0-9]+ bytes; expected at most 100"):
        queue.hand_back("leaver", message_id, begin(task(0), tokens=50))
    queue.forget(TASKS, "leaver")
    assert take(queue, "heir")[0] == message_id


@pytest.mark.parametrize("stream", [None, TASKS, ROLLOUTS, SCORED])
def test_groups_are_used_although_redis_lost_its_last_second(server, queue, stream, tmp_path_factory):
    """The trainer holds two groups; the server comes back with a file from before they were ready."""
    if stream:
        for ordinal in (0, 1):
            bring_to(queue, stream, ordinal)
    wait_for("the append-only file", lambda: not queue._client.info("persistence")["aof_buffer_length"])
    older = shutil.copytree(server.directory, tmp_path_factory.mktemp("older") / "copy")
    if stream:
        queue.close_run(RUN)  # the way to ready once more, under ids of its own
        queue.open_run(RUN)
    held = [(bring_to(queue, READY, ordinal), ordinal) for ordinal in (0, 1)]
    server.kill()
    shutil.rmtree(server.directory)
    shutil.copytree(older, server.directory)
    server.start()
    assert set(queue.ledger(RUN).values()) == ({commands.STATE_OF[stream]} if stream else set())
    queue.use(RUN, 4, held)
    queue.use(RUN, 4, held)
    assert queue.ledger(RUN) == {0: "used:4", 1: "used:4"}
    assert queue.counts(RUN) == Counts(used=2)
    with pytest.raises(AlreadyUsedError):
        queue.use(RUN, 5, held)
    # what lies about of them has no effect any more
    assert not queue.issue(task(0))
    for there, after in ((TASKS, ROLLOUTS), (ROLLOUTS, SCORED), (SCORED, READY)):
        for taken in Queue(queue._client, claim_idle_ms=1).take(there, "x", 9, 0):
            parsed = (trajectory_pb2.GroupTask if there == TASKS else trajectory_pb2.Group).FromString(taken.data)
            ordinal = parsed.ordinal if there == TASKS else parsed.task.ordinal
            group = trajectory_pb2.Group(task=task(ordinal))
            assert queue.hand_off(there, taken.message_id, group, after) == "duplicate"
    assert [(lag.waiting, lag.pending) for lag in queue.lag()] == [(0, 0)] * 4
    assert queue.counts(RUN) == Counts(used=2)
