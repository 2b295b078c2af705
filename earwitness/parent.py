"""A process that another started ends with it, however that ends.

A pool's process does not notice that its owner was killed: it holds an end of its own pipe, and waits for ever.
"""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
"""prctl's option (linux/prctl.h): the signal a process gets when the thread that started it ends."""
_libc = ctypes.CDLL(None)  # loaded before a fork: behind it only what is there may be called


def end_with_parent(parent: int, by: int = signal.SIGKILL) -> None:
    """In a process that `parent` started: from now on the signal comes when that ends. If it has ended, now."""
    _libc.prctl(PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)
