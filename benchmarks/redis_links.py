"""What the weight plane is measured beside: bare sockets, plain redis-py, and a link held to a rate."""

from __future__ import annotations

import gc
import math
import socket
import threading
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import redis

from earwitness.redis_bulk import BulkClient
from earwitness.weights.names import CHUNK_BYTES
from earwitness.weights.shards import STREAMS_PER_SHARD

PIECE_BYTES = 256 * 1024
"""Read at once from a held path."""

MOST_RAW_BYTES = 512_000_000
"""Longer transfers are no faster, and the servers would have to hold them."""


class Link:
    """A wire of so many bytes a second in one direction, which all connections share: a token bucket without depth."""

    def __init__(self) -> None:
        self.bytes_per_second = math.inf
        self._free_at = 0.0
        self._lock = threading.Lock()

    def carry(self, nbytes: int) -> None:
        """Returns when the bytes would have arrived."""
        with self._lock:
            self._free_at = max(self._free_at, time.perf_counter()) + nbytes / self.bytes_per_second
            wait = self._free_at - time.perf_counter()
        if wait > 0:
            time.sleep(wait)


class HeldClient(BulkClient):
    """A client whose large values go over a `Link`."""

    def __init__(self, url: str, link: Link) -> None:
        super().__init__(url)
        self._link = link

    def put(self, key: str, parts: Sequence[memoryview]) -> None:
        self._link.carry(sum(part.nbytes for part in parts))
        super().put(key, parts)

    def get_into(self, key: str, parts: Sequence[memoryview]) -> int | None:
        self._link.carry(sum(part.nbytes for part in parts))
        return super().get_into(key, parts)


class HeldPath:
    """A way to a server over a `Link`, for clients in other processes: context manager; `url` leads through it."""

    def __init__(self, target: str, link: Link) -> None:
        self._target = urlsplit(target)
        self._link = link
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        return urlunsplit(self._target._replace(netloc=f":{self._target.password}@127.0.0.1:{port}"))

    def __enter__(self) -> HeldPath:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for link in (self._listener, *self._open):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((self._target.hostname, self._target.port))
                self._open += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        memory = memoryview(bytearray(PIECE_BYTES))
        with suppress(OSError):
            while count := source.recv_into(memory):
                self._link.carry(count)
                sink.sendall(memory[:count])
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class Nowhere(BulkClient):
    """A client that drops what it is given: what is left is the work before the wire."""

    def put(self, key: str, parts: Sequence[memoryview]) -> None:
        pass


def best(action: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest; garbage is collected as ever."""
    return min(timeit.repeat(action, gc.enable, repeat=repeats, number=1))


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


class Raw:
    """The ceiling: the same servers over bare sockets. Fresh keys, as a new version has, and as many bytes of memory as
    a version takes: one value sent over and over would come from the processor's cache."""

    def __init__(self, urls: Sequence[str], total: int) -> None:
        self.set_seconds = self.get_seconds = math.inf
        self._lanes = len(urls) * STREAMS_PER_SHARD
        self._count = max(1, min(total, MOST_RAW_BYTES) // CHUNK_BYTES)
        self._scale = total / (self._count * CHUNK_BYTES)
        self._memory = np.random.default_rng(1).integers(0, 2**64, self._count * CHUNK_BYTES // 8, np.uint64)
        self._closing = ExitStack()
        self._sockets = [self._closing.enter_context(_open(urls[lane % len(urls)])) for lane in range(self._lanes)]
        self._threads = self._closing.enter_context(ThreadPoolExecutor(self._lanes))

    def measure(self) -> None:
        """Seconds to SET and to GET the bytes in 4 MiB values; the lowest of all measurements are kept."""
        values = self._memory.view(np.uint8).reshape(-1, CHUNK_BYTES)
        self.set_seconds = min(self.set_seconds, self._scale * self._time(_set, values))
        self.get_seconds = min(self.get_seconds, self._scale * self._time(_get, values))
        self._time(_delete, values)

    def close(self) -> None:
        """Ends the connections."""
        self._closing.close()

    def _time(self, work: Callable[[socket.socket, Iterator[int], np.ndarray], None], values: np.ndarray) -> float:
        lanes = range(self._lanes)
        started = time.perf_counter()
        list(
            self._threads.map(
                lambda lane: work(self._sockets[lane], iter(range(lane, self._count, self._lanes)), values), lanes
            )
        )
        return time.perf_counter() - started


def _open(url: str) -> socket.socket:
    parts = urlsplit(url)
    link = socket.create_connection((parts.hostname, parts.port), timeout=30)
    link.sendall(f"AUTH {parts.password}\r\n".encode())
    assert link.recv(64) == b"+OK\r\n"
    return link


def _set(link: socket.socket, indices: Iterator[int], values: np.ndarray) -> None:
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${CHUNK_BYTES}\r\n".encode())
        link.sendall(values[index].data)
        link.sendall(b"\r\n")
        assert link.recv(64) == b"+OK\r\n"


def _get(link: socket.socket, indices: Iterator[int], values: np.ndarray) -> None:
    head = f"${CHUNK_BYTES}\r\n".encode()
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
        start = b""
        while len(start) < len(head):
            start += link.recv(len(head) - len(start))
        assert start == head
        rest = values[index].data
        while rest:
            rest = rest[link.recv_into(rest) :]
        end = b""
        while len(end) < 2:
            end += link.recv(2 - len(end))


def _delete(link: socket.socket, indices: Iterator[int], values: np.ndarray) -> None:
    for index in indices:
        key = f"raw:{index}"
        link.sendall(f"*2\r\n$3\r\nDEL\r\n${len(key)}\r\n{key}\r\n".encode())
        assert link.recv(64) == b":1\r\n"
