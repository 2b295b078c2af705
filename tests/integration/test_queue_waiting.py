"""Waiting for work, for either client: it wakes, it survives what happens to the server, and its limits hold."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from earwitness.errors import InfrastructureError
from earwitness.queue import (
    ROLLOUTS,
    TASKS,
    Queue,
    Taken,
    commands,
)
from earwitness.redis_server import connect
from tests.integration.process_kit import wait_for
from tests.integration.queue_kit import (
    RUN,
    client,
    group,
    queue,
    server,
    task,
)

__all__ = ["client", "queue", "server"]


@contextmanager
def while_blocked(client: redis.Redis, action: Callable[[], object]) -> Iterator[None]:
    """The action on another thread, once somebody waits for work.

    It has ended when the block has, and so cannot reach into the next test.
    """

    def act() -> None:
        wait_for("somebody who waits for work", lambda: client.info("clients")["blocked_clients"])
        action()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def until_taken(queue: Queue) -> list[Taken]:
    """Takes until there is something: on a machine that stalls the first block may be over before the work comes."""
    return wait_for("work", lambda: queue.take(TASKS, "w", 1, 3000))


def test_a_blocking_take_wakes_when_work_arrives(queue, client):
    Queue(client).open_run(RUN)
    ordinals = itertools.count()

    def woken() -> bool:
        """Whether the work came in less than the block is long; a machine that stalls may miss that once."""
        started = time.monotonic()
        with while_blocked(client, lambda: Queue(client).issue(task(next(ordinals)))):
            assert len(until_taken(queue)) == 1
        return time.monotonic() - started < commands.LONGEST_BLOCK_MS / 1000

    wait_for("a take that wakes", woken)
    assert queue.take(TASKS, "w", 1, 100) == []


@pytest.mark.parametrize("flushed", [False, True])
def test_a_blocking_take_survives_a_new_run(queue, client, flushed):
    """Opening a run empties the streams under the feet of those that wait on them; so does who empties the server."""
    Queue(client).open_run("older")

    def new_run() -> None:
        if flushed:
            client.flushall()
        Queue(client).open_run(RUN)
        time.sleep(0.1)
        Queue(client).issue(task(0))

    with while_blocked(client, new_run):
        assert len(until_taken(queue)) == 1


def test_the_longest_block_ends_before_the_connection_counts_as_dead(queue):
    queue.open_run(RUN)
    assert queue.take(TASKS, "w", 1, 60_000) == []


def test_a_flushed_server_is_no_reason_to_fail(queue, client):
    """Scripts and groups are gone, as after a restart without a disk."""
    queue.open_run(RUN)
    assert queue.issue(task(0))
    client.flushall()
    client.script_flush()
    assert queue.take(TASKS, "w", 1, 10) == []
    assert queue.hand_off(TASKS, "1-1", group(0), ROLLOUTS) == "stale"


def test_a_wrong_password_is_not_tried_again(server, client):
    client.acl_log_reset()
    with pytest.raises(InfrastructureError, match="password"):
        connect(f"redis://:wrong@127.0.0.1:{server.port}/0")
    assert [(entry["reason"], entry["count"]) for entry in client.acl_log()] == [("auth", 1)]
