"""The work plane: tasks and groups of trajectories, on their way from station to station through the queue Redis.

**Durable:** the streams (work and who has it), the run that is current, and the ledger, which says for each ordinal
what became of it. They live as long as the queue Redis's disk does; with its append-only file written every second,
a crash of the server may lose the last second: lost work is issued again, nothing is used twice, because what was
used is also part of the trainer's checkpoint.

**Owners:** whoever consumes the end of a pass opens and closes its run (the trainer for policy updates, the jobs
service for all others); the jobs service issues; the station that hands on owns the step it makes. Every change is
one Lua script, so a process killed at any point has either made it wholly or not at all; repeating one is harmless.

**Not promised:** order between ordinals; that work is done only once (it may be, twice; its *result* counts once);
survival of presence (`announce`) or of the payloads of a run that is no longer current.
"""

from earwitness.queue.client import AsyncQueue, Queue
from earwitness.queue.names import DEAD, READY, ROLLOUTS, SCORED, STREAMS, TASKS
from earwitness.queue.values import (
    AlreadyUsedError,
    Announced,
    Counts,
    PayloadTooLargeError,
    StaleRunError,
    Taken,
    arrival,
)

__all__ = [
    "DEAD",
    "READY",
    "ROLLOUTS",
    "SCORED",
    "STREAMS",
    "TASKS",
    "AlreadyUsedError",
    "Announced",
    "AsyncQueue",
    "Counts",
    "PayloadTooLargeError",
    "Queue",
    "StaleRunError",
    "Taken",
    "arrival",
]
