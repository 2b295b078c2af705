"""Answers that hang sympy, through the scoring process of the service: dropped with the reason, alone."""

from __future__ import annotations

from earwitness.log import get_logger
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.scoring import DROPPED, RETRIED, ScoringProcess

HANGS = "$9^{9^{9}}$"
"""Takes more CPU time than there is."""


async def test_a_hanging_answer_is_tried_twice_dropped_and_counted():
    group = trajectory_pb2.Group()
    group.task.prompt.answer, group.task.prompt.verifier = r"\frac{1}{2}", trajectory_pb2.VERIFIER_MATH
    group.task.reward.reasoning_term = trajectory_pb2.REASONING_TERM_PRESENCE
    for index, answer in enumerate([r"$\frac{2}{4}$", HANGS, "$x^2$", "$0.5$"]):
        group.trajectories.add(index=index, text=f"I add them all up.</think>{answer}")
    retried, dropped = RETRIED._value.get(), DROPPED._value.get()
    with ScoringProcess(get_logger("test")) as scoring:
        scored = await scoring.score(group)
        group.trajectories[1].text = "I add them all up.</think>$x$"
        again = await scoring.score(group)
    rewards = [trajectory.reward for trajectory in scored.trajectories]
    assert [(reward.correct, bool(reward.drop_reason)) for reward in rewards] == [
        (True, False), (False, True), (False, False), (True, False),
    ]  # fmt: skip
    assert "killed after" in rewards[1].drop_reason
    assert (RETRIED._value.get() - retried, DROPPED._value.get() - dropped) == (1, 1)
    assert not any(trajectory.reward.drop_reason for trajectory in again.trajectories)
