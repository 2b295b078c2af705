"""The words around a conversation: special tokens, the prompt's layout, and what a response is made of.

The layout is Step-Audio-R1's: `<|BOT|>role\\n...<|EOT|>` turns, the question's text before its audio, and a generation
prompt that already ends in `<think>\\n`, so that a response starts inside the think block.
"""

from __future__ import annotations

import re

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2

PAD = "<|PAD|>"
BOT = "<|BOT|>"
EOT = "<|EOT|>"
AUDIO_START = "<audio_start>"
AUDIO_END = "<audio_end>"
AUDIO_PATCH = "<audio_patch>"
THINK = "<think>"
THINK_END = "</think>"

SPECIAL_TOKENS = [PAD, BOT, EOT, AUDIO_START, AUDIO_END, AUDIO_PATCH, THINK, THINK_END]
"""In the order of a toy tokenizer's ids, from 0. Other checkpoints bring their own ids: look them up by name."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Choices are lettered in this order; there can be no more of them than letters."""

_TOKEN_LIKE = re.compile(r"<(?=[^<>\s]{1,64}>)")
"""A `<` that opens something shaped like a special token of any checkpoint (`<|EOT|>`, `<audio_17>`, `</think>`)."""


def question_text(prompt: trajectory_pb2.Prompt) -> str:
    """The question, then one line for each lettered choice. Raises InputError if the letters do not suffice."""
    if len(prompt.choices) > len(LETTERS):
        raise InputError("choices", f"{len(prompt.choices)} choices", f"at most {len(LETTERS)}, one for each letter")
    lettered = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, prompt.choices, strict=False)]
    return "\n".join([prompt.question, *lettered])


def render_prompt(prompt: trajectory_pb2.Prompt, audio_tokens: int) -> str:
    """The generation prompt as text, with `audio_tokens` audio placeholders; 0 for a text-only prompt.

    Encode it with `add_special_tokens=False`: the special tokens are spelled out.
    """
    audio = f"{AUDIO_START}{AUDIO_PATCH * audio_tokens}{AUDIO_END}" if audio_tokens else ""
    question = neutralise(question_text(prompt))
    return f"{BOT}human\n{question}{audio}{EOT}{BOT}assistant\n{THINK}\n"


def render_response(reasoning: str, answer: str) -> str:
    """The response as text, to follow `render_prompt`; it ends the turn."""
    return f"{neutralise(reasoning)}\n{THINK_END}\n{neutralise(answer)}{EOT}"


def split_response(text: str) -> tuple[str | None, str | None]:
    """Reasoning and answer of a response, without the white space around them.

    Both are None unless the think block is closed exactly once and no other special token stands in the response:
    two answers are no answer. A single end-of-turn token at the end is allowed. Either part may be empty.
    """
    text = text.removesuffix(EOT)
    if text.count(THINK_END) != 1 or any(token in text for token in SPECIAL_TOKENS if token != THINK_END):
        return None, None
    reasoning, _, answer = text.partition(THINK_END)
    return reasoning.strip(), answer.strip()


def neutralise(text: str) -> str:
    """The text with a space behind each `<` that opens something like a special token.

    Questions and choices come from files: without this, `<|EOT|>` typed in a question would end the turn.
    """
    return _TOKEN_LIKE.sub("< ", text)
