"""Where a think block ends among tokens, and what is left of a trajectory that is cut."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.thinking import cut, holds, thought_end


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        (["It", " rises", ".", "\n", "</think>", "\n", "A"], 3),
        (["It", " rises", ".", "\n", "</", "think", ">\n", "A"], 3),
        (["It", ".\n", "</", "think", ">"], 2),
        (["</think>", "A"], 0),
        (["\n", "</think>"], 0),
        (["It", "</think>", " and", "</think>"], 1),
        (["It", " rises", "</", "think"], None),
        ([], None),
    ],
)
def test_the_end_of_thought_is_before_its_mark_and_the_break_of_its_line(pieces: list[str], end: int | None) -> None:
    tokens = list(range(len(pieces)))
    assert thought_end(tokens, lambda some: "".join(pieces[t] for t in some)) == end


def test_words_are_held_one_behind_the_other() -> None:
    assert holds([1, 2, 3], [2, 3]) and holds([1], [1])
    assert not holds([2, 1, 3], [2, 3]) and not holds([2], [2, 3]) and not holds([], [1])


@pytest.mark.parametrize("length", range(6))
def test_what_is_cut_has_versions_for_all_that_is_left_and_goes_on(length: int) -> None:
    trajectory = trajectory_pb2.Trajectory(
        token_ids=[5, 6, 7, 8, 9], logprobs=[-1.0, -2.0, -3.0, -4.0, -5.0], text="so", index=3,
        finish_reason=trajectory_pb2.FINISH_REASON_STOP,
    )  # fmt: skip
    for version, tokens in ((1, 2), (2, 3)):
        trajectory.versions.add(version=version, tokens=tokens, lineage="a")
    cut(trajectory, length)
    assert list(trajectory.token_ids) == [5, 6, 7, 8, 9][:length]
    assert len(trajectory.logprobs) == sum(span.tokens for span in trajectory.versions) == min(length, 5)
    assert [span.version for span in trajectory.versions] == ([1] if length else []) + ([2] if length > 2 else [])
    assert (trajectory.finish_reason, trajectory.text, trajectory.index) == (0, "", 3)
