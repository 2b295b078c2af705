"""`data` of a stage: one manifest, or several with weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from earwitness.recipe.schema.fields import Name, Strict


class Part(Strict):
    """One of several manifests of a stage: `data: [{name: audio, weight: 3}, {name: text, weight: 1}]`."""

    name: Name
    """Of the manifest."""
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    """Of so many prompts in a row as all weights together are, this many come from it; spread evenly."""


def _form(value: object) -> str:
    return "~mix" if isinstance(value, list | tuple) else "~name"


Data = Annotated[
    Annotated[Name, Tag("~name")] | Annotated[list[Part], Field(min_length=1, max_length=16), Tag("~mix")],
    Discriminator(_form),
]
"""Tags begin with ~ so that errors can leave them out of the path."""


def parts_of(data: str | list[Part]) -> list[Part]:
    """The manifests of a stage."""
    return [Part(name=data)] if isinstance(data, str) else data
