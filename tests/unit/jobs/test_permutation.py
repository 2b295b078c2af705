"""Shuffles have no length: a place at a time, each once."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from earwitness.jobs.permutation import permuted


@given(count=st.integers(1, 3000), seed=st.text(max_size=8))
def test_a_shuffle_has_every_place_once(count: int, seed: str) -> None:
    assert sorted(permuted(seed, count, place) for place in range(count)) == list(range(count))


def test_shuffles_differ_by_seed_and_leave_nothing_in_place() -> None:
    one, other = ([permuted(seed, 10_000, place) for place in range(10_000)] for seed in ("1/3-train/0", "1/3-train/1"))
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 10  # by chance 1
    assert sum(place == at for place, at in enumerate(one)) < 10
    steps = [(b - a) % 10_000 for a, b in pairwise(one)]
    assert len(set(steps)) > 5_000  # no stride
