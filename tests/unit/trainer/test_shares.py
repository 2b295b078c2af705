"""Which rank takes which rows, and which rows meet in a micro-batch: every row once, no budget broken, fair shares."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.recipe.schema import MicroBatching
from trainer.batches import padded_length
from trainer.shares import micro_batches, share

LENGTHS = st.lists(st.integers(1, 3000), min_size=1, max_size=60)


@settings(max_examples=200, deadline=None)
@given(LENGTHS, st.integers(1, 9))
def test_every_row_belongs_to_one_rank_and_ranks_cost_about_the_same(lengths, ranks):
    rows = list(enumerate(lengths))
    shares = [share(rows, lengths, rank, ranks) for rank in range(ranks)]
    assert [row for part in shares for row in part] == rows
    heaviest = max(sum(length for _, length in part) for part in shares)
    assert heaviest <= sum(lengths) / ranks + max(lengths)


def test_equal_rows_are_shared_equally():
    assert [share("abcdefg", [1] * 7, rank, 3) for rank in range(3)] == [["a", "b"], ["c", "d", "e"], ["f", "g"]]
    assert [share("ab", [1, 1], rank, 3) for rank in range(3)] == [["a"], [], ["b"]]


def test_long_rows_count_more_than_short_ones():
    assert share("abcde", [4, 1, 1, 1, 1], 0, 2) == ["a"]
    assert share("abcde", [4, 1, 1, 1, 1], 1, 2) == ["b", "c", "d", "e"]


@settings(max_examples=200, deadline=None)
@given(
    LENGTHS,
    st.integers(1, 8),
    st.one_of(st.none(), st.integers(1, 8000)),
    st.booleans(),
)
def test_micro_batches_hold_every_row_once_within_the_budget(lengths, most, budget, packed):
    rows = list(enumerate(lengths))
    how = MicroBatching(micro_batch_size=most, micro_batch_tokens=budget, packed=packed)
    batches = micro_batches(rows, lambda row: [row[1]], how)
    assert [row for batch in batches for row in batch] == rows
    costs = [tokens_of([length for _, length in batch], packed) for batch in batches]
    assert all(1 <= len(batch) <= most for batch in batches)
    assert all(budget is None or cost <= budget or len(batch) == 1 for batch, cost in zip(batches, costs, strict=True))
    # nor are there more than needed in this order: two neighbours never fit into one
    for first, second in pairwise(batches):
        joined = [length for _, length in [*first, second[0]]]
        assert len(joined) > most or (budget is not None and tokens_of(joined, packed) > budget)


def tokens_of(lengths: list[int], packed: bool) -> int:
    """What a forward pass over them computes, filling included."""
    return padded_length(sum(lengths)) if packed else len(lengths) * padded_length(max(lengths))


@pytest.mark.parametrize(("most", "expected"), [(2, [1, 1, 1]), (4, [2, 1])])
def test_the_rows_of_a_pair_stay_together(most, expected):
    pairs = [(10, 20), (30, 5), (7, 7)]
    batches = micro_batches(pairs, list, MicroBatching(micro_batch_size=most))
    assert [len(batch) for batch in batches] == expected
