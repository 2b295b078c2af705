"""What is thought between the segments of a clip, with an engine that keeps a request's tokens as vLLM does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rollout.prompts import PromptCodec
from serving.talk import Question, Tokens
from tests.unit.serving.serving_kit import LISTENER

if TYPE_CHECKING:
    from vllm import SamplingParams

    from serving.listening import EngineListening

CODEC = PromptCodec(str(LISTENER))
THOUGHTS = CODEC.ids("The first tone is near 390 Hz and the second is near 950 Hz, so the second is higher.")
ANSWER = CODEC.ids("\n</think>\nsecond") + CODEC.stop_ids[:1]
HEAD, MARK, TAIL = CODEC.around("Which is higher?")
SEGMENT = np.zeros(8_000, np.float32)


@pytest.fixture(scope="module")
def stride() -> int:
    """Imported here: vLLM takes 4 s of CPU to import, and every process collects every file."""
    from serving.listening import STRIDE

    return STRIDE


class Engine:
    """Draws one token after another of a script; the newest is thrown away where a request goes on."""

    codec, config = CODEC, SimpleNamespace(max_model_len=256)

    def __init__(self, script: Sequence[int], open_gate: bool = True) -> None:
        self.script = list(script)
        self.tokens: list[int] = []
        """Whose keys and values are there, but for the newest where that was drawn."""
        self.given: list[list[int]] = []
        self.drawn = 0
        self.gate = asyncio.Event()
        """Closed, nothing is drawn."""
        if open_gate:
            self.gate.set()

    def prompt(self, encoded: Any) -> dict[str, Any]:
        """As vLLM takes it."""
        return {"prompt_token_ids": encoded.token_ids}

    async def stream(self, parts: Any, params: SamplingParams, name: str) -> AsyncGenerator[Any, None]:
        """As `RolloutEngine.stream`."""
        async for part in parts:
            params, new = part.sampling_params, part.prompt["prompt_token_ids"]
            self.given.append(new)
            self.tokens = [*self.tokens[:-1], *new]
            for count in range(1, params.max_tokens + 1):
                await self.gate.wait()
                token = self.script[min(self.drawn, len(self.script) - 1)]
                stops = token in params.stop_token_ids
                self.drawn += not stops or token in CODEC.stop_ids
                self.tokens.append(token)
                ends = "stop" if stops else "length" if count == params.max_tokens else None
                yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=[token], finish_reason=ends)])
                if ends:
                    break


def listening(engine: Any, between: int) -> tuple[EngineListening, Question]:
    from vllm import SamplingParams

    from serving.listening import EngineListening

    question = Question("Which is higher?", segment_seconds=0.5, between=between)

    def params(asked: Question, behind: int) -> SamplingParams:
        return SamplingParams(max_tokens=256 - behind, stop_token_ids=CODEC.stop_ids)

    return EngineListening(engine, question, "heard0", params), question


async def settled(ears: EngineListening) -> None:
    assert ears._computing is not None
    await ears._computing


async def answer(ears: EngineListening, question: Question) -> tuple[str, str, Tokens]:
    tokens = Tokens()
    said = [piece async for piece in ears.answer(question, tokens, [SEGMENT])]
    await ears.close()
    return "".join(piece.reasoning for piece in said), "".join(piece.answer for piece in said), tokens


@pytest.mark.parametrize(("strides", "more"), [(1, -1), (2, 1)])
async def test_thoughts_stand_behind_the_segment_after_which_they_were_drawn(
    strides: int, more: int, stride: int
) -> None:
    between = strides * stride + more
    engine = Engine(THOUGHTS + ANSWER)
    ears, question = listening(engine, between)
    for _ in range(2):
        ears.hear(SEGMENT)
        await settled(ears)
    reasoning, words, tokens = await answer(ears, question)
    first, second, rest = THOUGHTS[:between], THOUGHTS[between : 2 * between], THOUGHTS[2 * between :]
    assert engine.tokens == [*HEAD, *MARK, *first, *MARK, *second, *MARK, *TAIL, *rest, *ANSWER]
    assert sum(map(len, engine.given)) == len(HEAD) + 3 * len(MARK) + len(TAIL) + sum(
        -(-between // stride) for _ in range(2)
    )  # nothing is given twice but for what vLLM has thrown away
    assert (reasoning, words) == (CODEC.text(THOUGHTS), "second")
    assert tokens.reasoning >= len(THOUGHTS) and tokens.answer == len(ANSWER) - 2

    quiet = Engine(ANSWER)
    ears, question = listening(quiet, 0)
    for _ in range(2):
        ears.hear(SEGMENT)
        await settled(ears)
    quiet.drawn = 0
    _, words, without = await answer(ears, question)
    assert quiet.tokens == [*HEAD, *MARK, *MARK, *MARK, *TAIL, *ANSWER] and words == "second"
    assert (tokens.prompt, tokens.cached) == (without.prompt, without.cached)


async def test_who_has_no_more_to_think_waits_for_the_next_segment(stride: int) -> None:
    engine = Engine([*THOUGHTS[:2], MARK[0]])
    ears, question = listening(engine, 2 * stride)
    ears.hear(SEGMENT)
    await settled(ears)
    assert engine.tokens == [*HEAD, *MARK, *THOUGHTS[:2], MARK[0]] and len(engine.given) == 1
    engine.script = [*THOUGHTS[:2], *ANSWER]
    reasoning, words, _ = await answer(ears, question)
    assert engine.tokens == [*HEAD, *MARK, *THOUGHTS[:2], *MARK, *TAIL, *ANSWER]
    assert (reasoning, words) == (CODEC.text(THOUGHTS[:2]), "second")


async def test_thoughts_give_way_to_what_is_still_to_be_heard(stride: int) -> None:
    engine = Engine(THOUGHTS + ANSWER, open_gate=False)
    ears, question = listening(engine, 4 * stride)
    ears.hear(SEGMENT)
    await asyncio.sleep(0)
    ears.hear(SEGMENT)  # while the first is being computed
    answering = asyncio.create_task(answer(ears, question))  # and the turn has ended
    await asyncio.sleep(0)
    engine.gate.set()
    reasoning, words, _ = await answering
    first, rest = THOUGHTS[:stride], THOUGHTS[stride:]
    assert engine.tokens == [*HEAD, *MARK, *first, *MARK, *MARK, *TAIL, *rest, *ANSWER]
    assert (reasoning, words) == (CODEC.text(THOUGHTS), "second")


async def test_thoughts_leave_room_for_clip_and_answer() -> None:
    engine = Engine([7])
    ears, _ = listening(engine, 200)
    for _ in range(3):
        ears.hear(SEGMENT)
        await settled(ears)
    assert engine.tokens.count(7) - 1 <= 256 // 4 + HEAD.count(7)
    await ears.close()
