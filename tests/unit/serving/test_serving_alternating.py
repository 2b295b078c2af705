"""Thoughts and words in turns, with an engine that says what it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from rollout.prompts import EncodedPrompt, PromptCodec
from serving.alternating import Alternating
from serving.decoding import Decoding
from serving.talk import Question, Tokens
from tests.unit.serving.serving_kit import LISTENER

CODEC = PromptCodec(str(LISTENER))
THOUGHTS = "The first tone is near 390 Hz and the second is near 950 Hz, so the second is higher."
ANSWER = "The second tone is higher."
SIZE = 4


@dataclass
class Params:
    """Of vLLM, what is looked at."""

    max_tokens: int = 200

    def clone(self) -> Params:
        """Another."""
        return Params(self.max_tokens)


class Scripted:
    """As `EngineListening`: the thoughts, then the answer, whatever it is given."""

    def __init__(self, closing: str = "\n</think>\n") -> None:
        self.engine = SimpleNamespace(codec=CODEC)
        self.thoughts = CODEC.ids(THOUGHTS + closing)
        self.answer = [*CODEC.ids(ANSWER), CODEC.stop_ids[0]]
        self.thought: list[int] = []
        self.said: list[int] = []
        self.turns = ""

    async def step(self, part: EncodedPrompt, params: Any) -> AsyncGenerator[Any, None]:
        """More thoughts: behind the last, which is given again."""
        assert part.token_ids == (self.thought[-1:] or [7])
        self.turns += "r"
        async for sample in self._say(self.thoughts, self.thought, params.max_tokens):
            yield sample

    async def aside(self, behind: Sequence[int], params: Any) -> AsyncGenerator[Any, None]:
        """More words: behind the thoughts so far, as if they were all, and what has been said."""
        text = CODEC.text(self.thought).partition("\n</think>")[0]
        assert CODEC.text(list(behind)) == f"{text}\n</think>\n" + CODEC.text(self.said)
        self.turns += "a"
        async for sample in self._say(self.answer, self.said, params.max_tokens):
            yield sample

    async def _say(self, script: list[int], given: list[int], most: int) -> AsyncGenerator[Any, None]:
        new = script[len(given) : len(given) + most]
        for number, token in enumerate(new):
            given.append(token)
            ends = "stop" if token in CODEC.stop_ids else "length" if number == most - 1 else None
            yield SimpleNamespace(token_ids=[token], finish_reason=ends)


async def run(scripted: Scripted, **asked: Any) -> tuple[str, str, Tokens]:
    tokens = Tokens()
    question = Question("Which is higher?", think_tokens=SIZE, while_speaking=True, **asked)
    thinking = Decoding(CODEC, tokens)
    alternating = Alternating(scripted, Params(), question, tokens, thinking)  # type: ignore[arg-type]
    said = [piece async for piece in alternating.run(EncodedPrompt([7], [], []))]
    return "".join(piece.reasoning for piece in said), "".join(piece.answer for piece in said), tokens


async def test_segments_take_turns_and_all_that_is_said_is_the_answer() -> None:
    scripted = Scripted()
    thoughts, answer, tokens = await run(scripted)
    assert answer == ANSWER and thoughts != "" and THOUGHTS.startswith(thoughts)
    assert scripted.turns == "ra" * (-(-len(scripted.answer) // SIZE)) and tokens.finish == "stop"
    assert tokens.answer == len(scripted.answer) + 1  # the line break behind the closing tag


@pytest.mark.parametrize("left", [0.0, 60.0])
async def test_it_thinks_on_as_long_as_there_is_sound_to_be_heard(left: float) -> None:
    scripted = Scripted()
    _, answer, _ = await run(scripted, left=lambda: left)
    assert answer == ANSWER
    whole = -(-len(scripted.answer) // SIZE)
    assert scripted.turns == ("r" + "a" * whole if left == 0 else "ra" * whole)


async def test_when_the_thoughts_have_ended_the_answer_goes_on_to_its_end() -> None:
    scripted = Scripted()
    scripted.thoughts = CODEC.ids("So.\n</think>\n")
    thoughts, answer, tokens = await run(scripted)
    assert (thoughts, answer, tokens.finish) == ("So.", ANSWER, "stop")
    assert scripted.turns in ("ra", "rara")
