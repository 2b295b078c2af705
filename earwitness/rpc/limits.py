"""What one caller may send and have in progress, whatever token it shows: one that runs wild stops nobody else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import DecodeError

from earwitness.errors import InfrastructureError, InputError

MESSAGE_LIMIT = 32 * 1024 * 1024
"""Bytes of the largest message: a group of 64 long trajectories is a few MiB."""
SMALL_MESSAGE = 64 * 1024
"""Bytes of a request that only names things."""
MESSAGE_LIMITS = {
    "SubmitJob": 2 * 1024 * 1024,  # a recipe has at most 1 MiB, beside which a message holds little
    "Generate": 2 * 1024 * 1024,  # a prompt is a manifest's line, at most 1 MiB, with how to sample
    "StartPhase": 2 * 1024 * 1024,  # a stage of a recipe, and where its data are
    "PutFile": 4 * 1024 * 1024 + 64 * 1024,  # 4 MiB of a file, and where they belong
    "Recognise": 20 * 1024 * 1024,  # ten minutes of sound are 19.2 million bytes
    "Score": MESSAGE_LIMIT,
    "ScoreLogprobs": MESSAGE_LIMIT,
}
"""Bytes of a request by method; of all others `SMALL_MESSAGE`."""
CALLS = 512
"""Calls in progress of a server, of all callers."""
CALLS_OF_A_HOST = 128
"""Calls in progress of one host: many people may come through one gateway."""
STREAMS_OF_A_HOST = 64
"""Streams of one host, which last for hours: one for each page and `watch` that is open."""


def reader(method: str, parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Makes a request of `method` from its bytes; raises InputError for too many, or such as are no message."""
    name = method.rpartition("/")[2]
    limit = MESSAGE_LIMITS.get(name, SMALL_MESSAGE)

    def read(data: bytes) -> Any:
        if len(data) > limit:
            raise InputError("request", f"{len(data):,} bytes", f"at most {limit:,} for {name}")
        try:
            return parse(data)
        except DecodeError as error:
            raise InputError("request", "is no message that can be read", f"a request of {name}") from error

    return read


class Callers:
    """Counts what each host has in progress; for servers on threads too."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, bool]] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def call(self, peer: str, streams: bool) -> Iterator[None]:
        """For the time of a call from `peer` (`ipv4:10.0.0.7:51234`). Raises InfrastructureError if it has too many."""
        host = peer.rpartition(":")[0]
        with self._lock:
            most = STREAMS_OF_A_HOST if streams else CALLS_OF_A_HOST
            if self._calls[host, streams] >= most:
                what = "streams" if streams else "calls"
                raise InfrastructureError(f"{what} to end", 0.0, f"{host} has {most} in progress, the most of one host")
            self._calls[host, streams] += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls[host, streams] -= 1
                if not self._calls[host, streams]:
                    del self._calls[host, streams]
