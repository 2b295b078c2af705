"""A trace between the segments of the clip that it is of, as a server that listens has the model write it down.

Thoughts stand in the human's turn, each piece behind a segment. The token behind a piece begins the next segment: where
a piece goes as far as it may, that token is learned too, and says to the server that there is no more to think.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple


class Interleaved(NamedTuple):
    """The part of a row that ends with the human's turn."""

    tokens: list[int]
    first: int
    """Tokens before the first that may be learned."""
    given: tuple[tuple[int, int], ...]
    """As `Row.given`, from there on."""
    said: int
    """Tokens of the trace that stand in it."""


def interleaved(
    head: list[int],
    segments: Sequence[list[int]],
    tail: list[int],
    thoughts: Sequence[int],
    most: int,
    *,
    ends: bool = False,
) -> Interleaved:
    """`segments`: the tokens of each, with its marks; `most` thoughts stand behind each but the last. `ends`: nothing
    sounds in the last segment.

    How far the clip has gone is told by its tokens: a segment's marks are as many for all.
    """
    heard = list(accumulate(map(len, segments), initial=0))
    tokens, said = head + segments[0], 0
    first, given = len(tokens), []
    if len(segments) == 1:
        return Interleaved(tokens + tail, len(tokens + tail), (), 0)
    for number, segment in enumerate(segments[1:]):
        over = ends and number == len(segments) - 2
        bound = len(thoughts) if over else heard[number] * len(thoughts) // heard[-1]
        end = min(said + most, bound)
        tokens += thoughts[said:end]
        said = end
        given.append((len(tokens) + (end == bound), len(tokens) + len(segment)))
        tokens += segment
    tokens += tail
    given[-1] = (given[-1][0], len(tokens))
    return Interleaved(tokens, first, tuple(given), said)
