"""Jobs beside each other: differences over the same prompts, and what was set otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from earwitness import artifacts, storage
from earwitness.errors import InputError
from earwitness.jobs.report.stats import paired_gain
from earwitness.json_text import parsed
from earwitness.series import StepsByPhase

REPORT, STEPS = "report.json", "steps.jsonl"
"""Files of a job's folder."""

ALL = "all"
"""In the place of a kind."""


@dataclass(frozen=True)
class Run:
    """A job that has its report."""

    folder: str
    report: Mapping[str, Any]
    steps: StepsByPhase

    @property
    def job_id(self) -> str:
        """Its id."""
        return str(self.report["job"]["job_id"])

    def outcomes(self) -> dict[str, tuple[str, float]]:
        """Of the last evaluation: kind and share of right answers by prompt."""
        rows = self.report["prompts"]["final"] or {}
        return {prompt: (kind, share) for prompt, (kind, share) in rows.items()}


@dataclass(frozen=True)
class Difference:
    """Of a job's accuracy from the first job's, over the `n` prompts that both were asked."""

    kind: str
    n: int
    first: float
    other: float
    gain: float
    low: float
    high: float
    """Ends of the 95 % bootstrap interval of the gain."""


def read_run(folder: str) -> Run:
    """The job whose output folder (path or URI) this is. Raises InputError."""
    uri = storage.join(folder, REPORT)
    try:
        report = artifacts.read_json(uri)
        outcomes = report["prompts"]["final"]
    except (OSError, ValueError) as error:
        raise InputError(folder, f"{REPORT} cannot be read ({error})", "the folder of a job that has ended") from error
    except (KeyError, TypeError) as error:
        raise InputError(folder, f"{REPORT} has no {error}", "a report of this release or a newer one") from error
    if not outcomes:
        raise InputError(folder, "no evaluation", "a job whose recipe has a stage `eval`")
    steps = storage.join(folder, STEPS)
    try:
        told = steps_from(artifacts.read_text(steps)) if artifacts.exists(steps) else {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(folder, f"{STEPS} cannot be read ({error!r})", "the file as the job wrote it") from error
    return Run(folder, report, told)


def steps_from(text: str) -> StepsByPhase:
    """The steps of a `steps.jsonl`."""
    found: dict[tuple[int, str, str], dict[int, dict[str, float]]] = {}
    for line in text.splitlines():
        told = parsed(line)
        found.setdefault((told["stage"], told["type"], told["phase"]), {})[told["step"]] = told["figures"]
    return found


def steps_to(steps: StepsByPhase) -> str:
    """Steps as JSON lines."""
    lines = (
        {"stage": stage, "type": kind, "phase": phase, "step": step, "figures": of[step]}
        for (stage, kind, phase), of in steps.items()
        for step in sorted(of)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def differences(first: Run, other: Run) -> list[Difference]:
    """Over all prompts that both have, then by kind."""
    mine, theirs = first.outcomes(), other.outcomes()
    shared = [prompt for prompt in mine if prompt in theirs]
    kinds = sorted({mine[prompt][0] for prompt in shared} - {""})
    found = []
    for kind in (ALL, *kinds):
        prompts = [prompt for prompt in shared if kind in (ALL, mine[prompt][0])]
        before, after = [mine[p][1] for p in prompts], [theirs[p][1] for p in prompts]
        if (gained := paired_gain(before, after)) is not None:
            gain, (low, high) = gained
            n = len(prompts)
            found.append(Difference(kind, n, sum(before) / n, sum(after) / n, gain, low, high))
    return found


def settings(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """What is not the same in all jobs, of recipe and provenance, by dotted name: a value for each job."""
    settings = [dict(flat({"recipe": run.report["config"], "made": run.report["provenance"]})) for run in runs]
    values = {name: [of.get(name) for of in settings] for name in sorted({name for of in settings for name in of})}
    return {name: of for name, of in values.items() if len({repr(value) for value in of}) > 1}


def comparison(runs: Sequence[Run]) -> dict[str, Any]:
    """Everything, as one JSON object."""
    first, *others = runs
    return {
        "jobs": [
            {
                "job_id": run.job_id,
                "accuracy": run.report["accuracy"]["final"],
                "interval": run.report["accuracy"]["interval"]["final"],
                "provenance": run.report["provenance"],
            }
            for run in runs
        ],
        "differences": {run.job_id: [asdict(difference) for difference in differences(first, run)] for run in others},
        "settings": settings(runs),
    }


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What is in a tree of mappings and lists, by dotted name."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield name, value
        return
    for key, inner in items:
        yield from flat(inner, f"{name}.{key}" if name else str(key))
