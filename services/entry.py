"""A service as a process: its settings come from the environment, its errors become a line and an exit status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from earwitness.errors import EarwitnessError
from earwitness.local.launch import ended
from earwitness.settings import Settings


def process(service: str, run: Callable[[Settings], Coroutine[Any, Any, None]], *own: type[EarwitnessError]) -> int:
    """Run the service until SIGTERM; its exit status. Errors of the types `own` are the caller's."""
    try:
        asyncio.run(run(Settings.from_env()))
    except own:
        raise
    except EarwitnessError as error:
        return ended(service, error)
    return 0
