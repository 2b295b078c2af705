"""Waiting for what must come, and processes below another, found by what they are called."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

PATIENCE = 280.0
"""Longest wait (s) for what must come: a test says nothing about speed, and four vLLMs may be starting beside it."""

T = TypeVar("T")


def wait_for(what: str, found: Callable[[], T], seconds: float = PATIENCE, poll_seconds: float = 0.05) -> T:
    """What `found` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(poll_seconds)
    return value


def below(pid: int, *words: str) -> list[psutil.Process]:
    """Those whose name or command line has one of the words in it."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended, as the helpers do that importing torch starts
            if any(word in said for word in words for said in [process.name(), *process.cmdline()]):
                found.append(process)
    return found
