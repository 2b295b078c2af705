"""The answer itself: without tags, boxes, markdown, "the answer is". What an edge means ("5!", ".5", "f'") stays."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_ANSWER_CHARS = 2_000
"""A final answer is a line or two; what is longer is not one."""

_ODD = "。、・’‘“”−‐‑　\u00a0\u2009\u202f–—"
_PLAIN: dict[int, int | str] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **{ord(odd): plain for odd, plain in zip(_ODD, ".,.''\"\"---    --", strict=True)},
}
"""Full-width ASCII, quotes and dashes. Other compatibility forms mean something: "10²" is not "102"."""
_PAIRS = (("**", "**"), ("__", "__"), ("*", "*"), ("_", "_"), ("`", "`"), ('"', '"'), ("'", "'"), ("«", "»"),
          ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("<answer>", "</answer>"),
          ("<answer>", ""))  # fmt: skip
_FIRST = (r"\boxed", r"\fbox", r"\text", r"\textbf", r"\mathrm", r"\mathbf")
"""LaTeX around a whole answer."""
_LEADS = (
    re.compile(
        r"^(?:so|thus|therefore|hence)?,?\s*(?:the |my )?(?:final |correct |right |best )?(?:answer|choice|option)"
        r"(?: is| would be| must be)?\s*[:=]?\s+(.+)$",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"^(?:final )?answer\s*[:=]\s*(.+)$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^(?:it is|it's|it was|that is|i (?:choose|pick|select|say))\s*:?\s+(.+)$", re.IGNORECASE | re.DOTALL),
    re.compile(
        r"^(?:所以|因此)?,?(?:我的|正确|最终)?(?:答案|选项|选择|我选|选)(?:应该|应)?[是为]?\s*:?\s*(.+)$", re.DOTALL
    ),
    re.compile(r"^(?:这|那|它)?(?:应该|应当|就)是\s*(.+)$", re.DOTALL),
)
_ARTICLE = re.compile(r"^(?:the|a|an) (?!(?:minor|major|flat|sharp)\b)", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_MORE_THAN_WORDS = re.compile(r"[^\w\s,.;:!'\"-]|\d|_")
"""What is not only words and the punctuation of a sentence: "3.5 m" is not "35 m"."""
_SPACES = re.compile(r"\s+")
_MAX_WRAPPERS = 12
RECENT = 256
"""Texts whose spelling is remembered: the choices of one question are read over and over."""


@lru_cache(maxsize=RECENT)
def clean(text: str) -> str:
    """`text` in one spelling of quotes, dashes, spaces and full-width forms, without what does not show."""
    shown = unicodedata.normalize("NFC", text[:MAX_ANSWER_CHARS]).translate(_PLAIN)
    return "".join(char for char in shown if char.isspace() or unicodedata.category(char)[0] != "C").strip()


def unwrap(answer: str) -> str:
    """`answer` without tags, boxes, markdown, and "the answer is"."""
    text = clean(answer)
    for _ in range(_MAX_WRAPPERS):
        bare = _without_lead(_without_pair(_edges(text)))
        if bare == text:
            break
        text = bare
    return text


@lru_cache(maxsize=RECENT)
def exact(text: str) -> str:
    """`text` for comparison where case and articles count: one spelling, single spaces, no end of a sentence."""
    return _SPACES.sub(" ", _edges(clean(text)))


def folded(text: str) -> str:
    """As `exact`, without case."""
    return exact(text).casefold()


def canonical(text: str) -> str:
    """As `folded`, without a leading article ("a violin"; but "A minor" is a key)."""
    return _ARTICLE.sub("", folded(text))


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same, where several words stand in each without the punctuation between them."""
    one, other = canonical(one), canonical(other)
    if one == other:
        return True
    words, others = _WORDS.findall(one), _WORDS.findall(other)
    return len(words) > 1 and words == others and not _MORE_THAN_WORDS.search(one + other)


def _edges(text: str) -> str:
    """`text` without the punctuation of a sentence around it, unless there is nothing else."""
    bare = text.strip().rstrip(",;:?")
    while bare.endswith((".", ",", ";", ":", "?")):
        bare = bare[:-1]
    said = bare.rstrip("!")
    if len(said) > 1 and said[-2:].isalpha():  # "n!" and "5!" are factorials
        bare = said
    bare = bare.lstrip(",;:?! \t")
    return bare.strip() or text.strip()


def _without_pair(text: str) -> str:
    for start, end in _PAIRS:
        inner = text[len(start) : len(text) - len(end)]
        around = text.lower().startswith(start) and text.lower().endswith(end) and len(text) > len(start) + len(end)
        if around and not (end and end in inner) and start not in inner:
            return inner.strip()
    for name in _FIRST:
        if text.startswith(name + "{") and _closes(text, len(name)) == len(text) - 1:
            return text[len(name) + 1 : -1].strip()
    return text


def _closes(text: str, start: int) -> int:
    """Where the brace that opens at `start` closes, or -1."""
    depth = 0
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return -1


def _without_lead(text: str) -> str:
    for lead in _LEADS:
        if match := lead.match(text):
            return match[1].strip()
    return text
