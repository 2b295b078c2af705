"""Keys of the queue Redis and the states of the ledger."""

from __future__ import annotations

TASKS = "ew:tasks"
"""Stream of GroupTasks: jobs -> rollout."""
ROLLOUTS = "ew:rollouts"
"""Stream of Groups: rollout -> reward."""
SCORED = "ew:scored"
"""Stream of Groups: reward -> reference; unused where no reference log-probs are needed."""
READY = "ew:ready"
"""Stream of Groups: -> trainer (policy updates) or jobs (all else)."""
DEAD = "ew:dead"
"""Stream of work that went without a result too often, with the reason; for people, never consumed."""

STREAMS = (TASKS, ROLLOUTS, SCORED, READY)
"""The streams that carry work, in the order of a prompt's path."""

STATE_OF = {TASKS: "issued", ROLLOUTS: "rolled", SCORED: "scored", READY: "ready"}
"""The ledger's state while an ordinal lies in a stream. `used:{step}` and `dropped:{reason}` are its ends."""

CONSUMERS = "ew"
"""The one consumer group of each stream."""

RUN = "ew:run"
"""The run id that is current; absent when there is none."""

NEWEST = "ew:newest:"
"""Followed by the job: rank of its newest run. A trainer that was cut off and comes back has an older one."""

LEDGER = "ew:ledger:"
"""Followed by the run id: hash of ordinal -> state."""

COUNTS = "ew:counts:"
"""Followed by the run id: hash of state -> number of ordinals in it now."""

WORKER = "ew:worker:"
"""Followed by `{role}:{name}`: hash of what a worker says about itself."""

SHOWN = "ew:shown"
"""List of Groups, the newest first: a few of those that were scored, for people to look at."""

LEARNED = "ew:learned"
"""List of Groups without texts, the newest first: those that a policy has learned from last."""

CARRIED = "ew:carried"
"""List of Passages, the newest first: how the newest weight versions were published and loaded."""
