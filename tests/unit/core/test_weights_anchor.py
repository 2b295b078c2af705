"""Tensors to chunks and back, without a server."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.weights import ChecksumError, anchor
from earwitness.wire.weights.v1.weights_pb2 import Manifest

CHUNK = 16


def tensor(index: int, elements: int) -> anchor.Tensor:
    bits = np.random.default_rng(index).integers(0, 2**16, elements, np.uint16)
    return f"tensor.{index}", "bfloat16", (elements,), bits


@given(st.lists(st.integers(0, 40), max_size=12))
def test_decode_undoes_encode(lengths):
    tensors = [tensor(index, elements) for index, elements in enumerate(lengths)]
    entries = []
    chunks = [bytes(chunk) for chunk in anchor.encode(tensors, entries, CHUNK)]
    assert all(len(chunk) == CHUNK for chunk in chunks[:-1])
    assert sum(map(len, chunks)) == sum(buffer.nbytes for *_, buffer in tensors)
    decoded = list(anchor.decode(Manifest(tensors=entries), chunks))
    assert [entry.name for entry, _ in decoded] == [name for name, *_ in tensors]
    for (_, _, _, bits), (entry, buffer) in zip(tensors, decoded, strict=True):
        assert buffer.tobytes() == bits.tobytes()
        assert (entry.nbytes, list(entry.shape)) == (bits.nbytes, list(bits.shape))
    assert [entry.offset for entry in entries] == list(np.cumsum([0, *(e.nbytes for e in entries)])[:-1])


def test_a_chunk_inside_one_tensor_is_not_copied():
    tensors = [tensor(0, CHUNK * 4)]
    chunks = list(anchor.encode(tensors, [], CHUNK))
    assert all(isinstance(chunk, memoryview) for chunk in chunks)
    assert np.shares_memory(np.frombuffer(chunks[0], np.uint8), tensors[0][3])


def test_a_hash_is_the_canonical_big_endian_digest():
    entries = []
    list(anchor.encode([("empty", "float32", (0,), np.zeros(0, np.float32))], entries, CHUNK))
    assert (
        entries[0].xxh3_128.hex() == "99aa06d3014798d86001c324468d497f"
    )  # xxh3-128 of nothing, from its specification


@pytest.mark.parametrize("position", [0, 17, 33])
def test_one_wrong_bit_is_refused_before_the_tensor_is_given_out(position):
    entries = []
    data = bytearray(b"".join(anchor.encode([tensor(0, 10), tensor(1, 10)], entries, CHUNK)))
    data[position] ^= 1
    given_out = []
    with pytest.raises(ChecksumError, match="does not match"):
        for entry, _ in anchor.decode(Manifest(lineage="j/0", version=3, tensors=entries), [bytes(data)]):
            given_out.append(entry.name)
    assert given_out == ([] if position < 20 else ["tensor.0"])


def test_missing_bytes_are_refused():
    entries = []
    data = b"".join(anchor.encode([tensor(0, 10)], entries, CHUNK))
    with pytest.raises(ChecksumError, match=r"end before tensor tensor\.0"):
        list(anchor.decode(Manifest(tensors=entries), [data[:-1], b""]))


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
        list(anchor.encode(tensors, [], CHUNK))
