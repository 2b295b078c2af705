"""A job's events, explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from earwitness.explain.learning import Finding, Seen, findings
from earwitness.explain.speed import Speed, speed_of
from earwitness.explain.window import Window
from earwitness.metrics import ACCURACY, DROPPED
from earwitness.series import steps_of
from earwitness.wire.jobs.v1 import jobs_pb2

USED = "groups.used"


@dataclass(frozen=True)
class ExplainedPhase:
    """One phase that had groups."""

    stage_index: int
    stage_type: str
    name: str
    steps: int
    speed: Speed | None
    groups: dict[str, float]
    """`used`, and the number of dropped ones by reason."""
    trouble: list[Finding]
    """Most basic first."""


@dataclass(frozen=True)
class Explained:
    """A job."""

    job_id: str
    seconds: dict[str, float]
    """Of ended phases, by the type of their stage."""
    phases: list[ExplainedPhase]


def explain(events: Sequence[jobs_pb2.Event]) -> Explained:
    """What a job's events say of its speed and of its learning."""
    seconds: dict[str, float] = {}
    groups: dict[tuple[int, str, str], dict[str, float]] = {}
    evaluations: list[tuple[int, float]] = []
    for event in events:
        told = {metric.name: metric.value for metric in event.metrics}
        if event.kind == "stage":
            seconds |= {n.removeprefix("seconds."): value for n, value in told.items() if n.startswith("seconds.")}
            if ACCURACY in told:
                evaluations.append((event.job.stage_index, told[ACCURACY]))
        if event.kind == "drop" and (told.get("groups.dropped") or told.get(USED)):  # each tells of all so far
            reasons = {name.removeprefix(DROPPED): n for name, n in told.items() if name.startswith(DROPPED)}
            key = (event.job.stage_index, event.job.stage_type, event.job.phase)
            groups[key] = {"used": told.get(USED, 0.0), **reasons}
    phases = []
    steps = steps_of(events)
    for key in sorted({*steps, *groups}):
        taken, outcomes = steps.get(key, {}), groups.get(key, {})
        if (speed := speed_of(taken)) is not None or outcomes:
            trouble = findings(Seen(Window(taken), outcomes, _around(key[0], evaluations)))
            phases.append(ExplainedPhase(*key, len(taken), speed, outcomes, trouble))
    return Explained(events[-1].job.job_id if events else "", seconds, phases)


def _around(stage_index: int, evaluations: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """Held-out accuracy before and after a stage; None if it was not evaluated on both sides."""
    before = [accuracy for index, accuracy in evaluations if index < stage_index]
    after = [accuracy for index, accuracy in evaluations if index > stage_index]
    return (before[-1], after[0]) if before and after else None
