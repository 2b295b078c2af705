"""The process that checks, from the server's side: its answers are awaited, and it is started again if it ends."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from earwitness.audio import content_hash
from earwitness.errors import InfrastructureError
from rollout.parent import end_with_worker

CHECK_SECONDS = 30.0
"""Longest wait for one check: a queue of them may stand before it."""
START_SECONDS = 300.0
"""Longest wait for the first: the process imports what it needs, which takes a minute where cores are scarce."""
NICENESS = 10
"""Of the process that checks, over the server's: a tenth of a core where tokens want all of it."""


class Verifier:
    """One process: an answer's checks take a few milliseconds each, and none stands in the way of a token."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._warm = False

    def stop(self) -> None:
        """Ends the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def warm(self) -> None:
        """Starts the process and imports what measures, before anybody waits for it."""
        await self.run("phrases", "")

    async def run(self, name: str, *given: Any) -> Any:
        """What the function `name` of `checker` says, or raises.

        Raises InfrastructureError if the process ends twice or takes too long.
        """
        for _ in range(2):  # a process that has ended is started again once
            self._pool = self._pool or ProcessPoolExecutor(1, get_context("spawn"), _begin)
            pool = self._pool
            seconds = CHECK_SECONDS if self._warm else START_SECONDS
            try:
                async with asyncio.timeout(seconds):
                    found = await asyncio.get_running_loop().run_in_executor(pool, _call, name, *given)
                self._warm = True
                return found
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool, self._warm = None, False
            except TimeoutError as error:
                raise InfrastructureError("a check of claims", seconds, "others stand before it") from error
        raise InfrastructureError("the process that checks claims", 0.0, "it ended twice")


class Heard:
    """The clips of a question, as the process that checks knows them."""

    def __init__(self, verifier: Verifier, clips: Sequence[bytes], question: str) -> None:
        """clips: files, in order; question: what it says itself is no claim."""
        self._verifier = verifier
        self._clips = {content_hash(data): data for data in clips}
        self._keys = [content_hash(data) for data in clips]
        self._question = question

    async def check(self, reasoning: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """As `checker.check`. Clips are measured first, if they are not known (any more)."""
        while True:
            try:
                claims, unread = await self._verifier.run("check", self._keys, reasoning, self._question)
                return claims, unread
            except LookupError:
                for key, data in self._clips.items():
                    await self._verifier.run("hear", key, data)

    async def phrases(self, reasoning: str) -> dict[str, str]:
        """As `checker.phrases`."""
        found: dict[str, str] = await self._verifier.run("phrases", reasoning)
        return found


def _begin() -> None:
    """In the process that checks: it ends with the server, and where cores are scarce the engine comes first."""
    end_with_worker()
    os.nice(NICENESS)


def _call(name: str, *given: Any) -> Any:
    """In the process that checks: nothing that measures is imported in the server's."""
    return importlib.import_module("serving.claims.checker").CALLS[name](*given)
