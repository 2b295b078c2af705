"""Any table of questions: columns by the names that data sets commonly give them, or as a person says."""

from __future__ import annotations

import re

from earwitness.data.choices import listed, settled
from earwitness.data.fields import kept, sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row
from earwitness.errors import InputError, shown
from earwitness.manifest import POLAR_ANSWERS, VERIFIERS

NAMES = {
    "id": ("id", "uid", "question_id", "qid", "index"),
    "audio": ("audio", "audio_path", "audio_file", "audio_filepath", "file_name", "wav", "wav_path", "path", "context"),
    "question": ("question", "question_text", "query", "prompt", "instruction", "problem"),
    "choices": ("choices", "options", "multi_choice"),
    "answer": ("answer", "answer_gt", "solution", "target", "reference", "label", "official_answer"),
    "kind": ("kind", "category", "task", "type"),
    "verifier": ("verifier",),
    "reasoning": ("reasoning", "thinking", "cot"),
}
"""Columns of each key, the first that has a value."""
_COUNT = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_SOLVED = re.compile(r"####\s*(?P<gsm8k>\S.*?)\s*$|<answer>\s*(?P<tagged>.*?)\s*</answer>", re.DOTALL)
_LETTER_COLUMN = re.compile(r"(?:choice|option)?_?([a-zA-Z])")


def question(row: Row, columns: Columns) -> Question:
    """Verifier: as a column says; `choice` with choices; else `polar`, `number` or `text` by what the answer is."""
    if unknown := sorted(columns.keys() - NAMES.keys()):
        raise InputError("--field", f"unknown key {shown(unknown[0])}", f"one of {', '.join(NAMES)}")
    fields = row.fields

    def column(key: str) -> str:
        if key in columns:
            return columns[key]
        return next((name for name in NAMES[key] if fields.get(name) not in (None, "")), "")

    asked, answer = text(fields, column("question")), _bare(text(fields, column("answer")))
    if not asked:
        raise LeftOut("no question")
    if not answer:
        raise LeftOut("no answer")
    choices = listed(fields.get(column("choices"))) or _lettered_columns(row)
    if choices:
        choices, answer = settled(choices, answer)
    used = {column(key) for key in NAMES}
    return Question(
        text(fields, column("id")) or f"{row.split}-{row.where.rpartition(' ')[2]}".lstrip("-"),
        asked,
        answer,
        _verifier(text(fields, column("verifier")), answer, bool(choices)),
        choices,
        sound(fields, column("audio")),
        text(fields, column("kind")),
        text(fields, column("reasoning")) or None,
        kept(fields, (k for k, v in fields.items() if k not in used and isinstance(v, str | int | float) and v == v)),
    )


def _verifier(named: str, answer: str, has_choices: bool) -> str:
    if named:
        if named not in VERIFIERS:
            raise LeftOut(f"unknown verifier {shown(named)[:40]}")
        return named
    if has_choices:
        return "choice"
    if answer.casefold() in POLAR_ANSWERS:
        return "polar"
    return "number" if _COUNT.fullmatch(answer) else "text"


def _bare(answer: str) -> str:
    """The answer behind its solution ("#### 5") or within tags, as data for reinforcement learning has it."""
    found = _SOLVED.search(answer)
    return (found["gsm8k"] or found["tagged"] or "").strip() if found else answer


def _lettered_columns(row: Row) -> list[str]:
    """Choices in columns `choice_a`, `option_b`, `C` ... as far as they go without a gap."""
    found = {
        match[1].lower(): text(row.fields, name)
        for name in row.fields
        if (match := _LETTER_COLUMN.fullmatch(name)) and text(row.fields, name)
    }
    choices: list[str] = []
    while (letter := chr(ord("a") + len(choices))) in found:
        choices.append(found[letter])
    return choices if len(choices) > 1 else []


IMPORTER = Importer(question, by_split=True)
