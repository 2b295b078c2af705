import numpy as np
import pytest

from earwitness.errors import InputError
from earwitness.recipe import Curriculum
from trainer.curriculum import Lessons

KINDS = ["b", "a", "c", "a", "b", "c"] * 20


def lessons(seed=1, **changes):
    config = Curriculum(**{"kinds": ["a", "b", "c"], "steps_each": 10, **changes})
    return Lessons(config, KINDS, 64, seed)


def kinds_of(batch):
    return {KINDS[index] for index in batch}


def test_kinds_join_one_after_another():
    order = lessons()
    assert order.steps == 30
    assert all(kinds_of(order.batch(step)) == {"a"} for step in range(1, 11))
    assert all(kinds_of(order.batch(step)) == {"a", "b"} for step in range(11, 21))
    assert all(kinds_of(order.batch(step)) == {"a", "b", "c"} for step in range(21, 31))


def test_the_newest_kind_gets_its_share_beside_what_it_has_of_the_rest():
    drawn = [KINDS[index] for step in range(11, 21) for index in lessons(newest_share=0.5).batch(step)]
    assert np.mean([kind == "b" for kind in drawn]) == pytest.approx(0.75, abs=0.06)  # half, and half of the other half


def test_a_batch_depends_on_seed_and_step_only():
    assert lessons().batch(17) == lessons().batch(17)
    assert lessons().batch(17) != lessons(seed=2).batch(17)
    assert lessons().batch(17) != lessons().batch(18)


def test_a_kind_without_examples_is_refused():
    with pytest.raises(InputError, match=r"tune\.curriculum\.kinds: no example is of the kind 'd'"):
        lessons(kinds=["a", "d"])
