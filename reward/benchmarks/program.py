"""Prints the scores of a file of answers for a person or as JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from reward.benchmarks.figures import Figures, score_file


def main(
    manifest: str, answers: str, benchmark: str = "", as_json: bool = False, console: Console | None = None
) -> None:
    """Scores and prints. Raises InputError."""
    console = console or Console()
    figures = score_file(manifest, answers, benchmark)
    if as_json:
        console.print(json.dumps(figures.as_record()), markup=False)
        return
    console.print(_table(figures))
    missing = figures.total.rows - figures.answered
    if missing:
        console.print(f"{missing} of {figures.total.rows} rows have no answer and count as wrong", markup=False)
    if figures.unknown:
        console.print(f"{figures.unknown} answers belong to no row", style="yellow", markup=False)


def _table(figures: Figures) -> Table:
    table = Table("", "rows", "strict", title=figures.benchmark or None)
    if figures.benchmark:
        table.add_column("published rule")
        table.add_column("of rows")
        table.add_column("of all rows")
    for name, score in [*figures.categories.items(), ("all", figures.total)]:
        published = [_percent(score.official), str(score.counted), _percent(score.official_of_all)]
        table.add_row(name, str(score.rows), _percent(score.strict), *(published if figures.benchmark else []))
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"
