"""Anchors in a folder, deltas on the shards: a volume (`file://`), and what stands for a bucket (`memory://`)."""

import uuid

import fsspec
import pytest

from earwitness.errors import InfrastructureError, InputError
from earwitness.weights import HostCopy, MissingVersion, WeightPublisher, WeightReader
from earwitness.weights.errors import ChecksumError
from earwitness.weights.manifest import nbytes
from earwitness.weights.store import Folder
from tests.integration.weights.weights_kit import LINEAGE, Policy, held, kinds, published, running_shards


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    yield from running_shards(tmp_path_factory, 1)


@pytest.fixture(params=["file", "memory"])
def uri(request, tmp_path):
    return f"file://{tmp_path}/anchors" if request.param == "file" else f"memory://anchors-{uuid.uuid4().hex}"


def files(uri):
    fs, path = fsspec.core.url_to_fs(uri)
    fs.invalidate_cache()
    return sorted(fs.find(path)) if fs.exists(path) else []


def test_values_go_in_and_come_out(uri):
    folder = Folder(uri)
    parts = [memoryview(b"abc"), memoryview(b""), memoryview(bytes(100_000))]
    folder.put("ew:w:job/1:0:0.0", parts)
    into = [memoryview(bytearray(100_000)), memoryview(bytearray(3))]
    assert folder.get_into("ew:w:job/1:0:0.0", into) == 100_003
    assert b"".join(into) == b"".join(parts)
    assert folder.get_into("ew:w:job/1:0:0.0", into[:1]) == 100_003
    assert folder.get_into("ew:w:job/1:0:0.1", into) is None
    assert folder.exists("ew:w:job/1:0:0.0", "ew:w:job/1:0:0.1") == 1
    assert list(folder.keys()) == ["ew:w:job/1:0:0.0"]
    folder.unlink("ew:w:job/1:0:0.0", "ew:w:job/1:0:0.1")
    assert list(folder.keys()) == []


def test_anchors_lie_in_the_folder_and_readers_find_it_in_the_manifest(shards, uri):
    publisher = WeightPublisher(shards, LINEAGE, anchor_every=3, anchors_uri=uri)
    reader, policy, copy = WeightReader(shards), Policy(), HostCopy()
    for version in range(9):
        history = published(publisher, policy, [version])
        late = HostCopy()
        for one in (copy, late):
            one.catch_up(reader, LINEAGE, version)
            assert held(one) == history[version]
    assert kinds(reader, [6, 7, 8]) == "add"
    manifest = reader.manifest(LINEAGE, 6)
    assert manifest.chunks_uri == uri and nbytes(manifest) == sum(map(len, policy.bytes().values()))
    assert shards[0].info("memory")["used_memory_dataset"] < nbytes(manifest)
    assert len(files(uri)) == len(manifest.chunks)  # those of versions 0 and 3 were deleted


def test_what_is_lost_or_damaged_in_the_folder_is_written_again(shards, uri):
    publisher = WeightPublisher(shards, LINEAGE, anchors_uri=uri)
    reader, policy = WeightReader(shards), Policy()
    history = published(publisher, policy, range(2))
    fs, _ = fsspec.core.url_to_fs(uri)
    for damage in ("gone", "short", "flipped"):
        (path, *_), copy = files(uri), HostCopy()
        content = fs.cat_file(path)
        if damage == "gone":
            fs.rm_file(path)
        else:
            fs.pipe_file(path, content[:-1] if damage == "short" else content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(MissingVersion if damage == "gone" else ChecksumError):
            copy.catch_up(reader, LINEAGE, 1)
        assert copy.held is None and not publisher.has(1)
        publisher.publish(1, policy.tensors())
        copy.catch_up(reader, LINEAGE, 1)
        assert held(copy) == history[1]


def test_orphans_of_a_dead_publisher_are_swept(shards, uri):
    Folder(uri).put("ew:w:job/0:3:0.0", [memoryview(b"orphan")])
    publisher = WeightPublisher(shards, LINEAGE, anchors_uri=uri)
    publisher.publish(0, Policy().tensors())
    assert not any("job/0" in path for path in files(uri)) and files(uri)


def test_a_folder_that_cannot_be_written_is_a_typed_error(shards, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    publisher = WeightPublisher(shards, LINEAGE, anchors_uri=f"file://{tmp_path}/file/anchors")
    with pytest.raises(InfrastructureError, match="anchors"):
        publisher.publish(0, Policy().tensors())
    assert WeightReader(shards).latest() is None
    with pytest.raises(InputError, match="not supported"):
        WeightPublisher(shards, LINEAGE, anchors_uri="ssh://host/folder")
