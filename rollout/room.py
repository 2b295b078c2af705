"""How many more groups fit in the KV cache, as a pure state machine.

A group needs its prompt once, since its samples share it, and each sample's response. How long responses get is not
known beforehand: what lately finished says it, and the longest that is allowed as long as nothing has. Should all the
same more be needed than there is, vLLM takes the youngest sample out and computes it again later: slower, never wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BLOCK_TOKENS

RECENT = 256
"""Finished trajectories that say how long responses get: a few groups, so that a new stage is soon known."""
LONG = 0.9
"""The response that is planned for is longer than this share of the recent ones."""


class Room:
    """Knows what finished groups needed."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._prompt = 1

    def finished(self, group: trajectory_pb2.Group) -> None:
        """Learns from a group that is done."""
        self._recent.extend(len(trajectory.token_ids) for trajectory in group.trajectories)
        self._prompt = max(self._prompt, len(group.prompt_token_ids))

    def groups(self, kv_tokens: int, running: Sequence[trajectory_pb2.GroupTask]) -> int:
        """Groups that fit beside those `running`, if they are like the largest of them; one fits always in an engine
        that has nothing to do."""
        if not running:
            return 1
        needs = [self.need(task) for task in running]
        return max(0, kv_tokens - sum(needs)) // max(needs)

    def need(self, task: trajectory_pb2.GroupTask) -> int:
        """Tokens of cache that a group is expected to need."""
        longest = task.sampling.max_tokens
        known = sorted(self._recent)
        response = min(longest, known[int(LONG * len(known))]) if known else longest
        # a response's last block is partly empty
        return self._prompt + task.sampling.samples * (response + BLOCK_TOKENS)
