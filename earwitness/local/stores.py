"""The Redis servers of a local mesh: embedded ones that are started again if they end, or a person's own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import redis

from earwitness.errors import InfrastructureError
from earwitness.local.backoff import BackOff
from earwitness.local.ports import HOST, free_ports
from earwitness.local.state import ProcessState
from earwitness.redis_client import connect, connect_once
from earwitness.redis_server import RedisServer

ANSWER_SECONDS = 1.0
"""Who starts the queue again must not wait for it."""


LEAST_FREE = 2**20
"""Bytes without which a Redis cannot begin its file."""


class Stores:
    """The queue and the weight shards."""

    def __init__(
        self, folder: Path, queue_url: str | None, weights_urls: tuple[str, ...], say: Callable[[str], None]
    ) -> None:
        """An embedded server for each role without a URL. Nothing is started yet."""
        self._say = say
        self._embedded: dict[str, RedisServer] = {}
        queue_port, weights_port = free_ports(2)
        # Ports are fixed here: the services know a server by its port, so it must come back on the same one.
        if queue_url is None:
            self._embedded["queue"] = RedisServer("queue", folder / "queue", queue_port)
            queue_url = self._embedded["queue"].url
        if not weights_urls:
            self._embedded["weights"] = RedisServer("weights", folder / "weights", weights_port)
            weights_urls = (self._embedded["weights"].url,)
        self.queue_url = queue_url
        self.weights_urls = weights_urls
        self._restarts = dict.fromkeys(self._embedded, 0)
        self._back_off = dict.fromkeys(self._embedded, BackOff())
        self._started = dict.fromkeys(self._embedded, 0.0)
        self._client: redis.Redis | None = None

    def start(self) -> None:
        """Start the embedded servers and reach all. Raises InfrastructureError within seconds."""
        for name, server in self._embedded.items():
            server.start()
            self._started[name] = time.monotonic()
            self._say(f"{name}: Redis on port {server.port}")
        for url in (self.queue_url, *self.weights_urls):
            connect(url).close()

    def look(self) -> None:
        """Start what ended again. Raises InfrastructureError if that does not help."""
        for name, server in self._embedded.items():
            if server.running:
                continue
            if _is_full(server.directory):  # it ends again at once until there is room
                continue
            self._back_off[name] = self._back_off[name].ended(time.monotonic() - self._started[name])
            if self._back_off[name].hopeless:
                raise InfrastructureError(f"the {name} Redis", 0.0, "it ends again and again soon after its start")
            self._say(f"{name}: Redis ended; starting it again")
            server.kill()
            server.start()
            self._restarts[name] += 1
            self._started[name] = time.monotonic()

    @property
    def client(self) -> redis.Redis:
        """A connection to the queue that asks once: Redis's own ConnectionError or TimeoutError if nobody answers."""
        if self._client is None:
            self._client = connect_once(self.queue_url, ANSWER_SECONDS)
        return self._client

    def states(self) -> list[ProcessState]:
        """For the state file; own servers of a person are not ours to list."""
        return [
            ProcessState(
                name=name, role=name, pid=server.pid or 0, address=f"{HOST}:{server.port}",
                state="healthy" if server.running else "backing-off", restarts=self._restarts[name],
                log=str(server.directory / f"{name}-redis.log"),
            )
            for name, server in self._embedded.items()
        ]  # fmt: skip

    def stop(self) -> None:
        """Stop the embedded servers; the queue's file is synced first."""
        if self._client is not None:
            self._client.close()
        for server in self._embedded.values():
            server.stop()


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LEAST_FREE
