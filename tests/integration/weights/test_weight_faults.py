"""Faults in what the shards hold: each ends in recovery or a typed error, and never in other weights."""

import numpy as np
import pytest

from earwitness.weights import Held, HostCopy, MissingVersion, WeightPublisher
from earwitness.weights.errors import ChecksumError, WrongBase
from earwitness.weights.manifest import seal
from earwitness.weights.names import manifest_key
from earwitness.weights.tensors import size_of
from earwitness.wire.weights.v1.weights_pb2 import Manifest
from tests.integration.weights.weights_kit import LINEAGE, Policy, breaking_lines, held, kinds, published


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


def one_gone_bad(publisher, reader, tensor, byte):
    """A copy of version 0 with a wrong bit, and what version 1 is, which has been published since."""
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, [0])
    copy.catch_up(reader, LINEAGE, 0)
    copy.tensors[tensor].data[byte] ^= 1
    return copy, published(publisher, policy, [1])[1]


def test_other_bits_under_the_right_name_fail_the_checksum(publisher, reader):
    """A base that is wrong without saying so."""
    copy, newest = one_gone_bad(publisher, reader, "head", 1000)
    with pytest.raises(ChecksumError, match="tensor head does not match"):
        copy.apply(reader, reader.manifest(LINEAGE, 1))
    assert copy.held is None
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == newest


def test_a_tensor_that_does_not_fit_its_room_is_refused(publisher, reader):
    """A manifest that contradicts itself must not lead others, who share the room, to what was there before."""

    def room(layout):
        return {name: Held(dtype, shape, np.zeros(size_of(dtype, shape), np.uint8)) for name, dtype, shape in layout}

    history = published(publisher, Policy(), [0])
    manifest, copy = reader.manifest(LINEAGE, 0), HostCopy(room)
    copy.apply(reader, manifest)
    assert held(copy) == history[0]
    next(entry for entry in manifest.tensors if entry.name == "norm").shape[0] = 8
    with pytest.raises(ChecksumError, match=r"tensor norm has 28 bytes; expected those of float32 \(8,\)"):
        copy.apply(reader, manifest)
    assert copy.held is None


def test_a_copy_gone_bad_recovers_through_the_anchor(publisher, reader):
    copy, newest = one_gone_bad(publisher, reader, "embed", 3)
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == newest


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
    with breaking_lines(urls, seed, 0.15) as (publisher, reader):
        policy, copy = Policy(), HostCopy()
        for version in range(3):
            history = published(publisher, policy, [version])
            copy.catch_up(reader, LINEAGE, version)
            assert held(copy) == history[version]


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_torn_manifest_is_never_believed_and_the_version_is_written_again(publisher, shards, reader, damage):
    policy, copy = Policy(), HostCopy()
    history = published(publisher, policy, range(3))
    copy.catch_up(reader, LINEAGE, 1)
    key = manifest_key(LINEAGE, 2)
    stored = shards[0].get(key)
    shards[0].set(key, stored[: len(stored) // 2] if damage == "torn" else stored[:-1] + bytes([stored[-1] ^ 1]))
    with pytest.raises(ChecksumError, match="version 2 of job/1: its manifest is damaged"):
        copy.catch_up(reader, LINEAGE, 2)
    assert copy.held == (LINEAGE, 1) and held(copy) == history[1]
    assert not publisher.has(2)
    publisher.publish(2, policy.tensors())
    copy.catch_up(reader, LINEAGE, 2)
    assert held(copy) == history[2]
    history = published(publisher, policy, range(3, 7))  # the torn one's chunks and its place in the list do no harm
    copy.catch_up(reader, LINEAGE, 6)
    assert held(copy) == history[6]
