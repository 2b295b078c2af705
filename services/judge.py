"""The judge that a reward worker is set up with. A job cannot name one."""

from __future__ import annotations

import functools

from reward.judge import EndpointJudge, judge_settings


@functools.cache
def process_judge() -> EndpointJudge | None:
    """The judge of this process, with its open connections; None if there is none."""
    settings = judge_settings()
    return EndpointJudge(settings) if settings else None
