"""The Redis that we start ourselves."""

import os
import socket
import subprocess
import sys

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from earwitness.active import (
    ACTIVE,
    ActiveJob,
    clear_active_async,
    read_active,
    read_active_async,
    write_active,
    write_active_async,
)
from earwitness.errors import InfrastructureError, InputError
from earwitness.redis_server import RedisServer, connect, connect_async, connect_bulk
from tests.integration.process_kit import wait_for

STARTS_ONE_AND_WAITS = """
import sys, time
from earwitness.redis_server import RedisServer

print(RedisServer("weights", sys.argv[1]).start().pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("role", ["queue", "weights"])
def test_it_listens_on_loopback_with_a_password_and_never_evicts(tmp_path, role):
    with RedisServer(role, tmp_path) as server:
        assert connect(server.url).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)).ping()
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)} - {"127.0.0.1", "::1"}
        for address in others:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
                probe.settimeout(1)
                assert probe.connect_ex((address, server.port)) != 0


@pytest.mark.parametrize(("role", "kept"), [("queue", b"1"), ("weights", None)])
def test_only_the_queue_outlives_its_server(tmp_path, role, kept):
    server = RedisServer(role, tmp_path)
    for value in (None, kept):
        with server:
            client = connect(server.url)
            assert client.get("x") == value
            client.set("x", 1)


def test_a_full_server_says_so(tmp_path):
    with RedisServer("weights", tmp_path, max_memory_bytes=4_000_000) as server:
        client = connect(server.url)
        with pytest.raises(InfrastructureError, match="maxmemory"):
            for index in range(8):
                client.set(f"x{index}", bytes(1_000_000))


def test_a_port_that_is_taken_is_named_with_the_end_of_the_log(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InfrastructureError, match=rf"(?s)port {port} .*Address already in use"):
            RedisServer("queue", tmp_path, port).start()


def test_it_ends_with_the_process_that_started_it(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE_AND_WAITS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_for("the server to end", lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """False for a zombie too: in a container nobody may collect it."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - not a file of ours
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_stopping_twice_and_starting_twice(tmp_path):
    server = RedisServer("weights", tmp_path).start()
    pid = server.pid
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    server.stop()
    server.stop()
    assert server.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_active_job_is_read_as_it_was_written(tmp_path):
    with RedisServer("queue", tmp_path) as server:
        client, other = connect(server.url), await connect_async(server.url)
        job = ActiveJob(job_id="j-1", model_uri="file:///m", dtype="bfloat16", needs_reference=True)
        assert read_active(client) is None
        write_active(client, job)
        assert read_active(client) == await read_active_async(other) == job
        client.delete(ACTIVE)
        assert await read_active_async(other) is None
        await write_active_async(other, job)
        assert read_active(client) == job
        await clear_active_async(other)
        assert read_active(client) is None
        await other.aclose()


@pytest.mark.parametrize(
    ("fault", "words"), [("allkeys-lru", "maxmemory-policy is allkeys-lru"), ("database", "DB index is out of range")]
)
async def test_a_server_that_is_not_fit_is_refused_by_every_way_in(tmp_path, fault, words):
    with RedisServer("queue", tmp_path) as server:
        url = server.url
        if fault == "database":
            url = f"{server.url.rpartition('/')[0]}/99"
        else:
            connect(server.url).config_set("maxmemory-policy", fault)
        for way in (connect, connect_bulk):
            with pytest.raises(InputError, match=words) as refused:
                way(url)
            assert url.split(":")[2].split("@")[0] not in str(refused.value)
        with pytest.raises(InputError, match=words):
            await connect_async(url)
