"""A Redis that answers but refuses writes is waited for, within limits; when there is room the work goes on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.queue import AsyncQueue, Queue
from earwitness.redis_client import Patience, connect_async
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.trajectory.v1 import trajectory_pb2

RUN = "job/1-train/0"
ROOM_SECONDS = 1.5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path / "queue") as running:
        yield running


def settled(client: redis.Redis) -> bool:
    return not client.info("persistence")["rdb_bgsave_in_progress"]


@contextmanager
def no_disk(client: redis.Redis) -> Iterator[Callable[[], None]]:
    """What is saved cannot be put into place, as on a full disk: MISCONF."""
    saved = Path(client.config_get("dir")["dir"]) / client.config_get("dbfilename")["dbfilename"]
    saved.unlink(missing_ok=True)
    saved.mkdir()  # nothing can be renamed to a folder with something in it
    (saved / "file").touch()
    client.config_set("save", "3600 1000000")
    client.config_set("stop-writes-on-bgsave-error", "yes")
    client.bgsave()
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok" or not settled(client):
        time.sleep(0.02)
    yield lambda: client.config_set("stop-writes-on-bgsave-error", "no")


@contextmanager
def no_memory(client: redis.Redis) -> Iterator[Callable[[], None]]:
    """Every command that needs memory is refused: OOM, in a script under another class of error."""
    client.set("ballast", b"x" * 2_000_000)
    client.config_set("maxmemory", "1mb")
    yield lambda: client.config_set("maxmemory", "0")


@pytest.mark.parametrize(("refuse", "word"), [(no_disk, "MISCONF"), (no_memory, "maxmemory")])
def test_what_is_refused_for_a_while_is_done_once_there_is_room(
    server: RedisServer,
    refuse: Callable[..., Any],
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("earwitness.redis_client.FIRST_SAID_SECONDS", 0.0)
    client = redis.Redis.from_url(server.url)
    Queue(connect(server.url)).open_run(RUN)

    async def issue(ordinal: int) -> bool:
        mine = await connect_async(server.url, Patience(Logger("test"), 30.0))
        try:
            return await AsyncQueue(mine).issue(trajectory_pb2.GroupTask(run_id=RUN, ordinal=ordinal))
        finally:
            await mine.aclose()

    with refuse(client) as make_room:
        with pytest.raises(redis.ResponseError, match=word):
            client.set("probe", b"x" * 100)
        timer = threading.Timer(ROOM_SECONDS, make_room)
        timer.start()
        assert asyncio.run(issue(3))
        timer.join()
    assert Queue(connect(server.url)).ledger(RUN) == {3: "issued"}
    assert word in capfd.readouterr().err


def test_a_refusal_that_lasts_is_an_error_of_the_infrastructure_that_says_why(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earwitness.redis_client.RETRY_SECONDS", 0.2)
    client = redis.Redis.from_url(server.url)
    Queue(connect(server.url)).open_run(RUN)
    with no_disk(client):
        queue = Queue(connect(server.url))  # it is there
        with pytest.raises(InfrastructureError, match="MISCONF"):
            queue.issue(trajectory_pb2.GroupTask(run_id=RUN, ordinal=3))
        assert queue.ledger(RUN) == {}
