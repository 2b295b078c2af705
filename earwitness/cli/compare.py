"""The commands `compare` and `reproduce`: jobs that have ended beside each other."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from earwitness import artifacts, storage
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError
from earwitness.jobs.report.compare import REPORT, Run, comparison, read_run
from earwitness.jobs.report.compare_page import render_comparison
from earwitness.jobs.report.provenance import checksum

Page = Annotated[Path | None, typer.Option(help="Also write a page with curves and clips to this HTML file.")]


@finds_mesh
def compare(
    jobs: Annotated[list[str], typer.Argument(help="Ids of jobs, or their output folders (paths or URIs).")],
    page: Page = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    *,
    where: Where,
) -> None:
    """Compare jobs that have ended: accuracy over the same clips, settings, curves.

    Each is measured against the first, prompt by prompt, with 95 % bootstrap intervals.

    Examples:

        earwitness compare quickstart-1a2b3c quickstart-4d5e6f --page compare.html

        earwitness compare runs/quickstart/quickstart-1a2b3c s3://bucket/quickstart-4d5e6f --json
    """
    if len(jobs) < 2:
        raise InputError("JOBS", f"{len(jobs)} job", "two or more")
    _tell([read_run(_folder(job, where)) for job in jobs], page, as_json)


@finds_mesh
def reproduce(
    report: Annotated[str, typer.Argument(help="Output folder of a job, or the report.json or report.html in it.")],
    page: Page = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    *,
    where: Where,
) -> None:
    """Run the job of a report again, and compare.

    The recipe is the report's. What has changed since (data, commit, versions, machine) is said.

    Example:

        earwitness reproduce runs/quickstart/quickstart-1a2b3c
    """
    from earwitness.cli.follow import conclusion, follow

    folder = report.removesuffix("/").removesuffix(f"/{REPORT}").removesuffix("/report.html")
    first = read_run(folder)
    for name, uri in first.report["config"]["data"].items():
        if checksum(uri) != first.report["provenance"]["data"].get(name):
            err.print(f"data {name} is no longer what it was: {uri}")
    with where.connect() as mesh, tempfile.TemporaryDirectory() as scratch:
        recipe = Path(scratch) / "recipe.yaml"
        recipe.write_text(yaml.safe_dump(first.report["config"], sort_keys=False, allow_unicode=True))
        job_id = mesh.submit(recipe).job_id
        err.print(f"job {job_id}; Ctrl-C stops watching, not the job")
        follow(mesh.watch(job_id), err)
        job = mesh.get(job_id)
        words, code = conclusion(job)
        if code:
            err.print(words)
            raise typer.Exit(code)
        _tell([first, read_run(job.output_uri)], page, as_json)


def _folder(job: str, where: Where) -> str:
    """Where a job's output is: what is given, if there is a report, else what the mesh says of an id."""
    try:
        if artifacts.exists(storage.join(job, REPORT)):
            return job
    except (storage.StorageError, OSError, ValueError) as error:
        raise InputError("JOBS", f"{job[:100]!r} cannot be looked at ({error})", "an id or a folder") from error
    if "/" in job:
        raise InputError("JOBS", f"{job[:100]!r} holds no {REPORT}", "the output folder of a job that has ended")
    with where.connect() as mesh:
        return mesh.get(job).output_uri


def _tell(runs: Sequence[Run], page: Path | None, as_json: bool) -> None:
    if page is not None:
        page.write_text(render_comparison(runs), encoding="utf-8")
    found = comparison(runs)
    if as_json:
        out.print_object(found)
        return
    for run in runs[1:]:
        out.print(_table(runs[0], run, found["differences"][run.job_id]))
    settings = found["settings"]
    out.print("settings: the same, all of them" if not settings else "settings that differ:")
    for name, values in settings.items():
        out.print(f"  {name}: {' | '.join('-' if value is None else str(value)[:60] for value in values)}")


def _table(first: Run, other: Run, rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("right, of the same clips", title=f"{other.job_id} less {first.job_id}", title_justify="left")
    for column in ("clips", first.job_id, other.job_id, "points", "95 % interval"):
        table.add_column(column, justify="right", overflow="fold")
    for of in rows:
        interval = f"{of['low'] * 100:+.1f} to {of['high'] * 100:+.1f}"
        shares = [f"{of[which]:.1%}" for which in ("first", "other")]
        table.add_row(of["kind"], str(of["n"]), *shares, f"{of['gain'] * 100:+.1f}", interval)
    return table
