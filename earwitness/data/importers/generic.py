"""Any table of questions: columns by the names that data sets commonly give them, or as a person says."""

from __future__ import annotations

import re

from earwitness.chat import LETTERS
from earwitness.data.choices import at_index, listed, settled
from earwitness.data.conversation import clips_beside, is_conversation, placed, read_conversation
from earwitness.data.fields import is_nothing, kept, looks_like_sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row, Sound
from earwitness.errors import InputError, shown
from earwitness.manifest import POLAR_ANSWERS, VERIFIERS

NAMES = {
    "id": ("id", "uid", "question_id", "qid", "index"),
    "audio": ("audio", "audio_path", "audio_file", "audio_filepath", "file_name", "wav", "wav_path", "path", "context"),
    "question": ("question", "question_text", "query", "prompt", "instruction", "problem"),
    "choices": ("choices", "options", "multi_choice"),
    "answer": (
        "answer",
        "answer_gt",
        "correct_answer",
        "answerKey",
        "ground_truth",
        "solution",
        "target",
        "reference",
        "label",
        "official_answer",
    ),
    "answer_index": ("answer_index", "answer_idx", "correct_index", "correct_idx"),
    "kind": ("kind", "category", "task", "type"),
    "verifier": ("verifier",),
    "reasoning": ("reasoning", "thinking", "cot"),
    "messages": ("messages", "conversation", "conversations", "prompt"),
    "audios": ("audios", "audio"),
}
"""Columns of each key, the first that has a value; of `messages` the first that holds a conversation, of `audios` the
first that holds clips, one or several. `answer_index` is the number of the right choice, from 0."""
_OFTEN_WORDS = ("context", "path")
"""Names of clips that other tables have for something else."""
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
        there = (name for name in NAMES[key] if not is_nothing(fields.get(name)))
        if key == "audio":
            there = (name for name in there if name not in _OFTEN_WORDS or looks_like_sound(fields[name]))
        return next(there, "")

    talk, said, answer = _conversation(row, columns), "", text(fields, column("answer"))
    beside = fields.get(column("audio") or column("audios"))
    if talk:
        parts, said = read_conversation(fields[talk], beside)
    elif asked := text(fields, column("question")):
        parts = placed([asked], clips_beside(beside))
    else:
        raise LeftOut("no question")
    used = {column(key) for key in NAMES} | {talk}
    clips = [part for part in parts if isinstance(part, Sound)]
    if not clips:
        _refuse_unnamed_clips(row, used)
    choices = listed(fields.get(column("choices"))) or _lettered_columns(row)
    if choices and not answer and (number := text(fields, column("answer_index"))):
        answer = at_index(choices, number)
    answer = _bare(answer or said)
    if not answer:
        raise LeftOut("no answer")
    if choices:
        choices, answer = settled(choices, answer)
    alone = len(clips) == 1 and parts[0] is clips[0] and not talk
    return Question(
        text(fields, column("id")) or f"{row.split}-{row.number}".lstrip("-"),
        "".join(part for part in parts if isinstance(part, str)).strip(),
        answer,
        _verifier(text(fields, column("verifier")), answer, bool(choices)),
        choices,
        clips[0] if alone else None,
        text(fields, column("kind")),
        text(fields, column("reasoning")) or None,
        kept(fields, (k for k, v in fields.items() if k not in used and isinstance(v, str | int | float) and v == v)),
        parts if clips and not alone else (),
    )


def _refuse_unnamed_clips(row: Row, used: set[str]) -> None:
    """A question whose clip stands under a name that says nothing must not become one about no clip."""
    for name, value in row.fields.items():
        if name not in used and looks_like_sound(value):
            raise LeftOut(f"column {shown(name)} may be the clip: --field audio={name} says that it is")


def _conversation(row: Row, columns: Columns) -> str:
    """The column that holds messages; "" where there is none."""
    names = (columns["messages"],) if "messages" in columns else NAMES["messages"]
    return next((name for name in names if is_conversation(row.fields.get(name))), "")


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
    """Choices in columns `choice_a`, `option_b`, `C` ...; "" where one between them has none."""
    found = {
        match[1].lower(): text(row.fields, name)
        for name in row.fields
        if (match := _LETTER_COLUMN.fullmatch(name)) and text(row.fields, name)
    }
    if not {"a", "b"} <= found.keys():
        return []
    return [found.get(letter.lower(), "") for letter in LETTERS[: LETTERS.index(max(found).upper()) + 1]]


IMPORTER = Importer(question, by_split=True)
