"""The judge that a reward worker is set up with: EW_JUDGE_URL, EW_JUDGE_MODEL, EW_JUDGE_KEY. A job cannot name one."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from earwitness.errors import InputError
from reward.judge import EndpointJudge, JudgeSettings


def judge_settings(environ: Mapping[str, str] = os.environ) -> JudgeSettings | None:
    """The settings of the environment, None if there is no judge. Raises InputError naming the variable."""
    url, model = environ.get("EW_JUDGE_URL", ""), environ.get("EW_JUDGE_MODEL", "")
    if not url:
        return None
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError("EW_JUDGE_URL", f"{url!r} is not an address", "http://host:port/v1 or https://host/v1")
    if not model:
        raise InputError("EW_JUDGE_MODEL", "is empty while EW_JUDGE_URL is set", "the name of the judging model")
    return JudgeSettings(url, model, environ.get("EW_JUDGE_KEY", ""))


@functools.cache
def process_judge() -> EndpointJudge | None:
    """The judge of this process, with its open connections; None if there is none."""
    settings = judge_settings()
    return EndpointJudge(settings) if settings else None
