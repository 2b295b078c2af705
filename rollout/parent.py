"""A process that vLLM started ends with the worker, however that ends.

vLLM's engine process does not notice by itself: before it has shaken hands with its front end it waits for minutes, and
afterwards for ever, with the model in memory.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from earwitness.parent import PR_SET_PDEATHSIG

WORKER_PID = "EW_ROLLOUT_PID"
"""Environment variable that tells the processes below a worker whose they are. Their own parent may be one of them."""


def end_with_worker() -> None:
    """In a process below a worker: from now on SIGKILL comes when its parent ends. In any other it does nothing."""
    worker = int(os.environ.get(WORKER_PID, "0"))
    if worker in (0, os.getpid()):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if worker not in _ancestors():  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)


def _ancestors() -> list[int]:
    """Of this process, from its parent on."""
    found = [os.getppid()]
    while found[-1] > 1:
        try:
            stat = Path(f"/proc/{found[-1]}/stat").read_text()
        except OSError:  # it has just ended
            break
        found.append(int(stat.rpartition(")")[2].split()[1]))
    return found
