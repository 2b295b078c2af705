"""WildSpeech-Bench: a language model marks each response from 1 to 10. The marks come from its replies, kept in the
file of answers under `judgement`; asking for them, and marking a response in another language with 1, is left to
whoever asks."""

from __future__ import annotations

import re

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity

BEST = 10
"""The best mark; scores are shares of it."""
_MARK = re.compile(r"Score:\s*\[?\s*(\d{1,2})\b", re.IGNORECASE)


def read_wildspeech(record: Record, number: int, where: str) -> Row:
    """A row of the 1,100 queries. `where` is not needed: no key has to be there."""
    prompt = trajectory_pb2.Prompt(id=identity(record, number), question=str(record.get("user_query", "")))
    return Row(prompt, str(record.get("taskType", "")))


def mark(row: Row, judgement: str) -> float | None:
    """The mark in a judge's reply over the best one; None, not counted, where the reply has none."""
    found = _MARK.search(judgement)
    if found is None or not 1 <= int(found.group(1)) <= BEST:
        return None
    return int(found.group(1)) / BEST
