"""Scorers that hang, die or raise, to run in a scoring process."""

from __future__ import annotations

import os
import time

from earwitness.wire.trajectory.v1 import trajectory_pb2


def faulty(data: bytes) -> bytes:
    """Scores every trajectory as correct, unless a text of the group says what should go wrong."""
    group = trajectory_pb2.Group.FromString(data)
    for trajectory in group.trajectories:
        if trajectory.text == "hang":
            time.sleep(600)
        if trajectory.text == "die":
            os._exit(9)
        if trajectory.text == "raise":
            raise RuntimeError("on purpose")
        trajectory.reward.CopyFrom(trajectory_pb2.Reward(total=1.0, correct=True))
    return group.SerializeToString()
