"""Waiting for a Redis that is silent or away: it costs a phase time, and not what it has learned."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from earwitness.errors import InfrastructureError
from earwitness.log import Logger

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""How long a server that does not answer is asked again before the phase fails: time for it to be restarted."""

RETRY_SECONDS = 1.0
"""Pause between two attempts."""


def patiently(ask: Callable[[], T], log: Logger) -> T:
    """Asks again while the server does not answer, then raises InfrastructureError; `ask` may be done twice."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except InfrastructureError as error:
            if time.monotonic() > give_up:
                raise
            log.warning("does not answer", error=str(error))
            time.sleep(RETRY_SECONDS)
