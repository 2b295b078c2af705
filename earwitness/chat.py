"""The words around a conversation: the prompt in its family's layout, and what a response is made of.

Whatever the layout, the generation prompt already ends in `<think>\\n`: a response starts inside the think block.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earwitness.errors import InputError
from earwitness.families.family import THINK_END, Layout
from earwitness.families.registry import FAMILIES, MADE
from earwitness.wire.trajectory.v1.trajectory_pb2 import Prompt

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Choices are lettered in this order; there can be no more of them than letters."""

_THINK_END_PIECES = ("</", "think")
"""How tokenizers without it begin `THINK_END`."""

_NOT_SAID = frozenset(token for family in FAMILIES for token in family.special_tokens) - {THINK_END}
"""Tokens of any family that a well-formed response does not hold."""

_TOKEN_LIKE = re.compile(r"<(?=[^<>\s]{1,64}>)")
"""A `<` that opens something shaped like a special token of any checkpoint (`<|EOT|>`, `<audio_17>`, `</think>`)."""


def question_text(prompt: Prompt) -> str:
    """The question, then one line for each lettered choice. Raises InputError if the letters do not suffice."""
    if len(prompt.choices) > len(LETTERS):
        raise InputError("choices", f"{len(prompt.choices)} choices", f"at most {len(LETTERS)}, one for each letter")
    lettered = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, prompt.choices, strict=False)]
    return "\n".join([prompt.question, *lettered])


def render_prompt(prompt: Prompt, heard: Sequence[Sequence[int]], layout: Layout = MADE.layout) -> str:
    """The generation prompt as text. heard: of each clip the audio placeholders of each of its segments; a clip that
    says where it stands stands there, another where the family puts it.

    Encode it with `add_special_tokens=False`: the special tokens are spelled out.
    """
    marks = [
        "".join(f"{start}{layout.audio_patch * count}{layout.audio_end}" for count in counts)
        for start, counts in zip(_starts(layout), heard, strict=False)
    ]
    question = question_text(prompt)
    if prompt.clips and marks:
        edges = [0, *(clip.at for clip in prompt.clips), len(question)]
        words = [neutralise(question[start:end]) for start, end in itertools.pairwise(edges)]
        said = words[0] + "".join(mark + after for mark, after in zip(marks, words[1:], strict=True))
    else:
        audio, question = "".join(marks), neutralise(question)
        said = audio + question if layout.audio_first else question + audio
    return f"{layout.opening}{said}{layout.end_of_turn}{layout.assistant}"


def around(question: str, layout: Layout = MADE.layout) -> tuple[str, str, str]:
    """What stands before the one clip of a question, the marks of one of its segments around one placeholder, and what
    stands behind them: put together, what `render_prompt` gives."""
    start = layout.audio_start.replace("{number}", "1")
    mark = f"{start}{layout.audio_patch}{layout.audio_end}"
    head, _, tail = render_prompt(Prompt(question=question), [[1]], layout).partition(mark)
    return head, mark, tail


def _starts(layout: Layout) -> Iterator[str]:
    """What stands before the segments of each clip in turn."""
    return (layout.audio_start.replace("{number}", str(number)) for number in itertools.count(1))


def render_response(reasoning: str, answer: str, layout: Layout = MADE.layout) -> str:
    """The response as text, to follow `render_prompt`; it ends the turn."""
    return f"{neutralise(reasoning)}\n{THINK_END}\n{neutralise(answer)}{layout.end_of_turn}"


def split_response(text: str) -> tuple[str | None, str | None]:
    """Reasoning and answer of a response, without the white space around them.

    Both are None unless the think block is closed exactly once and no other special token stands in the response:
    two answers are no answer. A single end-of-turn token at the end is allowed. Either part may be empty.
    """
    text = without_end(text)
    if text.count(THINK_END) != 1 or any(token in text for token in _NOT_SAID):
        return None, None
    reasoning, _, answer = text.partition(THINK_END)
    return reasoning.strip(), answer.strip()


def without_end(text: str) -> str:
    """A response without the token that ends its turn, whatever the family."""
    for family in FAMILIES:
        text = text.removesuffix(family.layout.end_of_turn)
    return text


def think_end_ids(tokenizer: Mapping[str, Any]) -> tuple[int, ...]:
    """The ids that begin `THINK_END`, from the content of a `tokenizer.json`: one, where it is a token of its own.

    Other tokenizers write it in pieces, the last of which takes what follows: the first two say enough.
    Raises InputError for a tokenizer that has neither.
    """
    added = {token["content"]: int(token["id"]) for token in tokenizer.get("added_tokens", [])}
    if THINK_END in added:
        return (added[THINK_END],)
    vocabulary = tokenizer.get("model", {}).get("vocab", {})
    if isinstance(vocabulary, Mapping) and all(piece in vocabulary for piece in _THINK_END_PIECES):
        return tuple(int(vocabulary[piece]) for piece in _THINK_END_PIECES)
    raise InputError("tokenizer.json", f"cannot write {THINK_END}", "the tokenizer of a reasoning model")


def think_length(token_ids: Sequence[int], think_end: Sequence[int]) -> int:
    """Tokens before the first occurrence of `think_end` (the ids of `THINK_END`); all of them if there is none."""
    ids, wanted = list(token_ids), list(think_end)
    starts = range(len(ids) - len(wanted) + 1)
    return next((start for start in starts if ids[start : start + len(wanted)] == wanted), len(ids))


def neutralise(text: str) -> str:
    """The text with a space behind each `<` that opens something like a special token.

    Questions and choices come from files: without this, `<|EOT|>` typed in a question would end the turn.
    """
    return _TOKEN_LIKE.sub("< ", text)
