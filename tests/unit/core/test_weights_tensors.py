"""What a tensor of a version must be, and what a manifest must be to be believed."""

import numpy as np
import pytest

from earwitness.weights.errors import ChecksumError
from earwitness.weights.manifest import seal, unseal
from earwitness.weights.tensors import checked, digest, verify
from earwitness.wire.weights.v1.weights_pb2 import ChunkEntry, Manifest, TensorEntry


def tensor(index, elements):
    bits = np.random.default_rng(index).integers(0, 2**16, elements, np.uint16)
    return f"tensor.{index}", "bfloat16", (elements,), bits


def test_a_checked_tensor_is_a_view_of_its_bytes():
    given = [tensor(0, 10), ("scalar", "float32", (), memoryview(np.ones(1, np.float32))), tensor(1, 0)]
    for (name, dtype, shape, bits), (*known, view) in zip(given, checked(given), strict=True):
        assert known == [name, dtype, shape] and view.format == "B"
        assert view.tobytes() == bits.tobytes()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([tensor(0, 2), tensor(0, 2)], "comes twice"),
        ([("t", "float16", (2,), np.zeros(2, np.float16))], "expected one of float32, bfloat16"),
        ([("t", "float32", (3,), np.zeros(2, np.float32))], "expected those of float32"),
        ([("t", "float32", (2, 2), np.zeros((4, 4), np.float32)[::2, ::2])], "contiguous"),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused(tensors, words):
    with pytest.raises(ValueError, match=words):
        list(checked(tensors))


def test_a_hash_is_the_canonical_big_endian_digest():
    assert digest(memoryview(b"")).hex() == "99aa06d3014798d86001c324468d497f"  # of nothing, from the specification


@pytest.mark.parametrize("position", [0, 9, 19])
def test_one_wrong_bit_is_refused(position):
    data = tensor(0, 10)[3].view(np.uint8)
    manifest, entry = Manifest(lineage="j/0", version=3), TensorEntry(name="t", xxh3_128=digest(data.data))
    verify(manifest, entry, data)
    data[position] ^= 1
    with pytest.raises(ChecksumError, match="version 3 of j/0: tensor t does not match"):
        verify(manifest, entry, data)


def test_a_torn_or_damaged_manifest_is_never_believed():
    manifest = Manifest(lineage="j/0", version=3, chunks=[ChunkEntry(key="k", nbytes=7)], committed_at=1.5)
    stored = seal(manifest)
    assert unseal("j/0", 3, stored) == manifest
    torn = [stored[:length] for length in range(len(stored))]
    flipped = [stored[:place] + bytes([stored[place] ^ 1]) + stored[place + 1 :] for place in range(len(stored))]
    for damaged in [*torn, *flipped, stored + b"\0"]:
        with pytest.raises(ChecksumError, match="manifest is damaged"):
            unseal("j/0", 3, damaged)
    with pytest.raises(ChecksumError):
        unseal("j/0", 4, stored)  # another version's
