"""A benchmark that was sampled on the mesh: files of answers as its own program takes them, and our row beside others'.

Run r of a benchmark is the r-th sample of each of its prompts: as many seeds as samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from earwitness import artifacts
from earwitness.chat import split_response
from earwitness.errors import InputError
from earwitness.jobs.report.sample_page import render_mistakes
from earwitness.jobs.report.stats import Interval, wilson
from earwitness.manifest import read_manifest
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from reward.benchmarks.figures import Figures, score_rows
from reward.benchmarks.registry import BENCHMARKS
from reward.benchmarks.rows import Row

PUBLISHED = Path(__file__).with_name("published") / "results.json"
_AS_LIST = ("mmau",)
"""Benchmarks whose own program reads one JSON list; the others read JSON lines."""


@dataclass(frozen=True)
class Measured:
    """Our row. Shares in percent, means over the runs; intervals are Wilson's at 95 % over the rows, as of one run."""

    benchmark: str
    runs: int
    rows: int
    answered: float
    """Rows with an answer, mean over the runs."""
    strict: float
    strict_interval: Interval
    official: float | None
    """By the published rule over the rows that it counts."""
    official_interval: Interval | None
    official_of_all: float | None
    """By the published rule, what it does not count taken as wrong."""
    categories: dict[str, float]
    """Strict, by category."""
    answers: list[str]
    """Files of answers, one a run."""
    first_audio: dict[str, float] | None = None
    """Of questions that were put aloud: seconds from their last sample to the first of the answer, `p50` and `p95`."""


def measure(name: str, manifest: str, samples: str, records: Mapping[str, Mapping[str, Any]], folder: str) -> Measured:
    """Writes the answers of each run and a page of what went wrong under `folder`, and scores them.

    `samples`: the groups of an evaluation of `manifest`; `records`: the benchmark's own rows by id. Raises InputError.
    """
    rows = [Row(example.prompt, example.prompt.kind) for example in read_manifest(manifest)]
    groups = {group.task.prompt.id: group for group in artifacts.read_groups(samples)}
    runs = max((len(group.trajectories) for group in groups.values()), default=0)
    if not runs:
        raise InputError(samples, "holds no samples", "what an evaluation has sampled")
    artifacts.write_text(f"{folder}/wrong.html", render_mistakes(name, list(groups.values())))
    suffix = "json" if name in _AS_LIST else "jsonl"
    files, figures = [], []
    for run in range(runs):
        uri = f"{folder}/answers-{run + 1}.{suffix}"
        artifacts.write_text(uri, _answers(name, rows, groups, records, run))
        files.append(uri)
        figures.append(score_rows(rows, uri, name))
    return _measured(name, figures, files)


def _answers(
    name: str,
    rows: Sequence[Row],
    groups: Mapping[str, wire.Group],
    records: Mapping[str, Mapping[str, Any]],
    run: int,
) -> str:
    """The benchmark's rows with an answer each, and the thinking before it; rows without one have none."""
    found = []
    for row in rows:
        record: dict[str, Any] = {"id": row.prompt.id, **records.get(row.prompt.id, {})}
        record.pop(BENCHMARKS[name].key, None)
        group = groups.get(row.prompt.id)
        trajectory = next((t for t in group.trajectories if t.index == run), None) if group else None
        if trajectory is not None:
            thinking, answer = split_response(trajectory.text)
            record |= {BENCHMARKS[name].key: answer, "thinking_prediction": thinking}
        found.append(json.dumps(record, ensure_ascii=False, default=str))
    lines = ",\n".join(found) if name in _AS_LIST else "\n".join(found)
    return f"[\n{lines}\n]\n" if name in _AS_LIST else f"{lines}\n"


def _measured(name: str, figures: Sequence[Figures], files: list[str]) -> Measured:
    totals = [figure.total for figure in figures]
    strict = fmean(total.strict for total in totals)
    official = [total.official for total in totals if total.official is not None]
    of_all = [total.official_of_all for total in totals if total.official_of_all is not None]
    counted = round(fmean(total.counted for total in totals))
    return Measured(
        benchmark=name,
        runs=len(figures),
        rows=totals[0].rows,
        answered=fmean(figure.answered for figure in figures),
        strict=strict,
        strict_interval=_interval(strict, totals[0].rows) or (0.0, 100.0),
        official=fmean(official) if official else None,
        official_interval=_interval(fmean(official), counted) if official else None,
        official_of_all=fmean(of_all) if of_all else None,
        categories={
            category: fmean(figure.categories[category].strict for figure in figures)
            for category in figures[0].categories
        },
        answers=files,
    )


def _interval(percent: float, rows: int) -> Interval | None:
    found = wilson(percent / 100, rows)
    return (100 * found[0], 100 * found[1]) if found else None


def published(name: str) -> tuple[list[tuple[str, float, str]], dict[str, str]]:
    """(model, percent, source's short name) of each published row, none for benchmarks that the papers do not have; and
    the sources by short name."""
    results = json.loads(PUBLISHED.read_text())
    return [(model, value, source) for model, value, source in results.get(name, [])], results["sources"]


def show(measured: Measured, left_out: int, *, as_json: bool, console: Console) -> None:
    """Our row beside the published ones, for a person or as JSON."""
    others, sources = published(measured.benchmark)
    if as_json:
        rows = [{"model": model, "percent": value, "source": sources[source]} for model, value, source in others]
        record = {**asdict(measured), "left_out": left_out, "published": rows}
        console.print(json.dumps(record), markup=False)
        return
    table = Table("", "percent", "95 %", "of", title=f"{measured.benchmark}, {measured.runs} run(s)")
    table.add_row("this model, strictly", f"{measured.strict:.1f}", _ends(measured.strict_interval), "all rows")
    if measured.official is not None and measured.official_of_all is not None:
        table.add_row(
            "by the published rule", f"{measured.official:.1f}", _ends(measured.official_interval), "rows it counts"
        )
        table.add_row("by the published rule", f"{measured.official_of_all:.1f}", "", "all rows")
    for category, value in measured.categories.items():
        table.add_row(f"  {category}, strictly", f"{value:.1f}", "", "")
    for model, value, source in others:
        table.add_row(model, f"{value:.1f}", "", source)
    if heard := measured.first_audio:
        table.add_row("seconds to the first sound", f"{heard['p50']:.2f}", f"p95 {heard['p95']:.2f}", "spoken answers")
    console.print(table)
    missing = measured.rows - measured.answered
    if missing:
        console.print(f"{missing:g} of {measured.rows} rows have no answer and count as wrong", markup=False)
    if left_out:
        console.print(f"{left_out} rows of the benchmark could not be used and count nowhere", markup=False)
    for source in dict.fromkeys(source for _, _, source in others):
        console.print(f"{source}: {sources[source]}", markup=False)
    for uri in measured.answers:
        console.print(f"answers: {uri}", markup=False)


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"
