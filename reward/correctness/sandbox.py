"""A process that compares expressions and can be killed: sympy can hang, and eat all memory, in code no thread stops.

The server process imports math-verify once and forks for each comparison; the child has limits of CPU time,
wall time and memory that the kernel keeps, so it ends even if the parent of the server is gone. The parent waits a
little longer than they allow and, if nothing comes, kills the server with all its children and starts another.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from earwitness.errors import InfrastructureError
from reward.correctness.sandbox_server import READY, WALL_PER_CPU

CHECK_SECONDS = 2.0
"""CPU time of one comparison, seconds: it takes 5 to 60 ms."""
GRACE_SECONDS = 2.0
"""Added before the server itself is given up: its child's alarm comes first."""
START_SECONDS = 30.0
"""Limit of a start: sympy is imported in half a second, from slow storage in several."""
MEMORY_BYTES = 1 << 30
"""Address space of one comparison: sympy with its parsers takes a third of it."""

_ROOT = Path(__file__).resolve().parents[2]


class MathFailure(InfrastructureError):
    """A comparison that came to no end: it says nothing about the answer."""


class Sandbox:
    """Compares expressions, one at a time, in processes of their own."""

    def __init__(self, check_seconds: float = CHECK_SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self.killed = 0
        """Comparisons that were killed or died."""
        self._seconds = check_seconds
        self._memory = memory_bytes
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def equal(self, reference: str, answer: str) -> bool:
        """True if two LaTeX texts are equal. Raises MathFailure if that took too long, too much, or broke."""
        with self._lock:
            started = time.monotonic()
            server = self._running()
            line = json.dumps([reference, answer]).encode() + b"\n"
            try:
                assert server.stdin is not None
                server.stdin.write(line)
                server.stdin.flush()
                outcome = self._line(server, self._seconds * WALL_PER_CPU + GRACE_SECONDS)
            except (OSError, MathFailure) as error:
                self._stop()
                outcome = f"no reply ({error})"
            if outcome in ("right", "wrong"):
                return outcome == "right"
            self.killed += 1
            raise MathFailure("math-verify", time.monotonic() - started, outcome)

    def close(self) -> None:
        """Ends the processes."""
        with self._lock:
            self._stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._server is not None and self._server.poll() is None:
            return self._server
        self._stop()
        command = [sys.executable, "-m", "reward.correctness.sandbox_server", str(self._seconds), str(self._memory)]
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
        self._server = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # so that the server can be killed with its children
        )
        try:
            if self._line(self._server, START_SECONDS) == READY:
                return self._server
            problem = "it ended"
        except MathFailure as error:
            problem = error.detail
        self._stop()
        raise MathFailure("the start of math-verify", START_SECONDS, problem)

    def _line(self, server: subprocess.Popen[bytes], seconds: float) -> str:
        """The next line that the server writes."""
        assert server.stdout is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([server.stdout], [], [], left)[0]:
                raise MathFailure("math-verify", seconds, "nothing came")
            data = os.read(server.stdout.fileno(), 65_536)
            if not data:
                raise MathFailure("math-verify", seconds, "its process ended")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def _stop(self) -> None:
        server, self._server, self._unread = self._server, None, b""
        if server is None:
            return
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            server.kill()
        server.wait()
        for pipe in (server.stdin, server.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was buffered for the dead server is lost, as it should be
                    pipe.close()


@functools.cache
def shared_sandbox() -> Sandbox:
    """The sandbox of this process. Its server ends by itself when this process does: its input ends."""
    return Sandbox()
