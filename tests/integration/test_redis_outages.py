"""Workers wait out a Redis that is away, say so, and give up only after a stated time."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.queue import Queue
from earwitness.redis_client import RETRY_SECONDS, Patience, connect, connect_async
from earwitness.redis_server import RedisServer
from tests.integration.process_kit import wait_for

ROOT = Path(__file__).parents[2]
ROLES = ("reward", "reference", "rollout")
OUTAGE_SECONDS = RETRY_SECONDS + 3.0
"""Longer than any other client waits."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer("queue", tmp_path / "queue") as running:
        yield running


async def test_a_command_waits_until_the_server_is_back_and_says_so(server: RedisServer) -> None:
    said = io.StringIO()
    client = await connect_async(server.url, Patience(Logger("test", stream=said)))
    await client.set("key", "value")
    server.stop()
    waiting = asyncio.create_task(client.get("key"))
    await asyncio.sleep(OUTAGE_SECONDS)
    assert not waiting.done()
    await asyncio.to_thread(server.start)
    assert await waiting == b"value"
    await client.aclose()
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["waiting"] * (len(lines) - 1) + ["answers again"]
    assert len(lines) >= 2
    assert lines[0]["waiting_for"] == f"Redis at redis://127.0.0.1:{server.port}/0" and lines[0]["limit"] == 120
    assert lines[-1]["seconds"] >= OUTAGE_SECONDS - 1


async def test_patience_ends_with_an_error_that_names_the_server(server: RedisServer) -> None:
    client = await connect_async(server.url, Patience(Logger("test", stream=io.StringIO()), seconds=1.0))
    server.stop()
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match=rf"Redis at redis://127.0.0.1:{server.port}/0"):
        await client.get("key")
    assert 0.4 < time.monotonic() - started < 4
    await client.aclose()


def test_workers_outlive_an_outage(server: RedisServer, tmp_path: Path) -> None:
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
            server.stop()
            time.sleep(OUTAGE_SECONDS)
            server.start()
            for key in queue._client.keys("ew:worker:*"):  # what they said before
                queue._client.delete(key)
            wait_for("all workers again", all_there)

            def events(log: Path) -> set[str]:
                whole = log.read_text().rpartition("\n")[0]  # the last line may be half written
                return {json.loads(line)["event"] for line in whole.splitlines() if line.startswith("{")}

            for role, log in logs.items():
                # A worker may be seen again before each of its connections has said so.
                wait_for(f"{role}'s word", lambda log=log: {"waiting", "answers again"} <= events(log))
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
