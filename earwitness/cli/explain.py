"""The command `explain`: what bounds a job's speed, and what keeps it from learning."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from earwitness.cli.figures import clock, number
from earwitness.cli.jobs import JobId
from earwitness.cli.terminal import out
from earwitness.cli.where import Where, finds_mesh
from earwitness.explain import ExplainedPhase, Speed, explain


@finds_mesh
def explain_job(
    job_id: JobId,
    as_json: Annotated[bool, typer.Option("--json", help="Every figure, as one JSON object.")] = False,
    *,
    where: Where,
) -> None:
    """Say why a job is slow, and why it does not learn.

    From the figures of its steps so far; the rules stand in docs/watching.md.

    Examples:

        earwitness explain quickstart-1a2b3c

        earwitness explain quickstart-1a2b3c --json
    """
    with where.connect() as mesh:
        found = explain(mesh.events(job_id))
    if as_json:
        out.print_object({**asdict(found), "words": [p.speed.words if p.speed else "" for p in found.phases]})
        return
    if found.seconds:
        out.print("phases: " + ", ".join(f"{part} {clock(seconds)}" for part, seconds in found.seconds.items()))
    if not found.phases:
        out.print("no step of RL has been taken yet: nothing to explain")
    for phase in found.phases:
        _show(phase)


def _show(phase: ExplainedPhase) -> None:
    out.print(f"\nstage {phase.stage_index + 1}, {phase.stage_type} {phase.name}, {phase.steps} steps", style="bold")
    if phase.speed is not None:
        _show_speed(phase.speed)
    if len(phase.groups) > 1:
        out.print("groups: " + ", ".join(f"{what} {count:.0f}" for what, count in phase.groups.items()))
    for finding in phase.trouble:
        out.print(f"trouble: {finding.words}", style="yellow")
        out.print(f"  try: {finding.advice}")
    if not phase.trouble:
        out.print("no trouble with learning")


def _show_speed(speed: Speed) -> None:
    out.print(f"bound: {speed.words}", style="yellow")
    parts = ", ".join(f"{part} {share:.0%}" for part, share in speed.parts.items() if share >= 0.005)
    out.print(f"a step takes {number(speed.step_seconds)} s (mean of {speed.steps}): {parts}")
    out.print("a group's seconds: " + ", ".join(f"{where} {number(of)}" for where, of in speed.life.items()))
    out.print("idle: " + ", ".join(f"{who} {share:.0%}" for who, share in speed.idle.items()))
    out.print(f"KV cache: {speed.kv_use:.0%} of a rollout worker's is needed")
    sync = speed.weight_sync
    out.print(
        f"weights: {number(sync['seconds'])} s and {sync['bytes'] / 1e6:.3g} MB a version, {sync['whole']:.0%} whole; "
        f"staleness {speed.staleness:.2g}"
    )
    if speed.has_tail:
        out.print(f"tail: the longest generation of a step takes {speed.tail:.1f} times the mean")
