"""What can happen to a job, and what its record is after that: the only way in which a record changes.

A change says what happened, not which fields to set; `apply` is pure, so a record is the sum of what happened to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from earwitness.jobs.phases import Phase
from earwitness.jobs.record import JobRecord
from earwitness.jobs.states import State, may_become
from earwitness.recipe.stages.base import Learned


@dataclass(frozen=True)
class Started:
    """The mesh has taken it up."""

    at: float


@dataclass(frozen=True)
class DataKnown:
    """Its manifests are there."""

    manifests: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """Data and model are there."""

    manifests: Mapping[str, str]
    model_uri: str


@dataclass(frozen=True)
class Running:
    """Its preparation is done."""


@dataclass(frozen=True)
class Published:
    """Workers were given a weight version."""

    version: int


@dataclass(frozen=True)
class Sampled:
    """So many groups of a pass are through."""

    groups: int
    of: int
    seconds_left: float


@dataclass(frozen=True)
class RunClosed:
    """A run is over: how many ordinals were used, and dropped by reason."""

    run_id: str
    ledger: Mapping[str, int]
    groups: int | None = None
    """All of them, where groups are the phase's steps; None where steps are the trainer's."""


@dataclass(frozen=True)
class TrainerSeen:
    """Where the trainer stands in the phase. `lineage` and `version` are those of its run, None without one."""

    step: int
    steps: int
    seconds_left: float
    lineage: int | None = None
    version: int | None = None


@dataclass(frozen=True)
class StepTold:
    """The figures of a step stand in the events."""

    step: int


@dataclass(frozen=True)
class WentBack:
    """The trainer goes on from an earlier step; later ones will be taken again, and told again."""

    step: int


@dataclass(frozen=True)
class InTrouble:
    """These rules of `explain` hold in its phase now, and no others."""

    rules: tuple[str, ...]


@dataclass(frozen=True)
class PhaseDone:
    """A phase is done, and the next begins; none after the last."""

    phase: Phase
    seconds: float
    """That it took, pauses not counted."""
    at: float
    following: Phase | None
    outcome: Learned | Prepared | None = None


@dataclass(frozen=True)
class Paused:
    """A person holds it."""

    at: float


@dataclass(frozen=True)
class Resumed:
    """It goes on."""

    at: float


@dataclass(frozen=True)
class Ended:
    """Nothing will happen any more. `reason` is what people read."""

    state: State
    at: float
    reason: str = ""


Change = (
    Started
    | DataKnown
    | Prepared
    | Running
    | Published
    | Sampled
    | RunClosed
    | TrainerSeen
    | StepTold
    | WentBack
    | InTrouble
    | PhaseDone
    | Paused
    | Resumed
    | Ended
)


def apply(record: JobRecord, *changes: Change) -> JobRecord:
    """The record after `changes`, in order. What the state machine does not have is a bug and raises ValueError."""
    for change in changes:
        changed = _after(record, change)
        if not may_become(record.state, changed.state):
            raise ValueError(f"{record.job_id}: {record.state} cannot become {changed.state}")
        record = changed
    return record


def _after(r: JobRecord, change: Change) -> JobRecord:
    match change:
        case Started(at):
            return replace(r, state=State.STARTING, phase="prepare", started_at=at, phase_started_at=at)
        case DataKnown(manifests):
            return replace(r, manifests=dict(manifests))
        case Prepared(manifests, model_uri):
            return replace(r, manifests=dict(manifests), model_uri=model_uri)
        case Running():
            return replace(r, state=State.RUNNING)
        case Published(version):
            return replace(r, published=version)
        case Sampled(groups, of, seconds_left):
            return replace(r, step=groups, steps=of, seconds_left=seconds_left)
        case RunClosed(run_id, ledger, groups):
            r = replace(r, ledgers={**r.ledgers, run_id: dict(ledger)})
            return r if groups is None else replace(r, step=groups, steps=groups, seconds_left=0.0)
        case TrainerSeen(step, steps, seconds_left, lineage, version):
            r = replace(r, step=step, steps=steps, seconds_left=seconds_left)
            if lineage is None or version is None:
                return r
            return replace(r, lineage=lineage, published=max(r.version, version))
        case StepTold(step):
            return replace(r, step=step, after_step=step)
        case WentBack(step):
            return replace(r, after_step=step)
        case InTrouble(rules):
            return replace(r, trouble=list(rules))
        case PhaseDone():
            return _phase_done(r, change)
        case Paused(at):
            return replace(r, state=State.PAUSED, paused_at=at)
        case Resumed(at):
            paused = r.paused_seconds + at - r.paused_at
            return replace(r, state=State.RUNNING, paused_seconds=paused, paused_at=0.0)
        case Ended(state, at, reason):
            return replace(r, state=state, reason=reason, ended_at=at, seconds_left=0.0)


def _phase_done(r: JobRecord, done: PhaseDone) -> JobRecord:
    match done.outcome:
        case Prepared() as prepared:
            r = _after(r, prepared)
        case Learned(checkpoint_uri, updates, lineage):
            r = replace(r, checkpoint_uri=checkpoint_uri, version=r.version + updates)
            r = r if lineage is None else replace(r, lineage=lineage)
    part = done.phase.part
    r = replace(r, seconds={**r.seconds, part: r.seconds.get(part, 0.0) + done.seconds})
    if done.following is None:
        return r
    return replace(
        r,
        cursor=r.cursor + 1,
        stage_index=done.following.stage_index,
        stage_type=done.following.stage_type,
        phase=done.following.name,
        step=0,
        steps=0,
        after_step=0,
        seconds_left=-1.0,
        trouble=[],
        phase_started_at=done.at,
        paused_seconds=0.0,
    )
