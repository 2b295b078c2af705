"""Checks the claims of a reasoning as its sentences end, beside the stream that brings them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from earwitness.errors import EarwitnessError
from serving.claims.verifier import Heard
from serving.figures import CLAIMS
from serving.thinking import Said

SENTENCE_END = re.compile(r"[.!?;][\"')\]]*(?=\s)|\n")
"""Behind "3." of "3.5" there is no space."""
WITHDRAWN = "withdrawn"
"""Verdict of a claim that turned out to be none when more was there: a quotation that had not ended."""
TAIL = 16
"""Characters before a new piece in which a sentence may turn out to have ended: its mark, and quotes behind it."""


@dataclass(frozen=True)
class Checked:
    """Claims that are new, or whose verdict has changed."""

    claims: list[dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What the clip says about the whole reasoning."""

    figures: dict[str, Any]


Event = Said | Checked | Verdict


class Checking:
    """The claims of one reasoning. What has come is checked whenever the last check has ended: a slow one delays the
    next, and nothing else."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._text = ""
        self._ready = 0
        """Characters in sentences that have ended."""
        self._ended = False
        self._more = asyncio.Event()
        self._looked = -1
        """Characters that have been checked; below 0 until the clip has been measured."""
        self._claims: list[dict[str, Any]] = []
        self._unread: list[dict[str, str]] = []
        self._heard_out = False

    def take(self, reasoning: str) -> None:
        """The next piece."""
        before = max(self._ready, len(self._text) - TAIL)
        self._text += reasoning
        for found in SENTENCE_END.finditer(self._text, before):
            self._ready = found.end()
            self._more.set()

    def end(self) -> None:
        """There is no more."""
        self._ended, self._ready = True, len(self._text)
        self._more.set()

    async def next(self) -> Checked | Verdict | None:
        """The newest claims, as soon as there are any; at the end the verdict, then None. Errors of the process that
        checks are part of the verdict: they end no answer."""
        try:
            while not self._ended or self._looked < self._ready:
                ready = self._ready
                if ready <= self._looked:
                    await self._more.wait()
                    self._more.clear()
                    continue
                before = self._claims
                self._claims, self._unread = await self._heard.check(self._text[:ready])
                self._looked = ready
                if changed := _changed(before, self._claims):
                    return Checked(changed)
            if self._heard_out:
                return None
            self._heard_out = True
            return Verdict(summed(self._claims, self._unread) | await self._heard.phrases(self._text))
        except EarwitnessError as error:
            self._looked, self._ready, self._ended, self._heard_out = 0, 0, True, True
            return Verdict({"error": str(error)})


def summed(claims: list[dict[str, Any]], unread: list[dict[str, str]]) -> dict[str, Any]:
    """Counts by verdict, and what was not read; `share`: of the claims that the clip decides, those that it supports;
    `coverage`: of all that is said of the sound, what it decides. None where there is nothing."""
    counts = dict.fromkeys(("supported", "contradicted", "not_checkable"), 0)
    for claim in claims:
        counts[claim["verdict"]] += 1
        CLAIMS.labels(claim["verdict"]).inc()
    decided = counts["supported"] + counts["contradicted"]
    share = counts["supported"] / decided if decided else None
    said = len(claims) + len(unread)
    coverage = decided / said if said else None
    return {"claims": len(claims), **counts, "unread": unread, "share": share, "coverage": coverage}


async def verified(pieces: AsyncGenerator[Said, None], heard: Heard) -> AsyncGenerator[Event, None]:
    """The same pieces, undelayed, and between them what the clip says of their claims; the verdict comes last."""
    checking = Checking(heard)
    talk: asyncio.Task[Said | None] | None = asyncio.create_task(_next(pieces))
    check: asyncio.Task[Checked | Verdict | None] | None = asyncio.create_task(checking.next())
    try:
        while waiting := {task for task in (talk, check) if task is not None}:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if talk in done:
                said = talk.result()
                if said is None:
                    checking.end()
                    talk = None
                else:
                    checking.take(said.reasoning)
                    yield said
                    talk = asyncio.create_task(_next(pieces))
            if check in done:
                found = check.result()
                check = None if found is None else asyncio.create_task(checking.next())
                if found is not None:
                    yield found
    finally:
        for task in (talk, check):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await pieces.aclose()


async def _next(pieces: AsyncGenerator[Said, None]) -> Said | None:
    return await anext(pieces, None)


def _changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    new = [claim for index, claim in enumerate(after) if before[index : index + 1] != [claim]]
    return new + [{**claim, "verdict": WITHDRAWN} for claim in before[len(after) :]]
