"""How fast a version goes through the weight plane, beside what the same Redis servers do with bare sockets.

    python benchmarks/weights_plane.py --mb 512 --shards 2 [--json]

Publish: chunk, hash, send, commit. Fetch: receive, place in tensors, verify. The ceiling sends and receives the same
4 MiB values over as many connections with hand-written RESP and does nothing else. GB = 10^9 bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np

from earwitness.redis_server import RedisServer
from earwitness.weights import WeightPublisher, WeightReader
from earwitness.weights.anchor import Tensor
from earwitness.weights.names import CHUNK_BYTES
from earwitness.weights.shards import STREAMS_PER_SHARD

REPEATS = 3
"""The best of so many: the machine's noise only ever slows things down."""

LARGE_BYTES = 48 * 1024 * 1024
"""About one matrix of a 7B model in bf16; between two of them lies a small vector."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--mb", type=int, default=256, help="size of a version, 10^6 bytes")
    options.add_argument("--shards", type=int, default=2, help="Redis servers")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(arguments.shards)]
        urls = [stack.enter_context(RedisServer("weights", folder)).url for folder in folders]
        result = measure(urls, arguments.mb * 1_000_000)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:28} {value}")


def measure(urls: list[str], nbytes: int) -> dict[str, float]:
    """Every figure, by name with its unit."""
    tensors = make_tensors(nbytes)
    total = sum(buffer.nbytes for *_, buffer in tensors)
    publisher = WeightPublisher(urls, "bench/0")
    reader = WeightReader(urls)
    versions = iter(range(1000))

    def fetch() -> None:
        latest = reader.latest()
        assert latest is not None
        for _ in reader.fetch(reader.manifest(*latest)):
            pass

    publish_seconds = best(lambda: publisher.publish_anchor(next(versions), tensors))
    fetch_seconds = best(fetch)
    raw_set, raw_get = raw_seconds(urls, total)
    return {
        "megabytes": round(total / 1e6, 1),
        "shards": len(urls),
        "cores": os.cpu_count() or 0,
        "publish_gb_per_s": round(total / publish_seconds / 1e9, 2),
        "fetch_gb_per_s": round(total / fetch_seconds / 1e9, 2),
        "raw_set_gb_per_s": round(total / raw_set / 1e9, 2),
        "raw_get_gb_per_s": round(total / raw_get / 1e9, 2),
        "publish_share_of_raw": round(raw_set / publish_seconds, 2),
        "fetch_share_of_raw": round(raw_get / fetch_seconds, 2),
    }


def make_tensors(nbytes: int) -> list[Tensor]:
    """Random bfloat16 bits: matrices with a vector after each."""
    random = np.random.default_rng(0)
    tensors: list[Tensor] = []
    left = nbytes // 2
    while left > 0:
        for elements in (min(left, LARGE_BYTES // 2), 3584):
            bits = random.integers(0, 2**16, elements, np.uint16)
            tensors.append((f"tensor.{len(tensors)}", "bfloat16", (elements,), bits))
            left -= elements
    return tensors


def best(action: Callable[[], object]) -> float:
    """Seconds of the fastest of `REPEATS`."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def raw_seconds(urls: list[str], total: int) -> tuple[float, float]:
    """Seconds to SET and to GET `total` bytes as chunks over bare sockets, fresh keys as a new version has them."""
    count = max(1, total // CHUNK_BYTES)
    value = memoryview(np.random.default_rng(1).bytes(CHUNK_BYTES))
    lanes = len(urls) * STREAMS_PER_SHARD
    rounds = iter(range(1000))
    with ExitStack() as stack:
        sockets = [stack.enter_context(open_socket(urls[lane % len(urls)])) for lane in range(lanes)]
        threads = stack.enter_context(ThreadPoolExecutor(lanes))

        def all_lanes(work: Callable[[socket.socket, Iterator[int]], None]) -> None:
            list(threads.map(lambda lane: work(sockets[lane], iter(range(lane, count, lanes))), range(lanes)))

        def set_all() -> None:
            number = next(rounds)
            all_lanes(lambda link, indices: raw_set(link, indices, number, value))

        set_seconds = best(set_all)
        get_seconds = best(lambda: all_lanes(lambda link, indices: raw_get(link, indices, REPEATS - 1)))
    scale = total / (count * CHUNK_BYTES)
    return set_seconds * scale, get_seconds * scale


def open_socket(url: str) -> socket.socket:
    parts = urlsplit(url)
    link = socket.create_connection((parts.hostname, parts.port), timeout=30)
    link.sendall(f"AUTH {parts.password}\r\n".encode())
    assert link.recv(64) == b"+OK\r\n"
    return link


def raw_set(link: socket.socket, indices: Iterator[int], number: int, value: memoryview) -> None:
    for index in indices:
        key = f"raw:{number}:{index}"
        link.sendall(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${value.nbytes}\r\n".encode())
        link.sendall(value)
        link.sendall(b"\r\n")
        assert link.recv(64) == b"+OK\r\n"


def raw_get(link: socket.socket, indices: Iterator[int], number: int) -> None:
    head = f"${CHUNK_BYTES}\r\n".encode()
    reply = memoryview(bytearray(len(head) + CHUNK_BYTES + 2))
    for index in indices:
        key = f"raw:{number}:{index}"
        link.sendall(f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode())
        received = 0
        while received < reply.nbytes:
            received += link.recv_into(reply[received:])
        assert reply[: len(head)] == head


if __name__ == "__main__":
    main()
