"""Waiting for what must come, programs as ranks, and processes below another, found by what they are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from earwitness import redis_client

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0
"""Longest wait (s) for what must come: a test says nothing about speed, and four vLLMs may be starting beside it. What
waits without a limit is ended by pytest's own, which is longer."""

T = TypeVar("T")


def wait_for(what: str, found: Callable[[], T], seconds: float = PATIENCE, poll_seconds: float = 0.05) -> T:
    """What `found` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(poll_seconds)
    return value


def wait_for_redis(patch: pytest.MonkeyPatch | None = None) -> None:
    """From here on clients of this process outwait a Redis that is silent or away, as on a machine that stalls."""
    patch = patch or pytest.MonkeyPatch()
    for silence in ("socket_timeout", "socket_connect_timeout"):
        patch.setitem(redis_client._OPTIONS, silence, PATIENCE)
    patch.setattr(redis_client, "RETRY_SECONDS", PATIENCE)


def run_ranks(count: int, program: str, *arguments: str, **environment: str) -> str:
    """Runs a program of this folder as so many ranks, to their good end; what they said."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("ranks.py")), str(count), program, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{count} ranks:\n{done.stdout[-5000:]}"
    return done.stdout


def said_in(log: str) -> list[dict[str, Any]]:
    """What a process has said so far; the last line may be half written."""
    return [json.loads(line) for line in log.rpartition("\n")[0].splitlines() if line.startswith("{")]


def below(pid: int, *words: str) -> list[psutil.Process]:
    """Those whose name or command line has one of the words in it."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just ended, as the helpers do that importing torch starts
            if any(word in said for word in words for said in [process.name(), *process.cmdline()]):
                found.append(process)
    return found
