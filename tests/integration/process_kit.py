"""Processes below another, found by what they are called."""

from __future__ import annotations

from contextlib import suppress

import psutil


def below(pid: int, *words: str) -> list[psutil.Process]:
    """Those whose name or command line has one of the words in it."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended, as the helpers do that importing torch starts
            if any(word in said for word in words for said in [process.name(), *process.cmdline()]):
                found.append(process)
    return found
