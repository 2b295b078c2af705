"""WildSpeech-Bench: a language model marks each response from 1 to 10.

Its replies stand in the file of answers under `judgement`; responses without one are marked by the judge that the
environment names (EW_JUDGE_URL, EW_JUDGE_MODEL, EW_JUDGE_KEY). The published program asks gpt-4o-mini at temperature
0.5 in its own words; ours asks at temperature 0, so marks of the two are not to be compared to the decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from earwitness.data.importers.wildspeech import marked_by
from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity, read_predictions
from reward.endpoint import endpoint_settings
from reward.judge import BEST_MARK, EndpointJudge, read_mark

ASKED_AT_ONCE = 16
"""Requests to the judge at a time."""


def read_wildspeech(record: Record, number: int, where: str) -> Row:
    """A row of the 1,100 queries, its checklist as the reference. `where` is not needed: no key has to be there."""
    prompt = trajectory_pb2.Prompt(
        id=identity(record, number),
        question=str(record.get("user_query", "")),
        answer=marked_by(record.get("checklist") or ""),
    )
    return Row(prompt, str(record.get("taskType", "")))


def judgements(rows: Sequence[Row], answers: str) -> dict[str, str | None]:
    """The judge's reply to each response in the file `answers`, by id; None where there is no response.

    Raises InputError if responses are to be marked and no judge is set up, EndpointFailure if it gives no mark: a
    row that could not be marked is not a wrong one.
    """
    found = read_predictions(answers, "judgement", also="")
    responses = read_predictions(answers, "response")
    to_mark = [row.prompt for row in rows if found.get(row.prompt.id) is None and responses.get(row.prompt.id)]
    if not to_mark:
        return found
    settings = endpoint_settings("EW_JUDGE")
    if settings is None:
        problem = f"is not set, and {len(to_mark)} responses have no judgement"
        raise InputError("EW_JUDGE_URL", problem, "base URL of a judge, or its replies under 'judgement'")
    with EndpointJudge(settings) as judge, ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        marks = pool.map(lambda prompt: judge.mark(prompt.question, prompt.answer, responses[prompt.id] or ""), to_mark)
        return found | {prompt.id: f"Score: [{mark}]" for prompt, mark in zip(to_mark, marks, strict=True)}


def mark(row: Row, judgement: str) -> float | None:
    """The mark in a judge's reply over the best one; None, not counted, where the reply has none."""
    found = read_mark(judgement)
    return None if found is None else found / BEST_MARK
