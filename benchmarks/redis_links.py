"""What the weight plane is measured beside: bare sockets, plain redis-py, and a link held to a rate."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import redis

from earwitness.redis_bulk import BulkClient
from earwitness.weights.names import CHUNK_BYTES
from earwitness.weights.shards import STREAMS_PER_SHARD

REPEATS = 5
"""The best of so many: the machine's noise only ever slows things down."""

MOST_RAW_BYTES = 512_000_000
"""Longer transfers are no faster, and the servers would have to hold them."""


class Link:
    """A wire of so many bytes a second in one direction, which all connections share."""

    def __init__(self, bytes_per_second: float) -> None:
        self._rate = bytes_per_second
        self._free_at = 0.0
        self._lock = threading.Lock()

    def carry(self, nbytes: int) -> None:
        """Returns when the bytes would have arrived."""
        with self._lock:
            self._free_at = max(self._free_at, time.perf_counter()) + nbytes / self._rate
            wait = self._free_at - time.perf_counter()
        if wait > 0:
            time.sleep(wait)


class HeldClient(BulkClient):
    """A client whose large values go over a `Link`."""

    def __init__(self, url: str, link: Link) -> None:
        super().__init__(url)
        self._link = link

    def set(self, name: Any, value: Any, *args: Any, **options: Any) -> Any:
        self._link.carry(len(value))
        return super().set(name, value, *args, **options)

    def get_into(self, key: str, buffer: memoryview) -> int | None:
        self._link.carry(buffer.nbytes)
        return super().get_into(key, buffer)


def best(action: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def plain_seconds(urls: Sequence[str], total: int) -> float:
    """Seconds to SET and GET `total` bytes in 4 MiB values through redis-py as it comes, one connection a server."""
    clients = [redis.Redis.from_url(url) for url in urls]
    value = np.random.default_rng(1).bytes(CHUNK_BYTES)
    count = max(1, min(total, MOST_RAW_BYTES) // CHUNK_BYTES)

    def there_and_back() -> None:
        for index in range(count):
            clients[index % len(clients)].set(f"plain:{index}", value)
        for index in range(count):
            clients[index % len(clients)].get(f"plain:{index}")

    seconds = best(there_and_back, 1)
    for client in clients:
        client.delete(*(f"plain:{index}" for index in range(count)))
        client.close()
    return seconds * total / (count * CHUNK_BYTES)


def raw_seconds(urls: Sequence[str], total: int) -> tuple[float, float]:
    """Seconds to SET and to GET `total` bytes in 4 MiB values over bare sockets: fresh keys, as a new version has."""
    count = max(1, min(total, MOST_RAW_BYTES) // CHUNK_BYTES)
    value = memoryview(np.random.default_rng(1).bytes(CHUNK_BYTES))
    lanes = len(urls) * STREAMS_PER_SHARD
    set_seconds = get_seconds = float("inf")
    with ExitStack() as stack:
        sockets = [stack.enter_context(_open(urls[lane % len(urls)])) for lane in range(lanes)]
        threads = stack.enter_context(ThreadPoolExecutor(lanes))

        def all_lanes(work: Callable[[socket.socket, Iterator[int]], None]) -> None:
            list(threads.map(lambda lane: work(sockets[lane], iter(range(lane, count, lanes))), range(lanes)))

        for _ in range(REPEATS):
            set_seconds = min(set_seconds, best(lambda: all_lanes(lambda link, keys: _set(link, keys, value)), 1))
            get_seconds = min(get_seconds, best(lambda: all_lanes(_get), 1))
            all_lanes(_delete)
    scale = total / (count * CHUNK_BYTES)
    return set_seconds * scale, get_seconds * scale


def _open(url: str) -> socket.socket:
    parts = urlsplit(url)
    link = socket.create_connection((parts.hostname, parts.port), timeout=30)
    link.sendall(f"AUTH {parts.password}\r\n".encode())
    assert link.recv(64) == b"+OK\r\n"
    return link


def _set(link: socket.socket, indices: Iterator[int], value: memoryview) -> None:
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${value.nbytes}\r\n".encode())
        link.sendall(value)
        link.sendall(b"\r\n")
        assert link.recv(64) == b"+OK\r\n"


def _get(link: socket.socket, indices: Iterator[int]) -> None:
    head = f"${CHUNK_BYTES}\r\n".encode()
    reply = memoryview(bytearray(len(head) + CHUNK_BYTES + 2))
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
        received = 0
        while received < reply.nbytes:
            received += link.recv_into(reply[received:])
        assert reply[: len(head)] == head


def _delete(link: socket.socket, indices: Iterator[int]) -> None:
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*2\r\n$3\r\nDEL\r\n${len(key)}\r\n{key}\r\n".encode())
        assert link.recv(64) == b":1\r\n"
