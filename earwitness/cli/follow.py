"""Shows a job while it runs: a live line on a terminal, plain lines elsewhere, and the table at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from earwitness.cli.figures import clock, number
from earwitness.cli.table import final_table
from earwitness.client import TERMINAL, state_name
from earwitness.metrics import LINE, PART, metric_of
from earwitness.printable import clean
from earwitness.wire.jobs.v1 import jobs_pb2

PLAIN_SECONDS = 5.0
"""Fewest seconds between two step lines where there is no terminal: a log should stay readable."""

RATE_WINDOW_SECONDS = 30.0
"""A rate over this long follows changes and does not flicker."""

MOST_SHOWN = 5
"""Figures that a line has room for."""


@dataclass(frozen=True)
class _Mark:
    """Where a phase stood when."""

    phase: tuple[int, str]
    step: int
    time: float


class Rate:
    """Steps per second of the current phase, from events."""

    def __init__(self) -> None:
        self._marks: list[_Mark] = []

    def add(self, job: jobs_pb2.Job, time: float) -> None:
        """Take notice of a job at `time` (seconds)."""
        mark = _Mark((job.stage_index, job.phase), job.step, time)
        if self._marks and (self._marks[-1].phase != mark.phase or self._marks[-1].step > mark.step):
            self._marks = []
        self._marks = [m for m in self._marks if time - m.time <= RATE_WINDOW_SECONDS] + [mark]

    def __call__(self) -> float:
        """Steps per second; 0 if not known yet."""
        first, last = (self._marks[0], self._marks[-1]) if self._marks else (None, None)
        if first is None or last is None or last.time <= first.time:
            return 0.0
        return (last.step - first.step) / (last.time - first.time)


STEPS = ("step", "sample")
"""Kinds of event that only say how far a phase is."""


def step_line(job: jobs_pb2.Job, rate: float, figures: dict[str, float]) -> str:
    """One line: stage, phase, step of steps, rate, time left, key figures."""
    parts = [f"[{job.stage_index + 1}/{job.stages}] {job.stage_type} {job.phase}".rstrip()]
    parts.append(f"{job.step}/{job.steps}" if job.steps else f"{job.step}")
    if rate > 0:
        parts.append(f"{rate:.1f}/s" if rate >= 1 else f"{1 / rate:.1f} s/step")
    if job.seconds_left >= 0 and job.steps:
        parts.append(f"{clock(job.seconds_left)} left")
    wanted = [*LINE, *sorted(name for name in figures if name.startswith(PART))]
    shown = [metric for name in wanted if name in figures and (metric := metric_of(name))][:MOST_SHOWN]
    parts += [f"{metric.label} {number(figures[metric.name])}" for metric in shown]
    return "  ".join(parts)


def follow(events: Iterable[jobs_pb2.Event], console: Console) -> jobs_pb2.Job | None:
    """Show events until they end; returns the job as it is then, or None if there was no event."""
    rate, figures, last_plain, started = Rate(), dict[str, float](), 0.0, 0.0
    report: dict[str, float] = {}
    job: jobs_pb2.Job | None = None
    phase: tuple[int, str] | None = None
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
    if live:
        live.start()
    try:
        for event in events:
            job, started = event.job, started or event.time
            if phase != (job.stage_index, job.phase):
                phase, figures, last_plain = (job.stage_index, job.phase), {}, 0.0
            rate.add(job, event.time)
            metrics = {m.name: m.value for m in event.metrics}
            stamp = f"{clock(event.time - started):>7}  "
            if event.kind in STEPS:
                figures.update(metrics)
                due = event.time - last_plain >= PLAIN_SECONDS or (job.steps and job.step >= job.steps)
                if not live and due:
                    last_plain = event.time
                    console.print(stamp + step_line(job, rate(), figures))
            else:
                if event.kind == "report":
                    report = metrics
                if event.message:
                    console.print(stamp + event.message)
            if live:
                live.update(Text(clean(stamp + step_line(job, rate(), figures))))
    finally:
        if live:
            live.stop()
    if report:
        console.print(final_table(report))
    return job


def conclusion(job: jobs_pb2.Job) -> tuple[str, int]:
    """(last words, exit status) for a job."""
    if job.state == jobs_pb2.JOB_STATE_SUCCEEDED:
        return job.output_uri.removeprefix("file://"), 0
    if job.state in TERMINAL:
        return f"job {job.job_id} {state_name(job.state)}: {job.reason or 'no reason given'}", 1
    return f"job {job.job_id} is {state_name(job.state)}", 0
