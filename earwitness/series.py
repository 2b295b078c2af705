"""Curves from the events of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from earwitness.wire.jobs.v1 import jobs_pb2

Steps = dict[int, dict[str, float]]
"""Figures by step."""

StepsByPhase = Mapping[tuple[int, str, str], Steps]
"""Steps by (stage index, stage type, phase)."""

Curve = list[tuple[float, float]]
"""(step, value), by step."""


def steps_of(events: Iterable[jobs_pb2.Event]) -> dict[tuple[int, str, str], Steps]:
    """Figures of every trainer step by (stage index, stage type, phase).

    A step taken again after a restart replaces what was told before: only the surviving lineage counts.
    """
    found: dict[tuple[int, str, str], Steps] = {}
    for event in events:
        if event.kind == "step":
            key = (event.job.stage_index, event.job.stage_type, event.job.phase)
            found.setdefault(key, {})[event.job.step] = {m.name: m.value for m in event.metrics}
    return found


def curve(steps: Steps, name: str) -> Curve:
    """One figure over the steps that have it."""
    return [(float(step), steps[step][name]) for step in sorted(steps) if name in steps[step]]
