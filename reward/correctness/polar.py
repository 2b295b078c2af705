"""Answers with two sides: yes or no, true or false, valid or invalid, each also by negation of the other."""

from __future__ import annotations

import re

POSITIVE_NEGATIVE = (("yes", "no"), ("true", "false"), ("valid", "invalid"), ("correct", "incorrect"))
"""Pairs of answers; a question expects one pair and is answered in it, except that yes and true are the same."""
_YES_NO = ("yes", "no")
_SAME = {"true": "yes", "false": "no", "yeah": "yes", "yep": "yes", "nope": "no", "nah": "no"}
OPPOSITE = {word: other for pair in POSITIVE_NEGATIVE for word, other in (pair, pair[::-1])}
_ALONE = {
    word: side
    for side, words in (
        ("yes", "y|absolutely|definitely|certainly|indeed|sure|of course|correct|right|i think so|i believe so"),
        ("yes", "sí|si|oui|ja|да|sim|是|是的|对|对的|はい|네"),
        ("no", "n|never|no way|not really|not at all|absolutely not|definitely not|certainly not|of course not"),
        ("no", "i don't think so|i do not think so|i doubt it|non|nein|нет|não|不是|不|否|不对|没有|いいえ|아니요"),
    )
    for word in words.split("|")
}
"""What says yes or no where nothing else is said."""
_NO_DOUBT = re.compile(r"^(?:there is )?no doubt\b[\s,:;]*(?:about it\b[\s,:;]*)?|[\s,;]*\bno doubt\W*$", re.IGNORECASE)
_NEGATIONS = frozenset({"not", "never", "neither", "nor", "hardly", "cannot", "non", "far", "anything"})
"""With "far from" and "anything but"."""
_NEGATION_REACH = 3
"""Words between a negation and what it negates: "is not in fact valid". One farther away may mean anything."""
_BREAKS = frozenset({",", ";", ".", ":", "but", "so", "therefore", "hence", "thus", "because", "since"})
_UNSURE = frozenset(
    {
        "wrong",
        "fail",
        "fails",
        "failed",
        "failing",
        "unlikely",
        "doubtful",
        "if",
        "whether",
        "unless",
        "lacks",
        "refuse",
    }
    | {"used", "longer", "formerly", "previously", "once", "first", "initially", "thought", "supposedly", "seemingly"}
    | {"barely", "scarcely", "semi", "expected", "assumed"}
    | {"without", "opposite", "deny", "denies", "untrue", "mistaken", "almost", "nearly", "pretend", "neither"}
)
"""Words in whose clause a side is not taken, whichever it names."""
_TAKEN_BACK = re.compile(r"(?:\bnot|n't)\W*$", re.IGNORECASE)
"""A denial of what was said before it: "it seems valid but is not"."""
_UNDECIDED = "undecided"
_MANY = 400
"""Words that are read: an answer is a sentence or two."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[^\w\s]")


def polar_answer(text: str, expected: str) -> str | None:
    """The side that `text` takes in the pair of `expected` ("yes" also for "true"), or None if none or both.

    "not valid" is invalid, "not invalid" is valid. A leading yes or no decides, what follows explains it; elsewhere
    "no" counts only where it stands alone ("the answer is no"), not as in "no way back".
    """
    wanted = _side(expected.casefold().strip())
    if wanted is None:
        return None
    text = _NO_DOUBT.sub("", text)
    words = _WORD.findall(text.casefold().replace("’", "'"))[:_MANY]
    if words[2:] and words[-1] == "?":
        return None
    if wanted in _YES_NO and (alone := _ALONE.get(text.casefold().replace("’", "'").strip(" .!,。！"))):
        return alone
    taken = [_side_at(words, position) for position in range(len(words))]
    if words and words[0] not in _YES_NO and _TAKEN_BACK.search(text.replace("’", "'")):
        return None
    if words[1:2] and words[1] in ("?", "once", "longer"):  # "yes? I do not think so", "no longer no"
        return None
    sides = {side for side in taken if side in (wanted, OPPOSITE[wanted], _UNDECIDED)}
    if wanted in _YES_NO and words and words[0] in _YES_NO:
        # What follows explains: "Yes, it is not true that". Only a plain yes or no can take it back.
        sides = {word for index, word in enumerate(words) if word in _YES_NO and _stands_alone(words, index)}
    side = sides.pop() if len(sides) == 1 else None
    return None if side == _UNDECIDED else side


def _side_at(words: list[str], position: int) -> str | None:
    """The side that the word at `position` takes, turned by the negations before it."""
    side = _side(words[position])
    if side is None or not _stands_alone(words, position):
        return None
    if words[position + 1 : position + 2] == ["?"]:
        return _UNDECIDED
    clause = _clause_before(words, position)
    unsure = _UNSURE - {"wrong"} if side in ("correct", "incorrect") else _UNSURE
    if unsure & {*clause, *words[position + 1 : position + 4]}:
        return _UNDECIDED
    if "doubt" in clause and not {"no", "without"} & set(clause):
        return _UNDECIDED
    near = clause[-_NEGATION_REACH:]
    if _negations(near) != _negations(clause):
        return _UNDECIDED
    return OPPOSITE[side] if _negations(near) % 2 else side


def _clause_before(words: list[str], position: int) -> list[str]:
    """The words of the clause before `position`."""
    start = position
    while start and (words[start - 1] not in _BREAKS or words[start - 2 : start] == ["anything", "but"]):
        start -= 1
    return words[start:position]


def _stands_alone(words: list[str], position: int) -> bool:
    """False for the "no" of "no way back"; a "no" that begins an answer always stands alone."""
    following = words[position + 1] if position + 1 < len(words) else "."
    return words[position] != "no" or position == 0 or following == "or" or not following.isalpha()


def _side(word: str) -> str | None:
    word = _SAME.get(word, word)
    return word if word in OPPOSITE else None


def _negations(words: list[str]) -> int:
    """Negations among `words`."""
    return sum(word in _NEGATIONS or word.endswith("n't") for word in words)
