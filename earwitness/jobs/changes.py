"""What can happen to a job, and what its record is after that: the only way in which a record changes.

A change says what happened, in the record's words where it holds just that; `apply` is pure, so a record is the sum of
what happened to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from earwitness.jobs.phases import Phase
from earwitness.jobs.record import JobRecord
from earwitness.jobs.states import State, may_become
from earwitness.recipe.stages.base import Learned


class Change:
    """Something that happened."""

    def after(self, r: JobRecord) -> JobRecord:
        """The record `r` after it. Unless something else is said, fields of the change have names of the record's."""
        return replace(r, **vars(self))


@dataclass(frozen=True)
class Started(Change):
    """The mesh has taken it up."""

    at: float

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, state=State.STARTING, phase="prepare", started_at=self.at, phase_started_at=self.at)


@dataclass(frozen=True)
class DataKnown(Change):
    """Its manifests are there."""

    manifests: dict[str, str]


@dataclass(frozen=True)
class Prepared(Change):
    """Data and model are there."""

    manifests: dict[str, str]
    model_uri: str


@dataclass(frozen=True)
class Running(Change):
    """Its preparation is done."""

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, state=State.RUNNING)


@dataclass(frozen=True)
class Published(Change):
    """Workers were given a weight version."""

    published: int


@dataclass(frozen=True)
class Sampled(Change):
    """So many groups of a pass are through."""

    step: int
    steps: int
    seconds_left: float


@dataclass(frozen=True)
class RunClosed(Change):
    """A run is over: how many ordinals were used, and dropped by reason."""

    run_id: str
    ledger: Mapping[str, int]
    groups: int | None = None
    """All of them, where groups are the phase's steps; None where steps are the trainer's."""

    def after(self, r: JobRecord) -> JobRecord:
        r = replace(r, ledgers={**r.ledgers, self.run_id: dict(self.ledger)})
        return r if self.groups is None else replace(r, step=self.groups, steps=self.groups, seconds_left=0.0)


@dataclass(frozen=True)
class TrainerSeen(Change):
    """Where the trainer stands in the phase. `lineage` and `version` are those of its run, None without one."""

    step: int
    steps: int
    seconds_left: float
    lineage: int | None = None
    version: int | None = None

    def after(self, r: JobRecord) -> JobRecord:
        r = replace(r, step=self.step, steps=self.steps, seconds_left=self.seconds_left)
        if self.lineage is None or self.version is None:
            return r
        return replace(r, lineage=self.lineage, published=max(r.version, self.version))


@dataclass(frozen=True)
class StepTold(Change):
    """The figures of a step stand in the events."""

    step: int

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, step=self.step, after_step=self.step)


@dataclass(frozen=True)
class WentBack(Change):
    """The trainer goes on from an earlier step; later ones will be taken again, and told again."""

    after_step: int


@dataclass(frozen=True)
class InTrouble(Change):
    """These rules of `explain` hold in its phase now, and no others."""

    rules: tuple[str, ...]

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, trouble=list(self.rules))


@dataclass(frozen=True)
class PhaseDone(Change):
    """A phase is done, and the next begins; none after the last."""

    phase: Phase
    seconds: float
    """That it took, pauses not counted."""
    at: float
    following: Phase | None
    outcome: Learned | Prepared | None = None

    def after(self, r: JobRecord) -> JobRecord:
        match self.outcome:
            case Prepared() as prepared:
                r = prepared.after(r)
            case Learned(checkpoint_uri, updates, lineage):
                r = replace(r, checkpoint_uri=checkpoint_uri, version=r.version + updates)
                r = r if lineage is None else replace(r, lineage=lineage)
        part = self.phase.part
        r = replace(r, seconds={**r.seconds, part: r.seconds.get(part, 0.0) + self.seconds})
        if self.following is None:
            return r
        return replace(
            r,
            cursor=r.cursor + 1,
            stage_index=self.following.stage_index,
            stage_type=self.following.stage_type,
            phase=self.following.name,
            step=0,
            steps=0,
            after_step=0,
            seconds_left=-1.0,
            trouble=[],
            phase_started_at=self.at,
            paused_seconds=0.0,
        )


@dataclass(frozen=True)
class Paused(Change):
    """A person holds it."""

    at: float

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, state=State.PAUSED, paused_at=self.at)


@dataclass(frozen=True)
class Resumed(Change):
    """It goes on."""

    at: float

    def after(self, r: JobRecord) -> JobRecord:
        paused = r.paused_seconds + self.at - r.paused_at
        return replace(r, state=State.RUNNING, paused_seconds=paused, paused_at=0.0)


@dataclass(frozen=True)
class Ended(Change):
    """Nothing will happen any more. `reason` is what people read."""

    state: State
    at: float
    reason: str = ""

    def after(self, r: JobRecord) -> JobRecord:
        return replace(r, state=self.state, reason=self.reason, ended_at=self.at, seconds_left=0.0)


def apply(record: JobRecord, *changes: Change) -> JobRecord:
    """The record after `changes`, in order. What the state machine does not have is a bug and raises ValueError."""
    for change in changes:
        changed = change.after(record)
        if not may_become(record.state, changed.state):
            raise ValueError(f"{record.job_id}: {record.state} cannot become {changed.state}")
        record = changed
    return record
