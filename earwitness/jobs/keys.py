"""Keys of the jobs service in the queue Redis, and the scripts on them (lua/)."""

from __future__ import annotations

from importlib.resources import files

REQUESTS = "ew:jobs:requests"
"""Hash of request id -> job id."""

QUEUE = "ew:jobs:queue"
"""List of job ids that wait, next first."""

INDEX = "ew:jobs:index"
"""Sorted set of all job ids by time of submission."""

RUNNING = "ew:jobs:running"
"""The job that the mesh works on; absent if none."""

LEADER = "ew:jobs:leader"
"""Who may run jobs: a holder's unique word, with an expiry."""


def job(job_id: str) -> str:
    """Hash of one job: record, recipe, wish, sequence."""
    return f"ew:job:{job_id}"


def events(job_id: str) -> str:
    """Stream of a job's events; the entry with sequence n has the id `n-0`."""
    return f"ew:job:{job_id}:events"


def results(run_id: str) -> str:
    """Hash of ordinal -> Group of a sampling pass, until it is written to its file."""
    return f"ew:results:{run_id}"


def script(name: str) -> str:
    """Source of lua/<name>.lua."""
    return (files("earwitness.jobs") / "lua" / f"{name}.lua").read_text()
