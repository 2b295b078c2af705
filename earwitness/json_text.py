"""JSON from outside: what nests deeper than anything of ours or of models does is refused where it is read."""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 100
"""Deepest nesting: configs of models need six levels, a tokenizer eight. Python's own limit is the stack that is left,
so what is just read here would break whatever walks it later."""

TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def parsed(text: str | bytes, **hooks: Any) -> Any:
    """As `json.loads`. Raises ValueError for all that is wrong, deep nesting too."""
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    opened = text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")
    if opened > MAX_DEPTH:  # else it cannot be so deep
        _check(value)
    return value


def _check(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return
        level = below
    raise ValueError(TOO_DEEP)
