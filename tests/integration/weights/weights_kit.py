"""What the tests of the weight plane share: shards, a policy that changes, and what a reader holds."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from earwitness.redis_bulk import BulkClient, connect_bulk
from earwitness.redis_server import RedisServer
from earwitness.weights import HostCopy, WeightPublisher, WeightReader
from earwitness.weights.names import CHUNK_BYTES
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR
from tests.integration.resp_proxy import RespProxy

LINEAGE = "job/1"


def running_shards(tmp_path_factory, count: int) -> Iterator[list[str]]:
    """URLs of servers that run until the generator goes on."""
    servers = [RedisServer("weights", tmp_path_factory.mktemp("shard")).start() for _ in range(count)]
    yield [server.url for server in servers]
    for server in servers:
        server.stop()


def emptied(urls: list[str]) -> Iterator[list[BulkClient]]:
    """Clients of the servers, which hold nothing yet."""
    clients = [connect_bulk(url) for url in urls]
    for client in clients:
        client.flushall()
    yield clients
    for client in clients:
        client.close()


@contextmanager
def breaking_lines(urls: list[str], seed: int, share: float) -> Iterator[tuple[WeightPublisher, WeightReader]]:
    """A publisher and a reader; that share of the commands loses itself or its reply, at random, on every shard."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        proxies = [stack.enter_context(RespProxy(url)) for url in urls]
        behind = [proxy.url for proxy in proxies]
        publisher, reader = WeightPublisher(behind, LINEAGE), WeightReader(behind)
        for proxy in proxies:
            proxy.always(lambda _: chance.choice(["lose_reply", "lose_command"]) if chance.random() < share else None)
        yield publisher, reader
        assert sum(proxy.broken for proxy in proxies) > 0


class Policy:
    """Weights of both types and odd sizes that change a little at each step."""

    def __init__(self, seed: int = 0, large: int = CHUNK_BYTES) -> None:
        self.numbers = np.random.default_rng(seed)
        self.bits = {
            "embed": self.numbers.integers(0, 2**16, large // 2 + 77, np.uint16),
            "norm": self.numbers.integers(0, 2**32, 7, np.uint32),
            "scalar": self.numbers.integers(0, 2**32, 1, np.uint32),
            "empty": np.zeros(0, np.uint16),
            "head": self.numbers.integers(0, 2**32, 300_001, np.uint32),
            "frozen": self.numbers.integers(0, 2**16, 100_000, np.uint16),
        }

    def step(self, share: float = 0.01) -> Policy:
        for name, bits in self.bits.items():
            if name != "frozen":
                chosen = self.numbers.random(bits.size) < share
                bits[chosen] ^= bits.dtype.type(1)
        return self

    def tensors(self):
        """Copies, since the publisher keeps what it is given."""
        for name, bits in self.bits.items():
            yield name, "bfloat16" if bits.itemsize == 2 else "float32", bits.shape, bits.copy()

    def bytes(self) -> dict[str, bytes]:
        return {name: bits.tobytes() for name, bits in self.bits.items()}


def published(
    publisher: WeightPublisher, policy: Policy, versions: Iterable[int], share: float = 0.01
) -> dict[int, dict[str, bytes]]:
    """Publishes the versions; each one's tensors."""
    history = {}
    for version in versions:
        publisher.publish(version, policy.step(share).tensors())
        history[version] = policy.bytes()
    return history


def held(copy: HostCopy) -> dict[str, bytes]:
    return {name: tensor.data.tobytes() for name, tensor in copy.tensors.items()}


def kinds(reader: WeightReader, versions: Iterable[int]) -> str:
    """ "a" for each anchor, "d" for each delta."""
    return "".join("a" if reader.manifest(LINEAGE, v).kind == VERSION_KIND_ANCHOR else "d" for v in versions)
