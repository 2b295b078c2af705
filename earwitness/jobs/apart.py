"""Work on what people send, in a process of its own: what hangs or computes without end is killed, and said.

A thread could not be stopped, and storage that does not answer would keep it for ever.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Literal

from earwitness.errors import DocumentError, EarwitnessError, InfrastructureError, InputError, Problem

START_SECONDS = 60.0
"""Until the first word: an interpreter that starts on a busy machine."""

PROGRAM = "services.apart"
"""`apart_process.py`, together with verifiers and benchmarks, which the core does not know."""

END_SECONDS = 10.0
"""For a process that has said all, or was told to end: asyncio waits for its pipes as well, whoever holds them."""

LONGEST_WORDS = 1 << 20
"""Bytes of one line of its output; a hundred problems of 120 characters are some ten kilobytes."""


class WorkFailed(EarwitnessError):
    """The process ended without a result."""


async def apart(
    task: Literal["check", "index", "lengths", "probe", "score"],
    given: dict[str, Any],
    silence: float,
    told: Callable[[str, int], Awaitable[None]] | None = None,
) -> Any:
    """What a task of `apart_process.py` comes to; `told` hears what it is at, and at which line or clip.

    Raises the InputError that it met, InfrastructureError if it said nothing for `silence` seconds, and WorkFailed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", PROGRAM, task,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LONGEST_WORDS,
    )  # fmt: skip
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(given).encode())
        process.stdin.close()
        what, seconds = "a process that reads it", START_SECONDS
        while True:
            try:
                line = await asyncio.wait_for(process.stdout.readline(), seconds)
            except TimeoutError:
                raise InfrastructureError(what, seconds, "it does not answer, or is too slow") from None
            if not line:
                raise WorkFailed(_ending(task, await _end_of(process)))
            words = json.loads(line)
            if "done" in words:
                return words["done"]
            if "error" in words:
                raise _error(words)
            name, lines = words["at"]
            unit = "clip" if task == "probe" else "line"
            what, seconds = f"{name}, behind {unit} {lines}" if lines else f"the {name}", silence
            if told is not None:
                await told(name, lines)
    finally:
        if process.returncode is None:
            process.kill() if task != "probe" else process.terminate()  # it ends its own workers on SIGTERM
            await _end_of(process)


async def _end_of(process: asyncio.subprocess.Process) -> int | None:
    """Its exit status; None: it has not ended in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(END_SECONDS):
            return await process.wait()
    return None


def _ending(task: str, status: int | None) -> str:
    if status == -signal.SIGXCPU:
        return "reading it took more seconds of computing than a recipe and its data may need"
    return f"the process of `{task}` ended with status {status}; see the service's log"


def _error(words: dict[str, Any]) -> EarwitnessError:
    if words["error"] == "document":
        return DocumentError([Problem(*problem) for problem in words["problems"]])
    if words["error"] == "input":
        return InputError(*words["given"])
    return InfrastructureError(*words["given"])
