"""Think blocks cut and joined from outside: what was generated behind a point is taken back, as if it never was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from earwitness.families.family import THINK_END
from earwitness.wire.trajectory.v1 import trajectory_pb2


def thought_end(token_ids: Sequence[int], decode: Callable[[list[int]], str]) -> int | None:
    """How many of a response's tokens stand before the end of its think block, its line break left out; None while it
    is open."""
    tokens = list(token_ids)
    if THINK_END not in decode(tokens):
        return None
    end = next(n for n in range(1, len(tokens) + 1) if THINK_END in decode(tokens[:n]))
    start = next(n for n in range(end - 1, -1, -1) if THINK_END in decode(tokens[n:end]))
    return start - 1 if start and decode([tokens[start - 1]]) == "\n" else start


def holds(token_ids: Sequence[int], words: Sequence[int]) -> bool:
    """Whether the tokens of `words` stand in it, one behind the other."""
    return any(list(token_ids[at : at + len(words)]) == list(words) for at in range(len(token_ids)))


def cut(trajectory: trajectory_pb2.Trajectory, length: int) -> None:
    """Takes back every token behind the first `length`, and that it has ended."""
    del trajectory.token_ids[length:]
    del trajectory.logprobs[length:]
    left = length
    for span in trajectory.versions:
        span.tokens = min(span.tokens, left)
        left -= span.tokens
    kept = [span for span in trajectory.versions if span.tokens]
    del trajectory.versions[len(kept) :]
    trajectory.finish_reason, trajectory.text = trajectory_pb2.FINISH_REASON_UNSPECIFIED, ""
