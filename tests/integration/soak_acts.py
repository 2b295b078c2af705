"""What is done to a mesh in a soak: chosen by a seed, written down before it is done, and undone again."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from earwitness.redis_server import RedisServer

SECONDS = float(os.environ.get("EW_SOAK_SECONDS", "3600"))
"""Of a soak."""
HOLD_SECONDS = (1.0, 4.0)
"""How long a server refuses, is slow, or has no room."""


@dataclass
class Acts:
    """The book of a soak: every act a line, with its second; `later` is what undoes them."""

    path: Path
    seed: int
    chance: random.Random = field(init=False)
    counts: dict[str, int] = field(default_factory=dict)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.note("seed", seed=self.seed)

    def note(self, act: str, **what: Any) -> None:
        """Writes it down."""
        self.counts[act] = self.counts.get(act, 0) + 1
        with self.path.open("a") as file:
            file.write(json.dumps({"second": round(time.monotonic() - self._started, 3), "act": act, **what}) + "\n")

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        """Calls `undo` at the first `tick` after so many seconds."""
        self._later.append((time.monotonic() + seconds, undo))

    def tick(self, *, all_now: bool = False) -> None:
        """Undoes what is due."""
        due = [entry for entry in self._later if all_now or entry[0] <= time.monotonic()]
        self._later = [entry for entry in self._later if entry not in due]
        for _, undo in due:
            undo()

    def hold(self) -> float:
        """Seconds."""
        return self.chance.uniform(*HOLD_SECONDS)


def send(pid: int, number: int) -> None:
    """A signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def stop(acts: Acts, name: str, pid: int, seconds: float) -> None:
    """SIGSTOP for so long, then SIGCONT."""
    acts.note("stop", name=name, pid=pid, seconds=seconds)
    send(pid, signal.SIGSTOP)
    acts.later(seconds, lambda: send(pid, signal.SIGCONT))


def no_room(acts: Acts, name: str, pid: int) -> None:
    """The disk is full for one process: no byte is written to any file (EFBIG in the place of ENOSPC)."""
    acts.note("full disk", name=name, pid=pid)
    with suppress(ProcessLookupError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

        def undo() -> None:
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

        acts.later(acts.hold(), undo)


class Server:
    """A queue Redis, and what can be done to it."""

    def __init__(self, folder: Path, acts: Acts) -> None:
        self.server = RedisServer("queue", folder).start()
        self._acts = acts
        self._sizes: list[tuple[float, int]] = []
        self.lost_bytes = 0

    def client(self) -> redis.Redis:
        """One that asks once."""
        return redis.Redis.from_url(self.server.url, socket_timeout=10)

    def look(self) -> None:
        """Remembers how long the log was, a second back."""
        now = time.monotonic()
        with suppress(OSError):
            self._sizes.append((now, self._log().stat().st_size))
        self._sizes = [entry for entry in self._sizes if entry[0] > now - 1.5]

    def crash(self, *, lose: bool) -> None:
        """SIGKILL, and started again; `lose`: without a part of what its log held of the last second."""
        self.server.kill()
        log, lost = self._log(), 0
        if lose:
            now, size = time.monotonic(), log.stat().st_size
            # The log may have been rewritten meanwhile, which makes it shorter.
            before = min([size, *(there for seen, there in self._sizes if seen > now - 1.0)])
            kept = self._acts.chance.randint(before, size)
            lost = size - kept
            os.truncate(log, kept)
        self.lost_bytes += lost
        self._acts.note("redis crash", lost_bytes=lost)
        self.server.start()
        self._sizes = []

    def refuse(self) -> None:
        """Full memory: writes are refused, reads are not."""
        self._acts.note("redis refuses")
        with suppress(redis.RedisError):
            self.client().config_set("maxmemory", "1kb")
            self._acts.later(self._acts.hold(), self._make_room)

    def pause(self) -> None:
        """Slow: every command waits, longer than anybody waits for a reply."""
        milliseconds = int(1000 * self._acts.hold())
        self._acts.note("redis slow", ms=milliseconds)
        with suppress(redis.RedisError):
            self.client().client_pause(milliseconds)

    def _make_room(self) -> None:
        with suppress(redis.RedisError):
            self.client().config_set("maxmemory", "0")

    def _log(self) -> Path:
        """The part of the append-only file that is written to."""
        return max(self._logs(), key=lambda path: int(path.name.split(".")[-3]))

    def _logs(self) -> Iterator[Path]:
        return (self.server.directory / "appendonlydir").glob("*.incr.aof")
