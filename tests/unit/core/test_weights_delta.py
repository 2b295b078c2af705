"""Records of changes, without a server: what was advanced to is what is applied, to the bit."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.weights import delta, gaps

WIDTHS = [np.uint16, np.uint32]
SMALL_SEGMENT = 256


@pytest.fixture(scope="module", autouse=True)
def small_segments():
    """So that small tensors have several."""
    whole, delta.SEGMENT = delta.SEGMENT, SMALL_SEGMENT
    yield
    delta.SEGMENT = whole


def encoded(old, new):
    """The record of a tensor."""
    starts = range(0, new.size, delta.SEGMENT)
    segments = [delta.encode(old[s : s + delta.SEGMENT], new[s : s + delta.SEGMENT]) for s in starts]
    parts = [part for segment in segments for part in segment or [delta.UNCHANGED]] if any(segments) else []
    return np.frombuffer(b"".join(parts), np.uint8)


def bits(elements, width, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(width).max, elements, width, endpoint=True)


@settings(deadline=None)  # a busy machine takes its time
@given(
    st.integers(0, 5 * SMALL_SEGMENT + 3),
    st.sampled_from(WIDTHS),
    st.floats(0, 1),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_applying_gives_the_new_bits_however_often(elements, width, share, seed, alike):
    numbers = np.random.default_rng(seed)
    old = bits(elements, width, seed)
    if alike:  # bits that compress
        old &= width(3)
    new = old.copy()
    changed = numbers.random(elements) < share
    new[changed] = bits(int(changed.sum()), width, seed + 1)
    record = encoded(old, new)
    target = old.copy()
    for _ in range(2):
        delta.apply(record, target)
        assert target.tobytes() == new.tobytes()
    heads = -(-elements // SMALL_SEGMENT) * delta.HEAD.size
    assert record.nbytes <= new.nbytes + heads


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("elements", [1, 3, 4, 5, SMALL_SEGMENT - 1, SMALL_SEGMENT, SMALL_SEGMENT + 1])
def test_each_single_change_is_found(elements, width):
    old = np.zeros(elements, width)
    for position in range(elements):
        new = old.copy()
        new[position] = 1
        target = old.copy()
        delta.apply(encoded(old, new), target)
        assert np.flatnonzero(target).tolist() == [position]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_changed_is_no_bytes(width):
    old = bits(1000, width)
    record = encoded(old, old.copy())
    assert record.size == 0
    delta.apply(record, old)


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_changed_is_as_large_as_the_tensor(width):
    old = bits(SMALL_SEGMENT, width)
    new = ~old
    record = encoded(old, new)
    assert record.nbytes == new.nbytes + delta.HEAD.size
    delta.apply(record, old)
    assert old.tobytes() == new.tobytes()


@pytest.mark.parametrize(
    ("width", "patterns"), [(np.uint16, [0x7FC0, 0x7FC1, 0xFF81]), (np.uint32, [0x7FC00000, 0x7F800001])]
)
def test_bits_of_nan_and_zero_are_bits(width, patterns):
    """NaN differs from itself and 0 equals -0 only as numbers."""
    negative_zero = 1 << (np.iinfo(width).bits - 1)
    old = np.array([*patterns, 0, negative_zero, 0], width)
    assert encoded(old, old.copy()).size == 0
    new = np.array([*patterns[::-1], negative_zero, 0, 0], width)
    target = old.copy()
    delta.apply(encoded(old, new), target)
    assert target.tobytes() == new.tobytes()


def test_a_change_in_a_hundred_takes_less_than_a_fortieth():
    numbers = np.random.default_rng(0)
    old = (numbers.standard_normal(1 << 18, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    new = old.copy()
    new[numbers.random(old.size) < 0.01] ^= 1
    delta.SEGMENT = 1 << 20
    try:
        record = encoded(old, new)
    finally:
        delta.SEGMENT = SMALL_SEGMENT
    assert record.nbytes < new.nbytes / 60


def test_overwriting_wins_over_what_was_there():
    """A delta applied to something else still puts its own bits: only the checksum can tell the wrong base."""
    old, other = bits(300, np.uint16), bits(300, np.uint16, 1)
    new = old.copy()
    new[[0, 7, 299]] = 1, 2, 3
    delta.apply(encoded(old, new), other)
    assert other[[0, 7, 299]].tolist() == [1, 2, 3]


def through_gaps(positions):
    width, (short, longs) = gaps.pack(np.array(positions, np.int32))
    assert short.dtype == width
    stream = np.concatenate([short.view(np.uint8), longs.view(np.uint8)])
    target = np.zeros(max(positions, default=0) + 1, np.uint8)  # pages that nobody writes take no memory
    gaps.overwrite(stream, width, np.arange(1, len(positions) + 1, dtype=np.uint8), target)
    found = np.flatnonzero(target.view(bool))
    assert target[found].tolist() == list(range(1, len(positions) + 1))
    return found.tolist()


@settings(deadline=None)  # a busy machine takes its time
@given(st.lists(st.integers(0, 200_000), unique=True, max_size=50))
def test_gaps_give_the_positions_back(positions):
    assert through_gaps(sorted(positions)) == sorted(positions)


@pytest.mark.parametrize("first", [0, 254, 255, 256, 510, 511, 65534, 65535, 65536, 131070, 131071, 2**31 - 1])
def test_gaps_around_a_long_one(first):
    for positions in ([first], [0, first + 1] if first < 2**31 - 1 else [0, first], [*range(40), 40 + first // 2]):
        assert through_gaps(positions) == positions


@pytest.mark.parametrize(("cut", "add"), [(4, 0), (0, 4)])
def test_long_gaps_that_do_not_fit_are_refused(cut, add):
    width, (short, longs) = gaps.pack(np.array([300, *range(301, 340), 900], np.int32))
    assert width == gaps.NARROW
    stream = np.concatenate([short, longs.view(np.uint8), np.zeros(add, np.uint8)])
    stream = stream[: stream.size - cut]
    with pytest.raises(ValueError, match="long gaps than there should be"):
        gaps.overwrite(stream, width, np.zeros(41, np.uint16), np.zeros(901, np.uint16))


def test_nothing_is_written_beyond_the_tensor():
    width, (short, longs) = gaps.pack(np.array([3, 10], np.int32))
    memory = np.zeros(20, np.uint16)
    with pytest.raises(ValueError, match="beyond the last element"):
        gaps.overwrite(np.concatenate([short, longs.view(np.uint8)]), width, np.ones(2, np.uint16), memory[:10])
    assert np.flatnonzero(memory).tolist() == [3]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("elements", [31, 32, 33, 8_191, 8_192, 8_193, 20_000, 3 * 8_192 + 17])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_changes_are_those_that_numpy_finds(width, elements, share):
    old = bits(elements, width)
    new = np.where(np.random.default_rng(1).random(elements) < share, ~old, old)
    expected = np.flatnonzero(old != new)
    positions, values = delta.differing(old, new, most=expected.size)
    assert positions.tolist() == expected.tolist()
    assert values.tolist() == new[expected].tolist()
    assert delta.differing(old, new, most=expected.size - 1) is None


@settings(deadline=None)  # a busy machine takes its time
@given(st.data())
def test_a_damaged_record_is_an_error_or_other_bits_but_never_a_crash(data):
    old = bits(700, np.uint16) & np.uint16(0x3F0F)
    new = old.copy()
    new[::5] ^= 1
    record = encoded(old, new).copy()
    position = data.draw(st.integers(0, record.size - 1))
    record[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(delta.BadRecord):
        delta.apply(record, old)


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_short_record_is_refused(cut):
    old = bits(700, np.uint16)
    new = old.copy()
    new[::3] ^= 1
    record = encoded(old, new)
    with pytest.raises(delta.BadRecord, match="ends after"):
        delta.apply(record[:-cut], old)
    with pytest.raises(delta.BadRecord, match="too many"):
        delta.apply(np.concatenate([record, record[:cut]]), old)
    with pytest.raises(delta.BadRecord):
        delta.apply(record, old[:100])
