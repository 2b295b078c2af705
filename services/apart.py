"""The process in which the jobs service reads what people send: the core's, where references meet their verifiers and
evaluations their benchmarks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from earwitness.jobs.apart_process import main
from reward.reference import reference_problem


def score(given: dict[str, Any]) -> dict[str, Any]:
    """What an evaluation of a benchmark comes to. Raises InputError."""
    from reward.benchmarks.runs import measure  # only this task needs it

    return asdict(measure(given["name"], given["manifest"], given["samples"], {}, given["folder"]))


if __name__ == "__main__":
    main(reference_problem, score)
