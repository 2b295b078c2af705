"""When a worker gives up keeping pace, and how many groups its cache has room for."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BLOCK_TOKENS
from rollout.pace import CannotKeepUpError, Pace
from rollout.room import Room


def task(samples: int = 4, max_tokens: int = 1000) -> trajectory_pb2.GroupTask:
    return trajectory_pb2.GroupTask(sampling=trajectory_pb2.Sampling(samples=samples, max_tokens=max_tokens))


def group(prompt: int, lengths: list[int]) -> trajectory_pb2.Group:
    return trajectory_pb2.Group(
        task=task(),
        prompt_token_ids=range(prompt),
        trajectories=[trajectory_pb2.Trajectory(token_ids=range(length)) for length in lengths],
    )


def test_a_worker_that_stays_beyond_the_bound_gives_up_after_time_and_loads() -> None:
    pace = Pace(seconds=10, attempts=3)
    pace.beyond("2 versions behind, bound 0", 0.0)
    for now in (1.0, 2.0, 3.0):
        pace.tried()
        pace.beyond("2 versions behind, bound 0", now)  # not yet for so long
    with pytest.raises(CannotKeepUpError, match="2 versions behind, bound 0 for 11 s, and 3 loads did not change that"):
        pace.beyond("2 versions behind, bound 0", 11.0)


def test_one_slow_load_is_no_reason() -> None:
    pace = Pace(seconds=10, attempts=3)
    pace.beyond("no version could be served", 0.0)
    pace.tried()
    pace.beyond("1 versions behind, bound 0", 1000.0)


def test_reaching_the_bound_forgives_everything() -> None:
    pace = Pace(seconds=10, attempts=1)
    pace.beyond("behind", 0.0)
    pace.tried()
    pace.within()
    pace.beyond("behind", 20.0)
    pace.tried()
    pace.beyond("behind", 29.0)


def test_before_anything_is_known_a_group_needs_the_longest_it_may() -> None:
    room = Room()
    need = 1 + 4 * (1000 + BLOCK_TOKENS)
    assert room.need(task()) == need
    assert room.groups(10 * need, []) == 1  # an idle engine takes one whatever it needs
    assert room.groups(10, []) == 1
    assert room.groups(10 * need, [task()] * 3) == 7
    assert room.groups(10 * need - 1, [task()] * 9) == 0
    assert room.groups(need, [task()] * 3) == 0


def test_what_finished_says_what_is_needed() -> None:
    room = Room()
    room.finished(group(prompt=400, lengths=[100] * 95 + [900] * 5))
    assert room.need(task()) == 400 + 4 * (100 + BLOCK_TOKENS)  # the long tail is the cache's to handle
    assert room.need(task(max_tokens=50)) == 400 + 4 * (50 + BLOCK_TOKENS)
    room.finished(group(prompt=300, lengths=[800] * 50))
    assert room.need(task()) == 400 + 4 * (800 + BLOCK_TOKENS)  # prompts by the longest, responses by the recent
