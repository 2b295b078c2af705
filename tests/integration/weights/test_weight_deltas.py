"""Deltas over real Redis shards: a reader holds exactly the version that was published, whichever way it came there."""

import numpy as np
import pytest

from earwitness.errors import InfrastructureError
from earwitness.weights import HostCopy, MissingVersion, WeightPublisher
from earwitness.weights.manifest import nbytes
from earwitness.weights.names import manifest_key
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, VERSION_KIND_DELTA
from tests.integration.weights.weights_kit import LINEAGE, Policy, held, kinds, published


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


def test_who_follows_passes_an_anchor_by_what_changed(publisher, reader):
    """Every fifth version is whole, for those who join. Those who are there fetch the delta that comes with it."""
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(5))
    copy.catch_up(reader, LINEAGE, 4)
    history = published(publisher, policy, [5])
    assert kinds(reader, [5]) == "a"
    (step,) = reader.chain(LINEAGE, 5, 4)
    assert (step.kind, step.base_version, step.version) == (VERSION_KIND_DELTA, 4, 5)
    assert nbytes(step) < nbytes(reader.manifest(LINEAGE, 5)) / 40
    written = copy.catch_up(reader, LINEAGE, 5)
    assert held(copy) == history[5] and "frozen" not in written
    history = published(publisher, policy, [6])
    behind = HostCopy()
    behind.catch_up(reader, LINEAGE, 5)
    assert [m.version for m in reader.chain(LINEAGE, 6, 4)] == [5, 6]
    assert all(m.kind == VERSION_KIND_DELTA for m in reader.chain(LINEAGE, 6, 4))
    for one in (copy, behind):
        one.catch_up(reader, LINEAGE, 6)
        assert held(one) == history[6]


def test_the_delta_that_comes_with_an_anchor_goes_with_it(publisher, shards):
    policy = Policy()
    published(publisher, policy, range(12))
    kept = {key.decode().split(":")[3] for shard in shards for key in shard.scan_iter(f"ew:w:{LINEAGE}:*")}
    assert kept == {"10", "11"}


def test_a_step_that_is_gone_costs_the_anchor(publisher, shards, reader):
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(5))
    copy.catch_up(reader, LINEAGE, 4)
    history = published(publisher, policy, [5])
    for chunk in reader.manifest(LINEAGE, 5).step.chunks:
        shards[chunk.shard].delete(chunk.key)
    copy.catch_up(reader, LINEAGE, 5)
    assert held(copy) == history[5] and publisher.has(5)


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


def test_a_large_delta_is_an_anchor_and_leaves_nothing_of_itself(publisher, shards, reader):
    history = published(publisher, Policy(), range(3), share=0.5)
    assert kinds(reader, [1, 2]) == "aa"
    copy = HostCopy()
    copy.catch_up(reader, LINEAGE, 2)
    assert held(copy) == history[2]
    named = {chunk.key for version in (1, 2) for chunk in reader.manifest(LINEAGE, version).chunks}
    stored = {key.decode() for shard in shards for key in shard.scan_iter(f"ew:w:{LINEAGE}:*")}
    assert stored == named | {manifest_key(LINEAGE, version) for version in (1, 2)}


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


def test_publishing_a_delta_again_draws_nothing(publisher, reader):
    policy = Policy()
    published(publisher, policy, range(2))

    def must_not_be_drawn():
        raise AssertionError("a version that is there was drawn again")
        yield

    assert publisher.publish(1, must_not_be_drawn()) == reader.manifest(LINEAGE, 1)
    published(publisher, policy, [2])
    assert kinds(reader, [2]) == "d"
