"""The answer itself: without tags, boxes, markdown, and "the answer is"."""

from __future__ import annotations

import re
import unicodedata

MAX_ANSWER_CHARS = 2_000
"""A final answer is a line or two; what is longer is not one."""

_WRAPPERS = (
    re.compile(r"^<answer>(.*?)(?:</answer>)?$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^\$?\\boxed\{(.*)\}\$?$", re.DOTALL),
    re.compile(r"^\\text\{(.*)\}$", re.DOTALL),
    re.compile(
        r"^(?:so|thus|therefore|hence)?,?\s*(?:the |my )?(?:final |correct |right |best )?(?:answer|choice|option)"
        r"(?: is| would be| must be)?\s*[:=]?\s+(.+)$",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"^(?:final )?answer\s*[:=]\s*(.+)$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^(?:it is|it's|it was|that is|i (?:choose|pick|select|say))\s*:?\s+(.+)$", re.IGNORECASE | re.DOTALL),
)
_EDGES = " \t\r\n.,;:!?\"'`*_“”‘’«»"
_ARTICLE = re.compile(r"^(?:the|a|an) ")
_SPACES = re.compile(r"\s+")


def unwrap(answer: str) -> str:
    """`answer` without tags, boxes, markdown, and "the answer is"."""
    text = unicodedata.normalize("NFKC", answer[:MAX_ANSWER_CHARS]).strip(_EDGES)
    for _ in range(len(_WRAPPERS)):
        for wrapper in _WRAPPERS:
            match = wrapper.match(text)
            if match:
                text = match.group(1).strip(_EDGES)
                break
        else:
            break
    return text


def canonical(text: str) -> str:
    """`text` for comparison: NFKC, case-folded, single spaces, no edge punctuation, no leading article."""
    folded = unicodedata.normalize("NFKC", text).casefold().strip(_EDGES)
    return _ARTICLE.sub("", _SPACES.sub(" ", folded))
