"""A process that vLLM started ends with the worker, however that ends.

vLLM's engine process does not notice by itself: before it has shaken hands with its front end it waits for minutes, and
afterwards for ever, with the model in memory.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal

PR_SET_PDEATHSIG = 1
"""prctl's option (linux/prctl.h): the signal a process gets when the thread that started it ends."""


def end_with_parent() -> None:
    """In a process that multiprocessing started: from now on SIGKILL comes when its parent ends. Else nothing."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent.pid:  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)
