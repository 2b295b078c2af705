import pytest

from earwitness.errors import InputError
from earwitness.recipe.schema import Curriculum
from trainer.tuning.curriculum import Lessons

KINDS = ["pitch"] * 5 + ["count"] * 5 + ["tempo"] * 5


def lessons(*kinds: str, newest_share: float = 0.5, seed: int = 1) -> Lessons:
    return Lessons(Curriculum(kinds=list(kinds), steps_each=10, newest_share=newest_share), KINDS, 8, seed)


def met(made: Lessons, steps: range) -> set[str]:
    return {KINDS[index] for step in steps for index in made.batch(step)}


def test_kinds_join_one_after_another():
    made = lessons("count", "pitch")
    assert made.steps == 20
    assert met(made, range(1, 11)) == {"count"}
    assert met(made, range(11, 21)) == {"count", "pitch"}


def test_the_newest_kind_has_its_share():
    assert met(lessons("count", "pitch", newest_share=1.0), range(11, 21)) == {"pitch"}


def test_an_update_depends_on_seed_and_step_only():
    assert lessons("count").batch(7) == lessons("count").batch(7)
    assert lessons("count").batch(7) != lessons("count", seed=2).batch(7)


def test_a_kind_without_examples_is_refused():
    with pytest.raises(InputError, match="no example is of the kind 'rhythm'"):
        lessons("rhythm")
