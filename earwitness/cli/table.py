"""The table at the end of a job, from the figures of its report."""

from __future__ import annotations

from rich.table import Table

COLUMNS = ("cold_start", "final", "final_without_audio")
"""Which policy a figure speaks of."""

SHARES = ("accuracy", "supported_share", "surrogate_share", "incoherent_share", "denial_share")
"""Figures shown in percent."""

ROWS = (*SHARES, "think_tokens")


def final_table(report: dict[str, float]) -> Table:
    """Accuracy with its 95 % interval and the other figures, before and after; then the seconds of its parts."""
    table = Table("", title="result (with 95 % intervals)", title_justify="left")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "), justify="right")
    for row in ROWS:
        cells = [_cell(report, row, column) for column in COLUMNS]
        if any(cells):
            table.add_row(row.replace("_", " "), *cells)
    if "accuracy.gain" in report:
        table.add_row("accuracy gained", "", _cell(report, "accuracy", "gain"), "")
    if "accuracy.rl_gain" in report:
        table.add_row("of that by RL", "", _cell(report, "accuracy", "rl_gain"), "")
    table.add_section()
    if "accuracy.n" in report:
        table.add_row("clips evaluated", "", f"{report['accuracy.n']:.0f}", "")
    if "logprob_gap" in report:
        table.add_row("mean |rollout - trainer log-prob|", "", f"{report['logprob_gap']:.1e}", "")
    for name in report:
        if name.startswith("seconds.") and report[name]:
            table.add_row(name.replace(".", " of "), "", f"{report[name]:.0f}", "")
    return table


def _cell(report: dict[str, float], row: str, column: str) -> str:
    name = f"{row}.{column}"
    if name not in report:
        return ""
    value = report[name]
    if row not in SHARES:
        return f"{value:.1f}"
    text = f"{100 * value:.1f} %"
    if row != "accuracy":
        return text
    low, high = report.get(f"{name}.low"), report.get(f"{name}.high")
    if low is None or high is None:
        if "accuracy.n" not in report or column not in COLUMNS:
            return text
        from earwitness.jobs.report.stats import wilson  # NumPy, which a report of this release does without

        low, high = wilson(value, int(report["accuracy.n"])) or (0.0, 1.0)
    return f"{text} [{100 * low:.1f}, {100 * high:.1f}]"
