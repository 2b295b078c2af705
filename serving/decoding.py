"""What vLLM generates, token by token, as words of the reasoning and of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rollout.prompts import PromptCodec
from serving.talk import Tokens
from serving.thinking import Said, Thinking

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.outputs import CompletionOutput


class Decoding:
    """One response."""

    def __init__(self, codec: PromptCodec, tokens: Tokens) -> None:
        """Counts into `tokens`."""
        self._thinking, self._piece, self._codec, self._tokens = Thinking(), codec.pieces(), codec, tokens

    @property
    def thinks(self) -> bool:
        """True until the think block has ended."""
        return not self._thinking.closed

    def take(self, sample: CompletionOutput) -> Said:
        """What the newest tokens say."""
        said = self.read(sample.token_ids)
        if sample.finish_reason is not None:
            self._tokens.finish = sample.finish_reason
        return said

    def read(self, token_ids: Sequence[int]) -> Said:
        """What tokens say, whoever wrote them."""
        reasoning = answer = ""
        for token in token_ids:
            if self.thinks:
                self._tokens.reasoning += 1
            else:
                self._tokens.answer += 1
            if token not in self._codec.stop_ids:
                said = self._thinking.take(self._piece(token))
                reasoning, answer = reasoning + said.reasoning, answer + said.answer
        return Said(reasoning, answer)

    def end(self) -> Said:
        """What was held back."""
        return self._thinking.end()


def at_most(params: SamplingParams, count: int) -> SamplingParams:
    """Parameters that are the same, for no more tokens than `count`."""
    fewer: SamplingParams = params.clone()
    fewer.max_tokens = max(0, min(params.max_tokens or 0, count))
    return fewer
