"""What a check finds, and how checks are run: side by side as far as the cores go, reported in their own order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

MOST_AT_ONCE = 4
"""Each program of a check may take two gigabytes of memory: a machine with many cores need not have as much."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, and either that it is well or what is wrong and what mends it."""

    part: str
    """What was looked at, as a person calls it."""
    found: str
    """What is there; if it is wrong, what is wrong."""
    mend: str = ""
    """What mends it; empty if nothing is wrong."""

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return not self.mend


Check = Callable[[], Finding]


def look(checks: Sequence[Check]) -> Iterator[Finding]:
    """The findings, in the order of the checks, as they come."""
    with ThreadPoolExecutor(max(1, min(len(os.sched_getaffinity(0)), MOST_AT_ONCE))) as pool:
        yield from pool.map(_found, checks)


def _found(check: Check) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 (a check that fails says so, and the others go on)
        part = getattr(check, "__name__", "check").strip("_").replace("_", " ")
        return Finding(part, f"cannot be looked at: {type(error).__name__}: {error}", "what the error names")
