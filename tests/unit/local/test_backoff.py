"""A process that ends is started again, ever later, and not for ever."""

from earwitness.local.backoff import LONGEST_DELAY_SECONDS, MOST_FAST_FAILURES, STEADY_SECONDS, BackOff


def test_delays_grow_and_stay_bounded() -> None:
    state, delays = BackOff(), []
    for _ in range(20):
        state = state.ended(0.1)
        delays.append(state.delay_seconds)
    assert delays == sorted(delays)
    assert delays[0] < 1.0
    assert delays[-1] == LONGEST_DELAY_SECONDS


def test_gives_up_after_fast_failures_in_a_row() -> None:
    state = BackOff()
    for _ in range(MOST_FAST_FAILURES - 1):
        state = state.ended(1.0)
        assert not state.hopeless
    assert state.ended(1.0).hopeless


def test_a_steady_run_starts_a_new_count() -> None:
    state = BackOff()
    for _ in range(100):
        state = state.ended(1.0).ended(STEADY_SECONDS)
    assert not state.hopeless
    assert state.failures == 1
