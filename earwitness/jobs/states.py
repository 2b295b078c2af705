"""The state machine of a job, as pure functions.

    QUEUED -> STARTING -> RUNNING <-> PAUSED
    RUNNING -> SUCCEEDED; QUEUED, STARTING, RUNNING, PAUSED -> CANCELLED; STARTING, RUNNING, PAUSED -> FAILED

What a person wants (`Wish`) stands beside the state: the API writes wishes, the runner alone writes states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, cast

from earwitness.wire.jobs.v1 import jobs_pb2


class State(StrEnum):
    """Where a job stands; the names of the wire without their prefix."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def wire(self) -> jobs_pb2.JobState:
        """The enum of the wire."""
        return cast(jobs_pb2.JobState, jobs_pb2.JobState.Value(f"JOB_STATE_{self.value}"))

    @property
    def ended(self) -> bool:
        """True if nothing will happen any more."""
        return not NEXT[self]


Wish = Literal["", "pause", "cancel"]
"""What a person asked for; empty: go on."""

NEXT: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    State.STARTING: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
    State.PAUSED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


def may_become(state: State, successor: State) -> bool:
    """True if a job may go from `state` to `successor`; staying is always allowed."""
    return state is successor or successor in NEXT[state]


Action = Literal["start", "work", "stop for pause", "wait", "go on", "stop for cancel", "nothing"]
"""What the runner does next."""


def next_action(state: State, wish: Wish) -> Action:
    """What the runner does with a job in `state` whose person wants `wish`.

    A job that is STARTING finishes its preparation before it pauses: there is nothing to hold yet.
    """
    if state.ended:
        return "nothing"
    if wish == "cancel":
        return "stop for cancel"
    if state is State.QUEUED:
        return "start"
    if state is State.PAUSED:
        return "wait" if wish == "pause" else "go on"
    if state is State.RUNNING and wish == "pause":
        return "stop for pause"
    return "work"


def refusal(state: State, call: Literal["pause", "resume", "cancel"]) -> str:
    """Why `call` is not possible in `state`; empty if it is."""
    if call == "cancel":
        return f"the job has ended ({state})" if state in (State.SUCCEEDED, State.FAILED) else ""
    held = (State.STARTING, State.RUNNING, State.PAUSED)
    return "" if state in held else f"cannot {call} a job that is {state}; it must be one of {', '.join(held)}"
