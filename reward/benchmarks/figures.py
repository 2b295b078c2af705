"""Scores of a file of answers, over all rows and by category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from earwitness.errors import InputError, shown
from earwitness.manifest import read_manifest
from reward.benchmarks.registry import BENCHMARKS, Benchmark, verified
from reward.benchmarks.rows import PREDICTION, Row, read_predictions, read_records


@dataclass(frozen=True)
class Score:
    """Scores of some rows, in percent."""

    rows: int
    """Rows there are."""
    strict: float
    """By the strict rule; rows without an answer are wrong."""
    official: float | None
    """By the published rule over the rows that it counts; None if it counts none, or there is no such rule."""
    counted: int
    """Rows that the published rule counts."""
    official_of_all: float | None
    """By the published rule, what it does not count taken as wrong."""


@dataclass(frozen=True)
class Figures:
    """Scores of a file of answers."""

    benchmark: str
    """Name; "" for a manifest of Earwitness."""
    answered: int
    """Rows with an answer."""
    unknown: int
    """Answers to questions that there are not."""
    total: Score
    """All rows."""
    categories: dict[str, Score]
    """By category, in order of name."""

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Scored:
    row: Row
    strict: float
    official: float | None


def score_file(manifest: str, answers: str, benchmark: str = "") -> Figures:
    """Scores the answers at `answers` to the questions at `manifest`: a benchmark's own file, or a manifest.

    Raises InputError for files that cannot be read, unknown benchmarks, and ids that occur twice.
    """
    if benchmark and benchmark not in BENCHMARKS:
        raise InputError("benchmark", f"unknown benchmark {shown(benchmark)}", f"one of {', '.join(BENCHMARKS)}")
    rule = BENCHMARKS.get(benchmark)
    rows = _benchmark_rows(manifest, rule) if rule else [Row(e.prompt, e.prompt.kind) for e in read_manifest(manifest)]
    return score_rows(rows, answers, benchmark)


def score_rows(rows: Sequence[Row], answers: str, benchmark: str = "") -> Figures:
    """As `score_file`, for questions that are read already."""
    rule = BENCHMARKS.get(benchmark)
    if rule and rule.judged:
        predictions = rule.judged(rows, answers)
    else:
        predictions = read_predictions(answers, rule.key if rule else PREDICTION)
    scored = [_score(row, predictions.get(row.prompt.id), rule) for row in rows]
    known = {row.prompt.id for row in rows}
    return Figures(
        benchmark=benchmark,
        answered=sum(predictions.get(name) is not None for name in known),
        unknown=sum(name not in known for name in predictions),
        total=_sum(scored, rule),
        categories={
            name: _sum([s for s in scored if s.row.category == name], rule)
            for name in sorted({row.category for row in rows if row.category})
        },
    )


def _benchmark_rows(uri: str, rule: Benchmark) -> list[Row]:
    rows: dict[str, Row] = {}
    for number, record in enumerate(read_records(uri)):
        row = rule.read(record, number, f"{uri}, row {number + 1}")
        if row.prompt.id in rows:
            raise InputError(f"{uri}, row {number + 1}.id", f"{shown(row.prompt.id)} a second time", "ids that differ")
        rows[row.prompt.id] = row
    return list(rows.values())


def _score(row: Row, prediction: str | None, rule: Benchmark | None) -> _Scored:
    if prediction is None:
        return _Scored(row, 0.0, 0.0 if rule and rule.counts_missing else None)
    if rule is None:
        return _Scored(row, verified(row, prediction), None)
    return _Scored(row, rule.strict(row, prediction), rule.official(row, prediction))


def _sum(scored: Sequence[_Scored], rule: Benchmark | None) -> Score:
    official = [s.official for s in scored if s.official is not None]
    return Score(
        rows=len(scored),
        strict=100 * sum(s.strict for s in scored) / len(scored),
        official=100 * sum(official) / len(official) if official else None,
        counted=len(official),
        official_of_all=100 * sum(official) / len(scored) if rule else None,
    )
