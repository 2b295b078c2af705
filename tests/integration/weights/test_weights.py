"""The weight plane over real Redis shards: what is committed can be read, what is read is what was published."""

import threading

import numpy as np
import pytest

from earwitness.errors import InfrastructureError
from earwitness.redis_server import RedisServer
from earwitness.weights import NEWS, MissingVersion, WeightPublisher, WeightReader
from earwitness.weights.errors import ChecksumError, WrongBase
from earwitness.weights.names import CHUNK_BYTES, LEASES, chunk_key, manifest_key
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA
from tests.integration.weights.weights_kit import LINEAGE, breaking_lines, running_shards

SHARDS = 3


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    yield from running_shards(tmp_path_factory, SHARDS)


@pytest.fixture
def publisher(shards):
    return WeightPublisher(shards, LINEAGE)


def tensors(seed, large=2 * CHUNK_BYTES + 1000):
    numbers = np.random.default_rng(seed)
    return [
        ("norm", "float32", (7,), numbers.random(7, np.float32)),
        ("embed", "bfloat16", (large // 2,), numbers.integers(0, 2**16, large // 2, np.uint16)),
        ("scalar", "float32", (), memoryview(numbers.random(1, np.float32))),
        ("head", "float32", (300, 5000), numbers.random((300, 5000), np.float32)),
    ]


def must_not_be_drawn():
    raise AssertionError("a version that is there was drawn again")
    yield


def fetched(reader, lineage, version):
    return {entry.name: buffer.tobytes() for entry, buffer in reader.fetch(reader.manifest(lineage, version))}


def expected(seed):
    return {name: bytes(buffer) for name, _, _, buffer in tensors(seed)}


def keys(shards):
    return {key.decode() for shard in shards for key in shard.scan_iter("ew:w:job*")}


def test_what_was_published_is_read_back(publisher, reader, shards):
    assert reader.latest() is None
    manifest = publisher.publish_anchor(0, tensors(0))
    assert reader.latest() == (LINEAGE, 0)
    assert reader.manifest(LINEAGE, 0) == manifest
    assert fetched(reader, LINEAGE, 0) == expected(0)
    assert [chunk.shard for chunk in manifest.chunks] == [0, 1, 2, 0]
    assert all(chunk.nbytes == CHUNK_BYTES for chunk in manifest.chunks[:-1])
    for chunk in manifest.chunks:
        assert shards[chunk.shard].strlen(chunk.key) == chunk.nbytes


def test_publishing_a_version_again_changes_nothing(publisher, shards, reader):
    first = publisher.publish_anchor(4, tensors(0))
    assert publisher.publish_anchor(4, must_not_be_drawn()) == first
    assert WeightPublisher(shards, LINEAGE).publish_anchor(4, []) == first
    assert fetched(reader, LINEAGE, 4) == expected(0)


def test_the_pointer_never_goes_back_in_a_lineage_but_follows_a_new_one(publisher, shards, reader):
    publisher.publish_anchor(1, tensors(1))
    publisher.publish_anchor(2, tensors(2))
    publisher.publish_anchor(1, [])
    assert reader.latest() == (LINEAGE, 2)
    WeightPublisher(shards, "job/2").publish_anchor(1, tensors(3))
    assert reader.latest() == ("job/2", 1)
    assert fetched(reader, "job/2", 1) == expected(3)


def test_a_trainer_that_was_cut_off_publishes_nothing(publisher, shards, reader):
    publisher.publish_anchor(1, tensors(1))
    WeightPublisher(shards, "job/10").publish_anchor(1, tensors(3))
    with pytest.raises(InfrastructureError, match=r"job/1 has been superseded; served is job/10 1"):
        publisher.publish_anchor(2, tensors(2))
    assert reader.latest() == ("job/10", 1)
    assert WeightPublisher(shards, LINEAGE).existing(2) is None
    WeightPublisher(shards, "other/0").publish_anchor(1, tensors(0))  # another job's is no matter of lineages
    assert reader.latest() == ("other/0", 1)


def test_a_new_version_is_announced(publisher, shards):
    news = shards[0].pubsub(ignore_subscribe_messages=True)
    news.subscribe(NEWS)
    news.get_message(timeout=2)
    publisher.publish_anchor(3, tensors(0))
    assert news.get_message(timeout=2)["data"] == b"job/1 3"
    news.close()


def test_a_version_is_invisible_until_its_manifest_is_there(publisher, reader):
    def interrupted():
        yield from tensors(0)[:3]
        assert reader.latest() is None
        with pytest.raises(MissingVersion):
            reader.manifest(LINEAGE, 0)
        raise RuntimeError("the trainer died")

    with pytest.raises(RuntimeError, match="died"):
        publisher.publish_anchor(0, interrupted())
    assert reader.latest() is None
    publisher.publish_anchor(0, tensors(1))
    assert fetched(reader, LINEAGE, 0) == expected(1)


def test_what_a_dead_publisher_left_is_swept(publisher, shards):
    shards[1].set(chunk_key("job/0", 7, 0, 1, whole=True), b"orphan")
    publisher.publish_anchor(0, tensors(0))
    assert keys(shards) == {
        manifest_key(LINEAGE, 0),
        *(chunk_key(LINEAGE, 0, 0, index, whole=True) for index in range(4)),
    }


def test_the_newest_two_and_leased_versions_are_kept(publisher, reader, shards):
    publisher.publish_anchor(0, tensors(0))
    reader.lease("slow worker", LINEAGE, 0)
    for version in (1, 2, 3):
        publisher.publish_anchor(version, tensors(version))
    assert fetched(reader, LINEAGE, 0) == expected(0)
    with pytest.raises(MissingVersion, match=r"weight version 1 of job/1: no manifest"):
        reader.manifest(LINEAGE, 1)
    with pytest.raises(MissingVersion):
        reader.lease("slow worker", LINEAGE, 1)
    assert not any(key.startswith("ew:w:job/1:1:") for key in keys(shards))
    reader.lease("slow worker", LINEAGE, 3)  # its lease moves on
    publisher.publish_anchor(4, tensors(4))
    assert {key.split(":")[3] for key in keys(shards)} == {"3", "4"}


def test_a_lease_ends_when_it_is_released_or_runs_out(publisher, reader, shards):
    publisher.publish_anchor(0, tensors(0))
    reader.lease("gone", LINEAGE, 0)
    reader.lease("leaver", LINEAGE, 0)
    shards[0].hset(LEASES, "gone", f"1 {LINEAGE} 0")  # as if its minute were over
    publisher.publish_anchor(1, tensors(1))
    publisher.publish_anchor(2, tensors(2))
    assert fetched(reader, LINEAGE, 0) == expected(0)
    reader.release("leaver")
    publisher.publish_anchor(3, tensors(3))
    with pytest.raises(MissingVersion):
        reader.manifest(LINEAGE, 0)


def test_a_wrong_byte_is_refused(publisher, reader, shards):
    manifest = publisher.publish_anchor(0, tensors(0))
    shards[1].setrange(manifest.chunks[1].key, 5, b"\xff\x00\xff")
    given_out = []
    with pytest.raises(ChecksumError, match="tensor embed does not match"):
        for entry, _ in reader.fetch(manifest):
            given_out.append(entry.name)
    assert given_out == ["norm"]


def test_a_chunk_that_is_gone_is_named_and_written_again(publisher, reader, shards):
    manifest = publisher.publish_anchor(0, tensors(0))
    assert publisher.has(0)
    shards[2].flushall()  # the shard restarted
    with pytest.raises(MissingVersion, match=r"chunk ew:w:job/1:0:0\.2 is gone"):
        list(reader.fetch(manifest))
    assert not publisher.has(0)
    publisher.publish_anchor(0, tensors(0))
    assert fetched(reader, LINEAGE, 0) == expected(0)


def test_all_shards_lost_is_as_if_never_published(publisher, reader, shards):
    publisher.publish_anchor(0, tensors(0))
    for shard in shards:
        shard.flushall()
        shard.script_flush()
    assert reader.latest() is None
    assert not publisher.has(0)
    publisher.publish_anchor(0, tensors(0))
    assert fetched(reader, LINEAGE, 0) == expected(0)


def test_a_chunk_of_another_length_is_refused(publisher, reader, shards):
    manifest = publisher.publish_anchor(0, tensors(0))
    shards[1].append(manifest.chunks[1].key, b"more")
    with pytest.raises(ChecksumError, match=rf"chunk .* has {CHUNK_BYTES + 4} bytes; expected {CHUNK_BYTES}"):
        list(reader.fetch(manifest))
    manifest.chunks[1].nbytes *= 2
    with pytest.raises(ChecksumError, match="go on after the last tensor"):
        list(reader.fetch(manifest))


@pytest.mark.parametrize("seed", range(3))
def test_lines_that_break_at_random_change_nothing(urls, shards, seed):
    """A third of the commands loses itself or its reply, on every shard."""
    with breaking_lines(urls, seed, 0.3) as (publisher, reader):
        publisher.publish_anchor(0, tensors(seed))
        reader.lease("w", *reader.latest())
        assert fetched(reader, LINEAGE, 0) == expected(seed)


def test_a_delta_needs_a_base(publisher, reader):
    manifest = publisher.publish_anchor(1, tensors(0))
    manifest.kind, manifest.base_version = VERSION_KIND_DELTA, 0
    with pytest.raises(WrongBase, match="applies to version 0 only"):
        reader.fetch(manifest)


def test_a_reader_with_fewer_shards_is_told(publisher, shards):
    manifest = publisher.publish_anchor(0, tensors(0))
    with pytest.raises(MissingVersion, match="shard 2, but 2 are configured"):
        list(WeightReader(shards[:2]).fetch(manifest))


def test_a_reader_that_stops_early_leaves_nothing_behind(publisher, reader):
    manifest = publisher.publish_anchor(0, tensors(0))
    next(iter(reader.fetch(manifest)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("weights")]


def test_a_full_shard_fails_the_publish_and_commits_nothing(tmp_path):
    with RedisServer("weights", tmp_path, max_memory_bytes=6_000_000) as server:
        reader = WeightReader([server.url])
        with pytest.raises(InfrastructureError, match="maxmemory"):
            WeightPublisher([server.url], LINEAGE).publish_anchor(0, tensors(0))
        assert reader.latest() is None


@pytest.mark.parametrize("lineage", ["", "a b", "job\n1"])
def test_a_lineage_has_no_spaces(shards, lineage):
    with pytest.raises(ValueError, match="no spaces"):
        WeightPublisher(shards, lineage)
