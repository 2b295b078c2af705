"""The results of the paper's jobs as a page in Markdown: every claim, and the figures behind it, from the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.paper_claims import Reports, Row

EVALUATIONS = ("cold_start", "distilled", "final")
CONTROLS = ("final_without_audio", "final_shuffled_audio", "final_decisive_removed")
TOLD = (
    "Means over the seeds that have run, in percent; in brackets the lowest and the highest of several. Where the "
    "sound cannot tell, accuracy lies below chance, most likely because some answers are none of the choices: a blind "
    "guess always is one."
)
SPLITS = (
    "Three splits share neither a clip nor, where sounds are put together, a combination. Cold start, MGRD, RL and the "
    "selection of prompts take theirs from `cold_start` and `train`. Every figure here is of `eval`, the held-out "
    "clips. Settings were chosen by `dev`, with another seed (`python benchmarks/paper.py --choose`), or by clips of "
    "other seeds. Of 280 clips at 90 %, an accuracy has an interval (95 %) of 3.5 points to either "
    "side, the difference of two jobs at most one of 5, and its mean over three seeds one of 2.9: what holds by less "
    "is not shown."
)


def page(rows: Sequence[Row], reports: Reports) -> str:
    """The whole page."""
    seeds = sorted({seed for _, seed in reports})
    commits = sorted({report["provenance"]["commit"] or "unknown" for report in reports.values()})
    which = f", seeds {', '.join(map(str, seeds))}, commit {', '.join(commits)}" if seeds else ""
    jobs = {name: [report for (of, _), report in sorted(reports.items()) if of == name] for name, _ in sorted(reports)}
    parts = [
        "# The paper's claims at toy scale",
        "<!-- Written by benchmarks/paper.py (`make paper`) from the reports of its jobs; do not change it here. -->",
        f"{len(reports)} jobs{which}, from the shipped listener{taken(reports)}. "
        "A claim holds if the mean over seeds is not below its bound. What has no report was not run.",
        SPLITS,
        listed(["claim", "the paper", "seen here", ""], (row.cells() for row in rows)),
        reasons(rows),
        accuracies(jobs),
        *(curves(name, of) for name, of in jobs.items() if any(report["thinking"] for report in of)),
        *(rounds(name, of) for name, of in jobs.items() if any(report["rounds"] for report in of)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def reasons(rows: Sequence[Row]) -> str:
    """Why, most likely, what does not hold does not."""
    lines = [f"- *{row.claim}*: {row.why_not}" for row in rows if row.why_not]
    return "\n".join(["## Where it does not hold, the likeliest reason", "", *lines]) if lines else ""


def accuracies(jobs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Each job at its milestones, and where the sound cannot tell."""
    if not jobs:
        return ""
    columns = (*EVALUATIONS, *CONTROLS, "chance")
    lines = [
        [
            name.replace("_", " "),
            str(len(of)),
            f"{mean(minutes(report) for report in of):.1f}",
            *(spread([accuracy(report, c) for report in of]) for c in columns),
        ]
        for name, of in jobs.items()
    ]
    head = ["job", "seeds", "minutes", *(column.replace("_", " ") for column in columns)]
    return f"## Accuracy of every job\n\n{TOLD}{unanswered(jobs)}\n\n{listed(head, lines)}"


def unanswered(jobs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How many answers no guess would give, of those where the sound cannot tell."""
    found: dict[str, list[float]] = {}
    for of in (of for reports in jobs.values() for report in reports for of in report.get("controls", ())):
        if of["evaluation"] == "final" and of["unanswered"] is not None:
            found.setdefault(of["control"].replace("_", " "), []).append(of["unanswered"])
    if not found:
        return ""
    shares = ", ".join(f"{control} {100 * mean(shares):.1f} %" for control, shares in sorted(found.items()))
    return f" Of the final answers are none of the choices: {shares}."


def taken(reports: Reports) -> str:
    """How long each job took, added up; some ran side by side."""
    return f", {sum(map(minutes, reports.values())):.0f} minutes of jobs" if reports else ""


def minutes(report: Mapping[str, Any]) -> float:
    """What a job took from its start to its report, the installation left out."""
    found: float = report["seconds"]["total"] - (report["seconds"]["install"] or 0.0)
    return found / 60


def accuracy(report: Mapping[str, Any], column: str) -> float | None:
    """At a milestone that the job itself came to: one that goes on from another has not its cold start."""
    found: float | None = report["evaluations" if column in EVALUATIONS else "accuracy"].get(column)
    return found


def curves(name: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """Accuracy over think budgets, an evaluation a line."""
    points = [point for report in reports for point in report["thinking"]]
    budgets = sorted({point["budget"] for point in points})
    lines = [
        [of, *(spread([p["accuracy"] for p in points if (p["evaluation"], p["budget"]) == (of, b)]) for b in budgets)]
        for of in dict.fromkeys(point["evaluation"] for point in points)
    ]
    for of in dict.fromkeys(p["evaluation"] for report in reports for p in report["extended"]):
        longer = [p["accuracy"] for report in reports for p in report["extended"] if p["evaluation"] == of]
        lines.append([f"{of}, going on once", *[""] * (len(budgets) - 1), spread(longer)])
    title = f"## What thinking is worth: {name.replace('_', ' ')}"
    told = "Accuracy where the think block is closed after so many tokens."
    return f"{title}\n\n{told}\n\n{listed(['evaluation', *map(str, budgets)], lines)}"


def rounds(name: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """What each round of each job came to."""
    found = [of for report in reports for of in report["rounds"]]
    columns = list(dict.fromkeys(column for of in found for column in of))
    lines = [[amount(of.get(column)) for column in columns] for of in found]
    return f"## Rounds: {name.replace('_', ' ')}\n\n{listed([c.replace('_', ' ') for c in columns], lines)}"


def amount(value: float | None) -> str:
    """A count, or a share in percent."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{100 * value:.1f} %"


def spread(shares: Sequence[float | None]) -> str:
    """The mean of what was measured, in percent, with the lowest and the highest."""
    known = [100 * share for share in shares if share is not None]
    if not known:
        return ""
    between = f" ({min(known):.1f} to {max(known):.1f})" if len(known) > 1 else ""
    return f"{mean(known):.1f}{between}"


def listed(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
