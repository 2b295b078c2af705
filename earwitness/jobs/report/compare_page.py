"""compare.html: jobs beside each other. Like a report it needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from earwitness import artifacts, metrics, storage
from earwitness.jobs.report.cards import side_by_side
from earwitness.jobs.report.compare import ALL, Difference, Run, differences, settings
from earwitness.jobs.report.html import document, esc, percent, points, table
from earwitness.jobs.report.svg import line_chart
from earwitness.metrics import KIND
from earwitness.series import Steps, curve
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def render_comparison(runs: Sequence[Run]) -> str:
    """The page; the first job is what the others are measured against."""
    first, *others = runs
    body = "".join(
        [
            f"<header><h1>{esc(' · '.join(run.job_id for run in runs))}</h1><p>jobs compared</p></header>",
            _accuracy(runs),
            *(_differences(first, other) for other in others),
            _settings(runs),
            side_by_side([(run.job_id, _groups(run)) for run in runs]),
            _curves(runs),
        ]
    )
    return document("jobs compared", body)


def _accuracy(runs: Sequence[Run]) -> str:
    rows = []
    for run in runs:
        accuracy = run.report["accuracy"]
        low, high = accuracy["interval"]["final"] or (None, None)
        rows.append([esc(run.job_id), str(accuracy["n"]), percent(accuracy["final"]), percent(low), percent(high)])
    return f"<h2>Accuracy</h2>{table(['Job', 'Clips', 'Right', '95 % from', 'to'], rows, right_from=1)}"


def _differences(first: Run, other: Run) -> str:
    found = differences(first, other)
    if not found:
        return f"<h2>{esc(other.job_id)}</h2><p>no clip that both jobs were asked about</p>"
    rows = [_row(difference) for difference in found]
    head = ["Kind", "Clips", first.job_id, other.job_id, "Difference", "95 % from", "to"]
    note = "Differences over the same clips, in points, with their 95 % bootstrap intervals."
    return f"<h2>{esc(other.job_id)} less {esc(first.job_id)}</h2><p>{note}</p>{table(head, rows, right_from=1)}"


def _row(of: Difference) -> list[str]:
    sure = "up" if of.low > 0 else "down" if of.high < 0 else "quiet"
    kind = "<b>all</b>" if of.kind == ALL else esc(of.kind.replace("_", " "))
    change = f'<span class="{sure}">{points(of.gain)}</span>'
    return [kind, str(of.n), percent(of.first), percent(of.other), change, points(of.low), points(of.high)]


def _settings(runs: Sequence[Run]) -> str:
    rows = [[esc(name), *(esc(_short(v)) for v in values)] for name, values in settings(runs).items()]
    if not rows:
        return "<h2>Settings</h2><p>the same, all of them</p>"
    head = ["What differs", *(run.job_id for run in runs)]
    return f"<h2>Settings</h2>{table(head, rows, right_from=len(head))}"


def _short(value: Any) -> str:
    return "–" if value is None else str(value)[:80]


def _groups(run: Run) -> Sequence[wire.Group]:
    """Of the last evaluation; none where the samples were not kept beside the report."""
    uri = storage.join(run.folder, run.report["samples"]["final"])
    return artifacts.read_groups(uri) if artifacts.exists(uri) else []


def _curves(runs: Sequence[Run]) -> str:
    sections = []
    for key in sorted({key for run in runs for key in run.steps}):
        index, stage, phase = key
        of: list[tuple[str, Steps]] = [(run.job_id, run.steps[key]) for run in runs if key in run.steps]
        names = {name for _, steps in of for step in steps.values() for name in step if not name.startswith(KIND)}
        charts = [
            (f"{title}: {metric.label}", line_chart([(job_id, curve(steps, metric.name)) for job_id, steps in of]))
            for title, drawn in metrics.charts(names).items()
            for metric in drawn
        ]
        cards = "".join(f'<div class="card"><h3>{esc(title)}</h3>{chart}</div>' for title, chart in charts if chart)
        if cards:
            title = f"Stage {index + 1}: {stage} {phase}"
            sections.append(f'<h2>{esc(title)}</h2><p>Over updates.</p><div class="grid2">{cards}</div>')
    return "".join(sections)
