"""Deltas over real Redis shards: whatever happens on the way, a reader holds exactly a version that was published."""

import multiprocessing
import os
import random
import signal
from contextlib import ExitStack

import numpy as np
import pytest

from earwitness.errors import InfrastructureError
from earwitness.redis_bulk import connect_bulk
from earwitness.redis_server import RedisServer
from earwitness.weights import ChecksumError, HostCopy, MissingVersion, WeightPublisher, WeightReader, WrongBase
from earwitness.weights.manifest import seal
from earwitness.weights.names import CHUNK_BYTES, manifest_key
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, VERSION_KIND_DELTA, Manifest
from tests.integration.resp_proxy import RespProxy

LINEAGE = "job/1"
SHARDS = 2


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    servers = [RedisServer("weights", tmp_path_factory.mktemp("shard")).start() for _ in range(SHARDS)]
    yield [server.url for server in servers]
    for server in servers:
        server.stop()


@pytest.fixture
def shards(urls):
    clients = [connect_bulk(url) for url in urls]
    for client in clients:
        client.flushall()
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def publisher(shards):
    return WeightPublisher(shards, LINEAGE, anchor_every=5)


@pytest.fixture
def reader(shards):
    return WeightReader(shards)


class Policy:
    """Weights of both types and odd sizes that change a little at each step."""

    def __init__(self, seed=0, large=CHUNK_BYTES):
        self.numbers = np.random.default_rng(seed)
        self.bits = {
            "embed": self.numbers.integers(0, 2**16, large // 2 + 77, np.uint16),
            "norm": self.numbers.integers(0, 2**32, 7, np.uint32),
            "scalar": self.numbers.integers(0, 2**32, 1, np.uint32),
            "empty": np.zeros(0, np.uint16),
            "head": self.numbers.integers(0, 2**32, 300_001, np.uint32),
            "frozen": self.numbers.integers(0, 2**16, 100_000, np.uint16),
        }

    def step(self, share=0.01):
        for name, bits in self.bits.items():
            if name != "frozen":
                chosen = self.numbers.random(bits.size) < share
                bits[chosen] ^= bits.dtype.type(1)
        return self

    def tensors(self):
        for name, bits in self.bits.items():
            yield name, "bfloat16" if bits.itemsize == 2 else "float32", bits.shape, bits.copy()

    def bytes(self):
        return {name: bits.tobytes() for name, bits in self.bits.items()}


def published(publisher, policy, versions, share=0.01):
    """Publishes the versions; each one's tensors."""
    history = {}
    for version in versions:
        publisher.publish(version, policy.step(share).tensors())
        history[version] = policy.bytes()
    return history


def held(copy):
    return {name: tensor.data.tobytes() for name, tensor in copy.tensors.items()}


def kinds(reader, versions):
    return "".join("a" if reader.manifest(LINEAGE, v).kind == VERSION_KIND_ANCHOR else "d" for v in versions)


def test_a_reader_follows_every_version_to_the_bit(publisher, reader):
    policy, copy = Policy(), HostCopy()
    for version in range(12):
        history = published(publisher, policy, [version])
        written = copy.catch_up(reader, LINEAGE, version)
        assert held(copy) == history[version]
        assert copy.held == (LINEAGE, version)
        manifest = reader.manifest(LINEAGE, version)
        assert (manifest.kind == VERSION_KIND_ANCHOR) == (version % 5 == 0)
        if manifest.kind == VERSION_KIND_DELTA:
            assert manifest.base_version == version - 1
            assert "frozen" not in written and "empty" not in written
            assert sum(chunk.nbytes for chunk in manifest.chunks) < sum(map(len, history[version].values())) / 40
    assert copy.catch_up(reader, LINEAGE, 11) == set()


def test_a_late_joiner_gets_the_anchor_and_the_chain(publisher, reader):
    history = published(publisher, Policy(), range(9))
    assert kinds(reader, range(5, 9)) == "addd"
    copy = HostCopy()
    assert copy.catch_up(reader, LINEAGE, 8) == set(history[8])
    assert held(copy) == history[8]
    assert [m.version for m in reader.chain(LINEAGE, 8)] == [5, 6, 7, 8]


def test_one_that_missed_versions_applies_only_those(publisher, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(2))
    copy.catch_up(reader, LINEAGE, 1)
    history = published(publisher, policy, range(2, 5))
    assert [m.version for m in reader.chain(LINEAGE, 4, 1)] == [2, 3, 4]
    copy.catch_up(reader, LINEAGE, 4)
    assert held(copy) == history[4]
    history = published(publisher, policy, range(5, 12))  # anchors at 5 and 10
    assert [m.version for m in reader.chain(LINEAGE, 11, 4)] == [10, 11]
    copy.catch_up(reader, LINEAGE, 11)
    assert held(copy) == history[11]


def test_applying_twice_changes_nothing(publisher, reader):
    policy, copy = Policy(), HostCopy()
    history = published(publisher, policy, range(2))
    copy.catch_up(reader, LINEAGE, 1)
    copy.held = (LINEAGE, 0)  # as if the worker had died before it noted the version
    copy.apply(reader, reader.manifest(LINEAGE, 1))
    assert held(copy) == history[1]


def test_nothing_changed_is_a_version_without_bytes(publisher, reader):
    policy, copy = Policy(), HostCopy()
    history = published(publisher, policy, range(2), share=0)
    assert copy.catch_up(reader, LINEAGE, 0) and not copy.catch_up(reader, LINEAGE, 1)
    assert len(reader.manifest(LINEAGE, 1).chunks) == 0
    assert held(copy) == history[1]


def test_a_wrong_base_is_refused_before_anything_is_written(publisher, reader):
    policy, copy = Policy(), HostCopy()
    history = published(publisher, policy, range(4))
    delta = reader.manifest(LINEAGE, 3)
    with pytest.raises(WrongBase, match="applies to version 2, not None"):
        copy.apply(reader, delta)
    copy.catch_up(reader, LINEAGE, 1)
    with pytest.raises(WrongBase, match="applies to version 2"):
        copy.apply(reader, delta)
    assert copy.held == (LINEAGE, 1) and held(copy) == history[1]
    delta.tensors.pop()
    copy.catch_up(reader, LINEAGE, 2)
    with pytest.raises(WrongBase, match="5 tensors"):
        copy.apply(reader, delta)


def test_other_bits_under_the_right_name_fail_the_checksum(publisher, reader):
    """A base that is wrong without saying so."""
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    copy.catch_up(reader, LINEAGE, 0)
    copy.tensors["head"].data[1000] ^= 1
    history = published(publisher, policy, [1])
    with pytest.raises(ChecksumError, match="tensor head does not match"):
        copy.apply(reader, reader.manifest(LINEAGE, 1))
    assert copy.held is None
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == history[1]


def test_a_copy_gone_bad_recovers_through_the_anchor(publisher, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    copy.catch_up(reader, LINEAGE, 0)
    copy.tensors["embed"].data[3] ^= 1
    history = published(publisher, policy, [1])
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == history[1]


def test_a_large_delta_is_an_anchor(publisher, reader):
    history = published(publisher, Policy(), range(3), share=0.5)
    assert kinds(reader, [1, 2]) == "aa"
    copy = HostCopy()
    copy.catch_up(reader, LINEAGE, 2)
    assert held(copy) == history[2]


def test_deltas_together_stay_below_a_third_of_the_model(shards, reader):
    publisher = WeightPublisher(shards, LINEAGE, anchor_every=1000)
    history = {}
    policy, copy = Policy(), HostCopy()
    seen = ""
    for version in range(12):
        history |= published(publisher, policy, [version], share=0.06)
        copy.catch_up(reader, LINEAGE, version)
        assert held(copy) == history[version]
        seen += kinds(reader, [version])
        chain = [sum(chunk.nbytes for chunk in m.chunks) for m in reader.chain(LINEAGE, version)]
        assert sum(chain[1:]) < chain[0] / 3
    assert "ddd" in seen and "a" in seen[1:]


def test_another_set_of_tensors_is_an_anchor(publisher, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    del policy.bits["scalar"]
    history = published(publisher, policy, range(1, 3))
    policy.bits["norm"] = np.zeros(9, np.uint32)
    history |= published(publisher, policy, [3])
    policy.bits["more"] = np.zeros(9, np.uint32)
    history |= published(publisher, policy, range(4, 6))
    assert kinds(reader, [4, 5]) == "ad"
    for version in (4, 5):
        copy.catch_up(reader, LINEAGE, version)
        assert held(copy) == history[version]


def test_a_new_lineage_starts_with_an_anchor(publisher, shards, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(3))
    copy.catch_up(reader, LINEAGE, 2)
    restored = Policy(seed=5)
    WeightPublisher(shards, "job/2").publish(2, restored.tensors())
    assert reader.latest() == ("job/2", 2)
    copy.catch_up(reader, "job/2", 2)
    assert held(copy) == restored.bytes()


def test_the_chain_of_what_is_needed_is_kept(publisher, reader):
    policy = Policy()
    history = published(publisher, policy, range(4))
    assert kinds(reader, range(4)) == "addd"  # 2 and 3 are the newest, and build upon 0 and 1
    reader.lease("slow", LINEAGE, 2)
    history |= published(publisher, policy, range(4, 8))  # anchor at 5
    copy = HostCopy()
    copy.catch_up(reader, LINEAGE, 2)
    assert held(copy) == history[2]
    for gone in (3, 4):
        with pytest.raises(MissingVersion):
            reader.manifest(LINEAGE, gone)
    reader.release("slow")
    published(publisher, policy, [8])
    for gone in range(3):
        with pytest.raises(MissingVersion):
            reader.manifest(LINEAGE, gone)
    assert kinds(reader, range(5, 9)) == "addd"


def test_a_lost_chunk_of_the_chain_ends_in_an_anchor(publisher, shards, reader):
    policy, copy, behind = Policy(), HostCopy(), HostCopy()
    published(publisher, policy, range(3))
    behind.catch_up(reader, LINEAGE, 0)
    chunk = reader.manifest(LINEAGE, 2).chunks[0]
    shards[chunk.shard].delete(chunk.key)
    with pytest.raises(MissingVersion, match="is gone"):
        copy.catch_up(reader, LINEAGE, 2)
    with pytest.raises(MissingVersion, match="is gone"):
        behind.catch_up(reader, LINEAGE, 2)
    assert copy.held is None and not publisher.has(2) and publisher.has(1)
    history = published(publisher, policy, [3])
    assert kinds(reader, [3]) == "a"
    for one in (copy, behind):
        one.catch_up(reader, LINEAGE, 3)
        assert held(one) == history[3]


def test_a_lost_delta_does_not_stop_those_who_are_past_it(publisher, shards, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(3))
    copy.catch_up(reader, LINEAGE, 2)
    history = published(publisher, policy, [3])
    shards[0].delete(manifest_key(LINEAGE, 1))
    copy.catch_up(reader, LINEAGE, 3)
    assert held(copy) == history[3]
    with pytest.raises(MissingVersion):
        HostCopy().catch_up(reader, LINEAGE, 3)
    assert not publisher.has(3)
    policy_now = policy.bytes()
    publisher.publish(3, policy.tensors())  # the same version again, and whole
    assert kinds(reader, [3]) == "a"
    late = HostCopy()
    late.catch_up(reader, LINEAGE, 3)
    assert held(late) == policy_now


def test_a_damaged_delta_is_told_and_the_next_anchor_helps(publisher, shards, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(2))
    copy.catch_up(reader, LINEAGE, 0)
    chunk = reader.manifest(LINEAGE, 1).chunks[0]
    for position in (0, chunk.nbytes // 2, chunk.nbytes - 1):
        original = shards[chunk.shard].getrange(chunk.key, position, position)
        shards[chunk.shard].setrange(chunk.key, position, bytes([original[0] ^ 0xFF]))
        with pytest.raises(ChecksumError):
            copy.catch_up(reader, LINEAGE, 1)
        assert copy.held is None
        shards[chunk.shard].setrange(chunk.key, position, original)
    history = published(publisher, policy, range(2, 6))
    copy.catch_up(reader, LINEAGE, 5)
    assert held(copy) == history[5]


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_damaged_version_is_written_again_whole(publisher, shards, reader, damaged):
    """The trainer asks `has` while it waits for groups, so a mesh that cannot load a version does not wait for ever."""
    policy, copy = Policy(), HostCopy()
    history = published(publisher, policy, range(3))
    chunk = reader.manifest(LINEAGE, damaged).chunks[0]
    shards[chunk.shard].setrange(chunk.key, chunk.nbytes // 2, b"damaged")
    assert publisher.has(2)
    with pytest.raises(ChecksumError):
        copy.catch_up(reader, LINEAGE, 2)
    assert not publisher.has(2)
    publisher.publish(2, policy.tensors())
    assert publisher.has(2) and kinds(reader, [2]) == "a"
    copy.catch_up(reader, LINEAGE, 2)
    assert held(copy) == history[2]
    published(publisher, policy, range(3, 5))
    assert kinds(reader, range(2, 5)) == "add" and publisher.has(4)


def test_a_failed_publish_leaves_the_bits_that_the_next_is_compared_with(publisher, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(2))

    def interrupted():
        yield from list(policy.step().tensors())[:2]
        raise InfrastructureError("shard 0", 5.0, "gone")

    with pytest.raises(InfrastructureError):
        publisher.publish(2, interrupted())
    copy.catch_up(reader, *reader.latest())
    assert copy.held == (LINEAGE, 1)
    history = published(publisher, policy, range(2, 4))
    assert kinds(reader, [2, 3]) == "dd"
    copy.catch_up(reader, LINEAGE, 3)
    assert held(copy) == history[3]


def publish_and_hang(urls, ready):
    publisher, policy = WeightPublisher(urls, LINEAGE), Policy()
    published(publisher, policy, range(2))

    def hangs():
        for number, tensor in enumerate(policy.step().tensors()):
            if number == 5:
                ready.set()
                signal.pause()
            yield tensor

    publisher.publish(2, hangs())


def test_a_publisher_killed_in_a_delta_leaves_nothing_that_can_be_read(urls, shards, reader):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=publish_and_hang, args=(urls, ready))
    process.start()
    assert ready.wait(60), "waited 60 s for the publisher to be in the middle of a delta"
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert reader.latest() == (LINEAGE, 1)
    with pytest.raises(MissingVersion):
        reader.manifest(LINEAGE, 2)
    policy, copy = Policy(), HostCopy()
    policy.step().step()
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == policy.bytes()
    successor = WeightPublisher(shards, "job/2")
    history = published(successor, policy, range(2, 4))
    copy.catch_up(reader, "job/2", 3)
    assert held(copy) == history[3]
    left = {key.decode() for shard in shards for key in shard.scan_iter(f"ew:w:{LINEAGE}:2:*")}
    assert not left  # the successor swept what was never committed


def test_no_delta_builds_upon_what_the_shards_lost(publisher, shards, reader):
    policy = Policy()
    published(publisher, policy, range(2))
    for shard in shards:
        shard.flushall()
    history = published(publisher, policy, range(2, 4))
    assert kinds(reader, [2, 3]) == "ad"
    copy = HostCopy()
    copy.catch_up(reader, *reader.latest())
    assert held(copy) == history[3]


def test_publishing_a_delta_again_draws_nothing(publisher, reader):
    policy = Policy()
    published(publisher, policy, range(2))

    def must_not_be_drawn():
        raise AssertionError("a version that is there was drawn again")
        yield

    assert publisher.publish(1, must_not_be_drawn()) == reader.manifest(LINEAGE, 1)
    published(publisher, policy, [2])
    assert kinds(reader, [2]) == "d"


def test_bits_that_changed_under_the_publisher_never_pass_for_a_version(publisher, reader):
    """It keeps the tensors' memory. Who writes to that all the same is found out, and the next version is whole."""
    policy, copy = Policy(), HostCopy()
    publisher.publish(0, [(name, dtype, shape, policy.bits[name]) for name, dtype, shape, _ in policy.tensors()])
    copy.catch_up(reader, LINEAGE, 0)
    publisher.publish(1, policy.step().tensors())  # in place
    with pytest.raises(ChecksumError, match="should have been changed"):
        copy.catch_up(reader, LINEAGE, 1)
    assert not publisher.has(1)
    publisher.publish(1, policy.tensors())
    assert kinds(reader, [1]) == "a"
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == policy.bytes()


def test_two_publishers_of_one_version_never_make_a_third(publisher, shards, reader):
    """A lineage has one writer. Where there are two all the same, a reader gets one's weights or an error."""
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    copy.catch_up(reader, LINEAGE, 0)
    other = Policy(seed=9)

    def overtaken():
        yield from list(policy.step().tensors())[:5]
        WeightPublisher(shards, LINEAGE).publish(1, other.tensors())
        yield from list(policy.tensors())[5:]

    publisher.publish(1, overtaken())
    try:
        copy.catch_up(reader, LINEAGE, 1)
        assert held(copy) == other.bytes()  # the first manifest is the version
    except ChecksumError:
        assert copy.held is None
    for version in (2, 3):
        history = published(publisher, policy, [version])
        copy.catch_up(reader, LINEAGE, version)
        assert held(copy) == history[version]
    assert kinds(reader, [2, 3]) == "ad"


def test_a_tensor_that_should_have_changed_is_told(publisher, reader, shards):
    """A wrong base shows in the tensors that the delta does not touch, too."""
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    copy.catch_up(reader, LINEAGE, 0)
    published(publisher, policy, [1])
    manifest = reader.manifest(LINEAGE, 1)
    entry = next(entry for entry in manifest.tensors if entry.name == "frozen")
    entry.xxh3_128 = bytes(16)
    with pytest.raises(ChecksumError, match="frozen should have been changed"):
        copy.apply(reader, manifest)
    assert copy.held is None


def test_manifests_that_go_in_circles_are_refused(publisher, shards, reader):
    published(publisher, Policy(), range(3))
    manifest = reader.manifest(LINEAGE, 1)
    manifest.base_version = 2
    shards[0].set(manifest_key(LINEAGE, 1), seal(manifest))
    with pytest.raises(WrongBase, match="on version 2"):
        reader.chain(LINEAGE, 2)
    shards[0].set(manifest_key(LINEAGE, 1), seal(Manifest(lineage=LINEAGE, version=1)))
    with pytest.raises(WrongBase, match="of kind 0"):
        reader.chain(LINEAGE, 2)


@pytest.mark.parametrize("seed", range(2))
def test_lines_that_break_at_random_change_nothing(urls, shards, seed):
    """One in seven commands loses itself or its reply, on every shard."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        proxies = [stack.enter_context(RespProxy(url)) for url in urls]
        behind = [proxy.url for proxy in proxies]
        publisher, reader = WeightPublisher(behind, LINEAGE), WeightReader(behind)
        for proxy in proxies:
            proxy.always(lambda _: chance.choice(["lose_reply", "lose_command"]) if chance.random() < 0.15 else None)
        policy, copy = Policy(), HostCopy()
        for version in range(3):
            history = published(publisher, policy, [version])
            copy.catch_up(reader, LINEAGE, version)
            assert held(copy) == history[version]
        assert sum(proxy.broken for proxy in proxies) > 0
