"""Conversations as data sets have them: a question whose clips stand among its words, and perhaps its answer.

Words and clips are a list of parts, as chat templates take them, or a text with `<audio>` where the clips of a column
beside it (`audios`) are heard, as training frameworks write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from earwitness.data.fields import sound
from earwitness.data.question import LeftOut, Sound
from earwitness.errors import shown

AUDIO_KEYS = ("audio", "audio_url", "input_audio", "path")
"""Of a part that is a clip, where it stands."""
_MARK = re.compile(r"<audio>|<\|audio\|>|<\|AUDIO\|>")
_ASKING, _ANSWERING = ("user", "human"), ("assistant", "gpt")


def is_conversation(value: object) -> bool:
    """Whether a column holds messages."""
    return isinstance(value, Sequence) and bool(value) and all(isinstance(turn, Mapping) for turn in value)


def read_conversation(turns: Sequence[Mapping[str, Any]], beside: object) -> tuple[list[str | Sound], str]:
    """Words and clips of the question in order, and the answer that stands behind it, "" where there is none.

    beside: the clips of the row, for marks among words; where nothing marks their places they stand before the words.
    Raises LeftOut for what is no question with at most one answer.
    """
    asked: list[str | Sound] = []
    answer = ""
    for number, turn in enumerate(turns):
        role, content = (turn.get(key, turn.get(other)) for key, other in (("role", "from"), ("content", "value")))
        if role in _ASKING and not asked:
            asked = list(_parts(content))
        elif role in _ANSWERING and asked and number == len(turns) - 1:
            answer = "".join(part for part in _parts(content) if isinstance(part, str)).strip()
        else:
            raise LeftOut(f"message {number + 1} of {len(turns)} is of {shown(role)[:40]}")
    if not any(isinstance(part, Sound) for part in asked):
        asked = placed(asked, clips_beside(beside))
    if not "".join(part for part in asked if isinstance(part, str)).strip():
        raise LeftOut("no question")
    return asked, answer


def _parts(content: object) -> list[str | Sound]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, Sequence):
        raise LeftOut(f"a message of {shown(content)[:40]}")
    found: list[str | Sound] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            found.append(part["text"])
        elif kind in AUDIO_KEYS and (clip := sound(part, *AUDIO_KEYS)) is not None:
            found.append(clip)
        else:
            raise LeftOut(f"a message's part {shown(part)[:60]}, neither text nor audio")
    return found


def clips_beside(beside: object) -> list[Sound]:
    """The clips of a column that holds one or several."""
    values = beside if isinstance(beside, Sequence) and not isinstance(beside, str | bytes) else [beside]
    return [clip for value in values if (clip := sound({"audio": value}, "audio")) is not None]


def placed(parts: Sequence[str | Sound], clips: Sequence[Sound]) -> list[str | Sound]:
    """Clips in the places of the marks among the words, or before them where there is none. Raises LeftOut."""
    words = [piece for part in parts if isinstance(part, str) for piece in _split(part)]
    marks = words.count(None)
    if not marks:
        return [*clips, *parts]
    if marks != len(clips):
        raise LeftOut(f"{marks} places for {len(clips)} clips")
    waiting = iter(clips)
    return [next(waiting) if piece is None else piece for piece in words if piece != ""]


def _split(text: str) -> list[str | None]:
    """Words, and None for each mark between them."""
    first, *rest = _MARK.split(text)
    return [first, *(piece for word in rest for piece in (None, word))]
