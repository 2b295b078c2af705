"""Gathers what a job left behind and writes report.json and report.html into its folder."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from earwitness import artifacts
from earwitness.jobs.context import RunningJob
from earwitness.jobs.preparing import think_end
from earwitness.jobs.report.compare import REPORT, STEPS, steps_to
from earwitness.jobs.report.figures import Evaluation, Milestones, by_control, figures, thinking
from earwitness.jobs.report.page import render
from earwitness.jobs.report.provenance import provenance
from earwitness.recipe.schema.reinforcement import Reinforcement
from earwitness.recipe.stages.base import BENCHMARK, BENCHMARKS
from earwitness.series import StepsByPhase, steps_of
from earwitness.wire.jobs.v1 import jobs_pb2

INSTALL_VARIABLE = "EW_INSTALL_SECONDS_FILE"
"""Names a file with the seconds that the installation took; written by the set-up, if at all."""


SHARES = ("accuracy", "supported_share", "coverage", "surrogate_share", "incoherent_share", "denial_share")
SHOWN = (*SHARES, "think_tokens", "logprob_gap", "seconds")
"""Parts of report.json that the job's last event carries, for clients that cannot read its folder."""


async def write_report(job: RunningJob) -> None:
    """Write both files; made again they replace the old ones."""
    events = await job.store.all_events(job.record.job_id)
    await asyncio.to_thread(_write, job, events)


def report_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a report by dotted name; bounds of 95 % intervals end in `.low` and `.high`."""
    flat: dict[str, float] = {}
    for part in SHOWN:
        value = report.get(part)
        named: Mapping[str, Any] = value if isinstance(value, Mapping) else {"": value}
        for name, figure in named.items():
            if name == "interval":
                for of, bounds in figure.items():
                    if bounds:
                        flat[f"{part}.{of}.low"], flat[f"{part}.{of}.high"] = bounds
            elif figure is not None:
                flat[f"{part}.{name}".rstrip(".")] = float(figure)
    return flat


def _write(job: RunningJob, events: list[jobs_pb2.Event]) -> None:
    record = job.record
    evaluations = _evaluations(job)
    plain = [evaluation for evaluation, control in evaluations if not control]
    bounded = [evaluation for evaluation in plain if evaluation.think_budget is not None]
    extended = [evaluation for evaluation in plain if evaluation.extended]
    greedy = [evaluation for evaluation in plain if evaluation.greedy]
    sounding = [evaluation for evaluation in plain if evaluation not in (*bounded, *extended, *greedy)]
    controls = {control: evaluation for evaluation, control in evaluations if control}
    cold_start = sounding[0] if len(sounding) > 1 else None
    final = sounding[-1] if sounding else None
    steps = steps_of(events)
    distilled = _before_reinforcement(job, sounding, steps)
    taken = [step for of in steps.values() for step in of.values()]
    total = time.time() - record.started_at
    report: dict[str, Any] = {
        **figures(
            Milestones(cold_start, distilled, final, controls),
            taken,
            record.seconds,
            _install_seconds(),
            total,
        ),
        "evaluations": {e.name: e.accuracy() for e in sounding},
        "samples": {"cold_start": cold_start.file if cold_start else "", "final": final.file if final else ""},
        "denials": {e.name: e.denial_share() for e in sounding},
        "pass_at": {e.name: e.pass_at() for e in sounding},
        "controls": by_control([of for of in evaluations if of[1]]),
        "greedy": {e.name: e.accuracy() for e in greedy},
        "headroom": _headroom(job),
        "thinking": thinking(bounded),
        "extended": thinking(extended),
        "benchmarks": _benchmarks(job),
        "rounds": _rounds(job, sounding),
        "stages": _stages(job),
        "ledger": record.ledgers,
        "provenance": provenance(job.recipe.data),
        "job": {
            "job_id": record.job_id,
            "name": record.name,
            "started_at": record.started_at,
            "weight_version": record.version,
            "lineage": record.lineage,
        },
        "config": job.submitted_recipe.model_dump(mode="json"),
    }
    artifacts.write_json(record.path(REPORT), report)
    artifacts.write_text(record.path(STEPS), steps_to(steps))
    artifacts.write_text(record.path("report.html"), render(report, steps, sounding, cold_start, final))


def _benchmarks(job: RunningJob) -> dict[str, Any]:
    """What evaluations of public benchmarks came to, by the stage's name."""
    found = {}
    for index, stage in enumerate(job.recipe.stages):
        file = job.record.path(BENCHMARKS, str(index), BENCHMARK)
        if artifacts.exists(file):
            found[stage.evaluation(stage.phases()[0])] = artifacts.read_json(file)
    return found


def _evaluations(job: RunningJob) -> list[tuple[Evaluation, str]]:
    """Each with the control that it is; empty for none."""
    end = think_end(job.record.model_uri)
    found = []
    for phase in job.phases:
        stage = job.recipe.stages[phase.stage_index]
        if phase.stage_type and (name := stage.evaluation(phase.name)):
            file = f"samples/{phase.slug}.jsonl"
            if not artifacts.exists(job.record.path(file)):  # of a round that was not gone through
                continue
            groups = artifacts.read_groups(job.record.path(file))
            changed = (stage.think_tokens(phase.name), stage.extends(phase.name), stage.is_greedy(phase.name))
            found.append((Evaluation(name, groups, end, file, *changed), stage.control(phase.name)))
    return found


def _headroom(job: RunningJob) -> dict[str, dict[str, float]]:
    """The chance that one of k samples is right about the prompts that a stage learns from, before it does: by the
    stage's type and place, from 1."""
    found = {}
    for phase in job.phases:
        file = job.record.path(f"samples/{phase.slug}.jsonl")
        if phase.stage_type and job.recipe.stages[phase.stage_index].headroom(phase.name) and artifacts.exists(file):
            groups = [group for group in artifacts.read_groups(file) if group.trajectories]
            found[f"{phase.stage_type} {phase.stage_index + 1}"] = Evaluation("", groups, ()).pass_at()
    return found


def _rounds(job: RunningJob, sounding: Sequence[Evaluation]) -> list[dict[str, int | float]]:
    """What the files of each round's stages tell, and the accuracy of its evaluations; no more than its number for a
    round that was not gone through."""

    scored = {e.name: e.accuracy() for e in sounding}
    rounds: dict[int, dict[str, int | float]] = {}
    for index, stage in enumerate(job.recipe.stages):
        if not stage.round:
            continue
        of = rounds.setdefault(stage.round, {"round": stage.round})
        of |= stage.figures(index, partial(_read, job))
        for phase in stage.phases():
            name = stage.evaluation(phase)
            if (accuracy := scored.get(name)) is not None:
                of[name.removesuffix(f"_{stage.round}")] = accuracy
    return list(rounds.values())


def _stages(job: RunningJob) -> list[dict[str, Any]]:
    """What the files of each stage in no round tell of what it sampled, kept and selected, by its place and type."""
    stages = ((i, stage) for i, stage in enumerate(job.recipe.stages) if not stage.round)
    found = [(i, stage, stage.figures(i, partial(_read, job))) for i, stage in stages]
    return [{"stage": index, "type": stage.type, **figures} for index, stage, figures in found if figures]


def _read(job: RunningJob, file: str) -> Any:
    """A JSON file of the job; None where there is none."""
    uri = job.record.path(file)
    return artifacts.read_json(uri) if artifacts.exists(uri) else None


def _before_reinforcement(job: RunningJob, sounding: Sequence[Evaluation], steps: StepsByPhase) -> Evaluation | None:
    """The last evaluation before the last stage that has reinforced, if there is one after it."""
    taken = [p for p in job.phases if (p.stage_index, p.stage_type, p.name) in steps]
    trained = ((p.slug, job.recipe.stages[p.stage_index].training(p.name)) for p in taken)
    reinforced = [slug for slug, training in trained if isinstance(training, Reinforcement)]
    slugs = [phase.slug for phase in job.phases]
    before = [e for e in sounding if reinforced and slugs.index(Path(e.file).stem) < slugs.index(reinforced[-1])]
    return before[-1] if before and before[-1] is not sounding[-1] else None


def _install_seconds() -> float | None:
    file = os.environ.get(INSTALL_VARIABLE, "")
    if not file or not Path(file).is_file():
        return None
    return float(Path(file).read_text().split()[0])
