"""A byte string in chunks and back, without a server and without a copy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.weights.chunks import split, spread

CHUNK = 16


def random_bytes(lengths, seed=0):
    numbers = np.random.default_rng(seed)
    return [numbers.integers(0, 256, length, np.uint8) for length in lengths]


@settings(deadline=None)  # a busy machine takes its time
@given(st.lists(st.integers(0, 80), max_size=12), st.lists(st.integers(1, 80), max_size=12))
def test_spread_puts_back_what_split_cut(lengths, others):
    """Also where the receiver's buffers are cut otherwise than the sender's."""
    parts = random_bytes(lengths)
    chunks = list(split((part.data for part in parts), CHUNK))
    sizes = [sum(piece.nbytes for piece in chunk) for chunk in chunks]
    total = sum(lengths)
    assert sum(sizes) == total and all(size == CHUNK for size in sizes[:-1])
    ends = sorted({min(int(end), total) for end in np.cumsum(others)} | {total})
    buffers = [np.zeros(end - start, np.uint8) for start, end in zip([0, *ends], ends, strict=False)]
    for chunk, places in zip(chunks, spread(sizes, (buffer.data for buffer in buffers)), strict=True):
        sent = b"".join(chunk)
        for place in places:
            place[:], sent = sent[: place.nbytes], sent[place.nbytes :]
        assert not sent
    assert b"".join(buffer.tobytes() for buffer in buffers) == b"".join(part.tobytes() for part in parts)


def test_nothing_is_copied():
    parts = random_bytes([20, 3, 40])
    pieces = [piece for chunk in split((part.data for part in parts), CHUNK) for piece in chunk]
    assert all(any(np.shares_memory(np.frombuffer(piece, np.uint8), part) for part in parts) for piece in pieces)


@pytest.mark.parametrize(("sizes", "words"), [([16, 3], "go on after"), ([16], "end before"), ([], "end before")])
def test_chunks_of_another_length_than_the_tensors_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        spread(sizes, (part.data for part in random_bytes([10, 0, 8])))
