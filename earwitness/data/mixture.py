"""Prompts of several manifests in turns, by weight: a pure function of the ordinal, and nothing as long as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import gcd
from typing import NamedTuple

from earwitness.manifest import Example, write_manifest


class Portion(NamedTuple):
    """What one manifest gives to a mix."""

    weight: int
    prompts: int


class _Cycle(NamedTuple):
    """The order that repeats."""

    places: tuple[tuple[int, int], ...]
    """(portion, how many of it came before in the cycle)."""
    shares: tuple[int, ...]
    """Places of each portion."""


@lru_cache(maxsize=64)
def _cycle(weights: tuple[int, ...]) -> _Cycle:
    """Evenly spread: a portion of weight w has the middles of w equal stretches of the cycle; where two are the same
    the earlier portion comes first."""
    divisor = gcd(*weights)
    middles = [
        ((2 * nth + 1) / (weight // divisor), portion, nth)
        for portion, weight in enumerate(weights)
        for nth in range(weight // divisor)
    ]
    return _Cycle(
        tuple((portion, nth) for _, portion, nth in sorted(middles)), tuple(weight // divisor for weight in weights)
    )


def portion_of(portions: Sequence[Portion], ordinal: int) -> tuple[int, int]:
    """Which portion an ordinal asks, and for the how-manieth time from 0. Portions without prompts are left out."""
    present, cycle = _present(portions)
    turn, place = divmod(ordinal, len(cycle.places))
    at, nth = cycle.places[place]
    return present[at], turn * cycle.shares[at] + nth


def before_a_repeat(portions: Sequence[Portion]) -> int:
    """How many ordinals there are before one asks a prompt a second time."""
    present, cycle = _present(portions)
    counts = [portions[place].prompts for place in present]
    turns = min(count // share for count, share in zip(counts, cycle.shares, strict=True))
    left = [count - turns * share for count, share in zip(counts, cycle.shares, strict=True)]
    short = (place for place, (at, nth) in enumerate(cycle.places) if nth >= left[at])
    return turns * len(cycle.places) + next(short, len(cycle.places))


def until_all(portions: Sequence[Portion]) -> int:
    """How many ordinals there are until each prompt has been asked, in whole turns."""
    present, cycle = _present(portions)
    turns = max(-(-portions[place].prompts // share) for place, share in zip(present, cycle.shares, strict=True))
    return turns * len(cycle.places)


def write_mix(
    uri: str, manifests: Sequence[tuple[str, int, Sequence[Example]]], count: int | None = None
) -> dict[str, int]:
    """Writes one manifest of several (name, weight, examples), in turns by weight; returns how many lines each gave.

    Without `count` each example stands in it at least once, those of shorter manifests again as the weights ask. Ids
    are `name/id`, and of a second time `name/id~2`. Clips must be named by absolute URIs.
    """
    portions = [Portion(weight, len(examples)) for _, weight, examples in manifests]
    total = until_all(portions) if count is None else count
    given: Counter[str] = Counter()

    def mixed() -> Iterator[Example]:
        for ordinal in range(total):
            at, nth = portion_of(portions, ordinal)
            name, _, examples = manifests[at]
            again, place = divmod(nth, len(examples))
            given[name] += 1
            yield renamed(examples[place], name, again)

    write_manifest(uri, mixed())
    return dict(given)


def renamed(example: Example, name: str, again: int = 0) -> Example:
    """A copy whose id is unique in a mix."""
    prompt = type(example.prompt)()
    prompt.CopyFrom(example.prompt)
    prompt.id = f"{name}/{prompt.id}" + (f"~{again + 1}" if again else "")
    return Example(prompt, example.reasoning, example.response, example.extra)


def _present(portions: Sequence[Portion]) -> tuple[list[int], _Cycle]:
    present = [place for place, portion in enumerate(portions) if portion.prompts]
    return present, _cycle(tuple(portions[place].weight for place in present))
