from earwitness.recipe.schema import Optimizer
from trainer.learner import learning_rate


def rates(steps: int, **changes) -> list[float]:
    config = Optimizer(learning_rate=0.5, **changes)
    return [learning_rate(config, step, steps) for step in range(1, steps + 1)]


def test_constant_without_warmup():
    assert rates(3) == [0.5, 0.5, 0.5]


def test_warmup_rises_to_the_peak():
    assert rates(4, warmup_steps=2) == [0.25, 0.5, 0.5, 0.5]


def test_linear_falls_and_would_meet_zero_after_the_last_step():
    assert rates(5, warmup_steps=1, schedule="linear") == [0.5, 0.5, 0.375, 0.25, 0.125]


def test_warmup_longer_than_the_phase():
    assert max(rates(2, warmup_steps=10, schedule="linear")) == 0.1
