"""Workers wait out a Redis that is away, say so, and give up only after a stated time."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.queue import Queue
from earwitness.redis_client import RETRY_SECONDS, SOCKET_SECONDS, Patience, connect, connect_async
from earwitness.redis_server import RedisServer
from earwitness.weights import connect_shards
from tests.integration.process_kit import PATIENCE, said_in, wait_for, wait_for_redis

ROOT = Path(__file__).parents[2]
ROLES = ("reward", "reference", "rollout")
OUTAGE_SECONDS = max(RETRY_SECONDS, SOCKET_SECONDS) + 1.0
"""Longer than any other client waits, and than the first word of one that has patience."""


@pytest.fixture(scope="module", autouse=True)
def outwait_redis() -> None:
    """How long clients wait is what is tested here."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path / "queue") as running:
        yield running


@pytest.fixture
def outlasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is no outage here: a machine that stalls makes it, too."""
    wait_for_redis(monkeypatch)


async def test_a_command_waits_until_the_server_is_back_and_says_so(server: RedisServer) -> None:
    said = io.StringIO()
    client = await connect_async(server.url, Patience(Logger("test", stream=said)))
    await client.set("key", "value")
    server.stop()
    waiting = asyncio.create_task(client.get("key"))

    def long_away() -> bool:
        return any(line["seconds"] >= OUTAGE_SECONDS for line in said_in(said.getvalue()))

    await asyncio.to_thread(wait_for, "its word that it waits", long_away)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    assert await waiting == b"value"
    await client.aclose()
    lines = said_in(said.getvalue())
    assert [line["event"] for line in lines] == ["waiting"] * (len(lines) - 1) + ["answers again"]
    assert len(lines) >= 2
    assert lines[0]["waiting_for"] == f"Redis at redis://127.0.0.1:{server.port}/0" and lines[0]["limit"] == 120
    assert lines[-1]["seconds"] >= OUTAGE_SECONDS


async def test_patience_at_first_is_over_once_the_server_is_reached(server: RedisServer) -> None:
    """As of the jobs service: it waits for its Redis to begin, and then tells people at once that it is away."""
    said = io.StringIO()
    server.stop()
    reaching = asyncio.create_task(connect_async(server.url, at_first=Patience(Logger("test", stream=said))))
    await asyncio.to_thread(wait_for, "its word that it waits", lambda: said_in(said.getvalue()))
    assert not reaching.done()
    await asyncio.to_thread(server.start)
    client = await reaching
    told = len(said_in(said.getvalue()))
    await asyncio.to_thread(server.stop)
    with pytest.raises(InfrastructureError):
        await client.get("key")
    assert len(said_in(said.getvalue())) == told
    await client.aclose()


def test_shards_are_waited_for_and_then_not(server: RedisServer) -> None:
    """As of a rollout worker that starts: what it asks a shard later fails soon, and is asked again by others."""
    said = io.StringIO()
    server.stop()
    with ThreadPoolExecutor(1) as pool:
        reaching = pool.submit(connect_shards, [server.url], Patience(Logger("test", stream=said)))
        wait_for("its word that it waits", lambda: said_in(said.getvalue()))
        assert not reaching.done()
        server.start()
        (shard,) = reaching.result(PATIENCE)
    assert [line["event"] for line in said_in(said.getvalue())][-1] == "answers again"
    told = len(said_in(said.getvalue()))
    server.stop()
    with pytest.raises(InfrastructureError):
        shard.get("key")
    assert len(said_in(said.getvalue())) == told


async def test_patience_ends_with_an_error_that_names_the_server(server: RedisServer, outlasting: None) -> None:
    client = await connect_async(server.url, Patience(Logger("test", stream=io.StringIO()), seconds=1.0))
    server.stop()
    async with asyncio.timeout(PATIENCE):
        seconds = PATIENCE
        while seconds >= 4:  # a machine that stalls may make one late, never each
            started = time.monotonic()
            with pytest.raises(InfrastructureError, match=rf"Redis at redis://127.0.0.1:{server.port}/0"):
                await client.get("key")
            seconds = time.monotonic() - started
            assert seconds > 0.4
    await client.aclose()


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_an_unreachable_redis_is_named_within_five_seconds(silent: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if silent:
            listener.listen()

        def in_time(attempt: Callable[[str], object]) -> bool:
            started = time.monotonic()
            with pytest.raises(InfrastructureError) as failure:
                attempt(f"redis://:secret@127.0.0.1:{port}/0")
            assert f"127.0.0.1:{port}" in str(failure.value)
            assert "secret" not in str(failure.value)
            return time.monotonic() - started < 5

        for attempt in (connect, lambda url: asyncio.run(connect_async(url))):
            # A machine that stalls may make one late, never each.
            wait_for("an error within five seconds", lambda attempt=attempt: in_time(attempt))


def test_workers_outlive_an_outage(server: RedisServer, tmp_path: Path, outlasting: None) -> None:
    with RedisServer("weights", tmp_path / "weights") as weights:
        environment = {**os.environ, "EW_QUEUE_URL": server.url, "EW_WEIGHTS_URLS": weights.url, "OMP_NUM_THREADS": "1"}
        logs = {role: tmp_path / f"{role}.log" for role in ROLES}
        processes = {}
        for role, log in logs.items():
            with log.open("wb") as out:
                processes[role] = subprocess.Popen(
                    [sys.executable, "-m", f"services.{role}"], cwd=ROOT, stderr=out,
                    env={**environment, "EW_NAME": role},
                )  # fmt: skip
        try:
            queue = Queue(connect(server.url))

            def all_there() -> bool:
                ended = {role: logs[role].read_text()[-2000:] for role, p in processes.items() if p.poll() is not None}
                assert not ended, ended
                return {worker.role for worker in queue.workers()} == set(ROLES)

            wait_for("all workers", all_there)
            before = {role: len(said_in(log.read_text())) for role, log in logs.items()}

            def events(role: str) -> list[dict[str, Any]]:
                return said_in(logs[role].read_text())[before[role] :]

            def waits(role: str) -> bool:
                return any(e["event"] == "waiting" and e["seconds"] >= OUTAGE_SECONDS for e in events(role))

            server.stop()
            for role in ROLES:
                wait_for(f"{role} to wait", lambda role=role: waits(role))
            server.start()
            for key in queue._client.keys("ew:worker:*"):  # what they said before
                queue._client.delete(key)
            wait_for("all workers again", all_there)
            for role in ROLES:  # which may be seen again before each of its connections has said so
                wait_for(f"{role}'s word", lambda role=role: any(e["event"] == "answers again" for e in events(role)))
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
