"""The Redis that the chart starts: its own script and configuration, run here, serve the queue and the weights."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import helm_python as helm
import numpy as np
import pytest
import redis
import yaml

from earwitness.local.ports import free_ports
from earwitness.queue import READY, TASKS, Queue
from earwitness.redis_address import with_password
from earwitness.redis_server import RedisServer, connect, connect_bulk
from earwitness.weights import WeightPublisher, WeightReader
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for

CHART = Path(__file__).parents[2] / "charts" / "earwitness"
PASSWORD = "p/a s:s@w#o?r%41d,'\"\\$(HOME)`>~&|é "
"""Whatever a person's Secret holds, it opens the server and shows nowhere."""


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, str]]:
    """Files of the ConfigMaps, by component."""
    with helm.Chart.load(CHART) as chart:
        files = chart.render({}, name="ew", namespace="ns")
    objects = [
        o for role in ("queue", "weights") for o in yaml.safe_load_all(files[f"earwitness/templates/{role}/redis.yaml"])
    ]
    return {o["metadata"]["name"].removeprefix("ew-"): o["data"] for o in objects if o["kind"] == "ConfigMap"}


@pytest.fixture(params=["queue", "weights"])
def role(request: pytest.FixtureRequest) -> str:
    return request.param


class PodRedis:
    """The server of one role, started as its pod starts it; only paths and the port differ."""

    def __init__(self, files: dict[str, str], folder: Path) -> None:
        port = free_ports(1)[0]
        self.url = with_password(f"redis://earwitness@127.0.0.1:{port}/0", PASSWORD)
        """As our user."""
        self._folder = folder
        for place in ("etc", "tmp", "data", "bin"):
            (folder / place).mkdir(parents=True)
        places = {"/etc/redis": f"{folder}/etc", "/var/lib/redis": f"{folder}/data", "/tmp": f"{folder}/tmp"}
        for name, text in files.items():
            here = re.sub("/etc/redis|/var/lib/redis|/tmp", lambda found: places[found.group()], text)
            (folder / "etc" / name).write_text(here.replace("port 6379", f"port {port}\nbind 127.0.0.1"))
        (folder / "bin" / "valkey-server").symlink_to(server_program(folder))
        self.start()

    def start(self) -> None:
        log = self._folder / "log"
        environment = {"PATH": f"{self._folder}/bin:{os.environ['PATH']}", "EW_REDIS_PASSWORD": PASSWORD}
        with log.open("ab") as output:
            command = ["sh", f"{self._folder}/etc/start.sh"]
            self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        wait_for("a PONG", lambda: answers(self.url, self._process, log))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def server(role: str, rendered: dict[str, dict[str, str]], tmp_path: Path) -> Iterator[PodRedis]:
    pod = PodRedis(rendered[role], tmp_path / "redis")
    yield pod
    pod.stop()


@pytest.fixture
def url(server: PodRedis) -> str:
    return server.url


def server_program(folder: Path) -> str:
    """The redis-server that the tests have: found as `earwitness up` finds it."""
    with RedisServer("weights", folder / "probe") as server:
        return str(Path(f"/proc/{server.pid}/exe").readlink())


def answers(address: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return redis.Redis.from_url(address).ping()
    except redis.ConnectionError:
        return False


def test_the_queue_and_the_weights_work_as_our_user(role: str, url: str) -> None:
    if role == "queue":
        queue = Queue(connect(url))
        queue.open_run("job/0-train/1", {}, {})
        task = trajectory_pb2.GroupTask(run_id="job/0-train/1", ordinal=0)
        assert queue.issue(task)
        (taken,) = queue.take(TASKS, "worker", block_ms=100)
        queue.renew(TASKS, "worker", [taken.message_id])
        assert queue.hand_off(TASKS, taken.message_id, trajectory_pb2.Group(task=task), READY) == "ok"
        (ready,) = queue.take(READY, "trainer", block_ms=100)
        queue.use("job/0-train/1", 1, [(ready.message_id, 0)])
        queue.announce("rollout", "worker", {"state": "working"})
        assert queue.ledger("job/0-train/1") == {0: "used:1"}
        assert len(queue.workers()) == 1
        assert queue.lag()
    else:
        tensor = np.arange(250, dtype=np.float32).view(np.uint8)
        with connect(url).pubsub() as news:
            news.subscribe("ew:w:news")
            publisher = WeightPublisher([connect_bulk(url)], "job/1")
            publisher.publish_anchor(1, [("a.weight", "float32", (250,), memoryview(tensor))])
        reader = WeightReader([url])
        assert reader.latest() == ("job/1", 1)
        reader.lease("worker", "job/1", 1)
        reader.release("worker")


@pytest.mark.parametrize("role", ["queue"], indirect=True)
def test_a_queue_that_is_started_again_has_lost_nothing(server: PodRedis) -> None:
    """Scripts stand in the append-only file as transactions, which Redis reads with the rights of the default user."""
    queue = Queue(connect(server.url))
    queue.open_run("job/0-train/1", {}, {})
    for ordinal in range(3):
        assert queue.issue(trajectory_pb2.GroupTask(run_id="job/0-train/1", ordinal=ordinal))
    before = contents(server.url)
    assert len(before) >= 4
    server.stop()
    server.start()
    assert contents(server.url) == before


def contents(url: str) -> dict[bytes, bytes]:
    """Every key with its value, as DUMP writes it."""
    client = redis.Redis.from_url(url)
    return {key: client.dump(key) for key in client.scan_iter("ew:*")}


def test_nobody_else_gets_in_and_our_user_stays_within_our_keys(url: str) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(re.sub("//.*@", "//", url)).ping()
    client = redis.Redis.from_url(url)
    for forbidden in [("SET", "other", "1"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST")]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*forbidden)


def test_the_password_stands_in_no_file_and_no_log(server: PodRedis, tmp_path: Path) -> None:
    written = [p.read_bytes() for p in (tmp_path / "redis").rglob("*") if p.is_file() and not p.is_symlink()]
    assert written and not any(PASSWORD.strip().encode() in data for data in written)


def test_nothing_is_evicted_and_only_the_queue_is_durable(role: str, url: str) -> None:
    facts = {section: redis.Redis.from_url(url).info(section) for section in ("memory", "persistence")}
    assert facts["memory"]["maxmemory_policy"] == "noeviction"
    assert facts["memory"]["maxmemory"] > 0
    assert facts["persistence"]["aof_enabled"] == (1 if role == "queue" else 0)
