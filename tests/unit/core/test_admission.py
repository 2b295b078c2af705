"""The admission rule: identities, bounds, and a whole pass simulated with it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.admission import admit

small = st.integers(0, 50)


@given(small, small, small, small, st.integers(1, 50), small)
def test_is_never_negative_and_keeps_both_bounds(max_running, running, max_staleness, version, per_step, accepted):
    admitted = admit(max_running, running, max_staleness, version, per_step, accepted)
    assert admitted >= 0
    if admitted:
        assert running + admitted <= max_running
        assert accepted + running + admitted <= (max_staleness + version + 1) * per_step


def test_staleness_zero_issues_exactly_one_step():
    assert admit(max_running=64, running=0, max_staleness=0, version=0, groups_per_step=16, accepted=0) == 16
    assert admit(max_running=64, running=10, max_staleness=0, version=0, groups_per_step=16, accepted=6) == 0
    assert admit(max_running=64, running=0, max_staleness=0, version=0, groups_per_step=16, accepted=16) == 0
    assert admit(max_running=64, running=0, max_staleness=0, version=1, groups_per_step=16, accepted=16) == 16


def test_dropped_groups_are_replaced():
    before = admit(max_running=64, running=16, max_staleness=0, version=0, groups_per_step=16, accepted=0)
    after_three_drops = admit(max_running=64, running=13, max_staleness=0, version=0, groups_per_step=16, accepted=0)
    assert (before, after_three_drops) == (0, 3)


def test_running_is_bounded():
    assert admit(max_running=8, running=5, max_staleness=9, version=0, groups_per_step=16, accepted=0) == 3
    assert admit(max_running=8, running=9, max_staleness=9, version=0, groups_per_step=16, accepted=0) == 0


@pytest.mark.parametrize("max_staleness", [0, 1, 3])
def test_after_a_resume_it_goes_on_where_the_checkpoint_was(max_staleness):
    """The ledger is pre-filled with what the checkpoint consumed; the version counts from the same checkpoint."""
    steps, per_step = 30, 16
    fresh = admit(1000, 0, max_staleness, 0, per_step, 0)
    resumed = admit(1000, 0, max_staleness, steps, per_step, accepted=steps * per_step)
    assert resumed == fresh == (max_staleness + 1) * per_step


def test_more_accepted_than_the_version_explains_waits_instead_of_failing():
    """A trainer that went back to an older checkpoint without a new ledger: nothing is issued, nothing breaks."""
    assert admit(64, 0, 0, version=2, groups_per_step=16, accepted=80) == 0


@pytest.mark.parametrize(("max_staleness", "in_order"), [(0, False), (0, True), (1, True), (2, True)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_group_of_a_simulated_pass_is_too_stale(max_staleness, in_order, seed):
    """A fifth of the groups is dropped; the trainer consumes in order of arrival. On-policy needs no order."""
    chance = random.Random(seed)
    per_step, max_running = 4, 10
    version, accepted = 0, 0
    running: list[int] = []
    ready: list[int] = []
    stalest = 0
    while version < 40:
        admitted = admit(max_running, len(running), max_staleness, version, per_step, accepted)
        running += [version] * admitted
        assert running or len(ready) >= per_step, "the pass is stuck"
        if running:
            started = running.pop(0 if in_order else chance.randrange(len(running)))
            if chance.random() > 0.2:
                ready.append(started)
                accepted += 1
        if len(ready) >= per_step:
            step, ready = ready[:per_step], ready[per_step:]
            stalest = max(stalest, *(version - started for started in step))
            version += 1
    assert stalest <= max_staleness
