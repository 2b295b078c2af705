"""Rules between fields: what is right alone and wrong together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic_core import PydanticCustomError

from earwitness.errors import shown

PROBE_MANIFESTS = ("lessons", "cold_start", "train", "eval", "dev")
"""Manifests that `probe` provides, those of which it has clips. A split's index is part of every clip's seed, so no two
splits can share a clip."""


HEAD_SIZES = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256)
"""Sizes of an attention head that vLLM's kernels for the CPU are compiled for."""


class Rule(NamedTuple):
    """A rule that is broken."""

    field: str
    """Path of the field, from the model that holds the rule."""
    what: str
    """What is wrong."""
    expected: str
    """What would be right."""


def require(rules: Iterable[tuple[bool, Rule]]) -> None:
    """Raises one pydantic error that carries every rule that does not hold."""
    broken = [rule for holds, rule in rules if not holds]
    if broken:
        words = "; ".join(f"{r.field}: {r.what}; expected {r.expected}" for r in broken)
        raise PydanticCustomError("rules", "{words}", {"rules": broken, "words": words})


@dataclass(frozen=True)
class StageOutline:
    """What the order of stages depends on; None for what could not be read."""

    type: str | None
    data: Sequence[str | None]
    """Names of its manifests."""
    name: str | None = None
    """Only stages that the report names have one."""
    begins: bool = False
    """Whether a model with random weights can begin with it."""
    samples: bool = False
    """Whether it generates."""


def head_rules(hidden_size: int, heads: int, stages: Sequence[StageOutline]) -> list[tuple[bool, Rule]]:
    """Whether a toy's decoder can generate, if a stage wants it to: the trainer alone takes heads of any even size."""
    size = hidden_size // heads
    sampling = next((f"stages[{i}] ({stage.type})" for i, stage in enumerate(stages) if stage.samples), None)
    what = f"{heads} heads of size {size} (hidden_size {hidden_size}), with which {sampling} cannot sample"
    expected = f"hidden_size / heads one of {', '.join(map(str, HEAD_SIZES))}"
    return [(sampling is None or size in HEAD_SIZES, Rule("model.toy.heads", what, expected))]


def order_rules(
    toy: bool, provided: Collection[str], stages: Sequence[StageOutline], beginning: str
) -> list[tuple[bool, Rule]]:
    """Whether the stages can work in this order on this data. `beginning`: the types that can be a toy's first."""
    listing = ", ".join(sorted(provided)) or "none: give data or probe"
    rules = []
    for i, stage in enumerate(stages):
        for j, data in enumerate(stage.data):
            where = f"stages[{i}].data" + (f"[{j}].name" if len(stage.data) > 1 else "")
            expected = f"one that the recipe provides ({listing})"
            rules.append((data is None or data in provided, Rule(where, f"no manifest {shown(data)}", expected)))
            again = data is not None and data in stage.data[:j]
            rules.append((not again, Rule(where, f"{shown(data)} a second time", "another manifest, or its weight")))
    if toy and stages and stages[0].type is not None:
        what = f"{stages[0].type} before any {beginning}, but a toy model starts with random weights"
        rules.append((stages[0].begins, Rule("stages[0].type", what, f"{beginning} as the first stage")))
    first: dict[str, int] = {}
    for i, stage in enumerate(stages):
        if stage.name is not None:
            j = first.setdefault(stage.name, i)
            rules.append(
                (i == j, Rule(f"stages[{i}].name", f"{shown(stage.name)} is taken by stages[{j}]", "a name of its own"))
            )
    return rules
