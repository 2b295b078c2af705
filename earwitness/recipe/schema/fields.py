"""What fields are made of: bounded numbers, names, URIs, and models in which an unknown key is a mistake."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from earwitness import storage
from earwitness.errors import InputError

MILLION = 1_000_000
Positive = Annotated[int, Field(ge=1, le=MILLION)]
"""A number of steps or prompts: a million steps of a second last twelve days, a million clips fill a terabyte."""
Count = Annotated[int, Field(ge=0, le=MILLION)]
"""As `Positive`, or none."""
Seed = Annotated[int, Field(ge=0, lt=2**53)]
"""Whole numbers that every reader of JSON keeps exactly."""
Tokens = Annotated[int, Field(ge=1, le=2**20)]
"""The longest contexts that models are made for."""
ThinkTokens = Annotated[int, Field(ge=0, le=2**20)]
"""As `Tokens`, or none."""
Group = Annotated[int, Field(ge=1, le=256)]
"""Trajectories of one prompt: what a worker's engine generates at a time."""
Batch = Annotated[int, Field(ge=1, le=65_536)]
"""Sequences or groups of one step: more do not make an update better, and must all be held at a time."""
Ranks = Annotated[int, Field(ge=1, le=1024)]
"""Ranks of one model; the largest trainings use fewer in each direction."""
Depth = Annotated[int, Field(ge=1, le=256)]
"""Layers or heads; twice as many as the deepest public models have."""
Width = Annotated[int, Field(ge=1, le=65_536)]
"""Numbers of a layer: as wide as the widest public models' feed-forward parts."""
Weight = Annotated[float, Field(ge=0.0, le=100.0)]
"""Of a term beside others of size 1; above, nothing else counts."""
Bound = Annotated[float, Field(gt=0.0, le=1e6)]
"""Of a quantity that is about 1; at its highest value it never binds."""
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names become parts of keys and folders."""


def _plain_uri(uri: str) -> str:
    try:
        storage.check_scheme(uri)
        if uri.startswith("memory:"):
            shared = "a store that every service of the mesh reaches"
            raise InputError("uri", "lies in the memory of one process", shared)
    except InputError as error:
        words = {"what": error.problem, "expected": error.expected}
        raise PydanticCustomError("uri", "{what}; expected {expected}", words) from error
    return uri


Uri = Annotated[str, Field(min_length=1), AfterValidator(_plain_uri)]
"""A path, or an fsspec URI of a plain store."""


class Strict(BaseModel):
    """Unknown keys are mistakes: a typo must not silently mean the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def described(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings under a model's fields say, inherited ones too. Read where it is asked for, which only
    mistakes do: pydantic's `use_attribute_docstrings` parses every model's source whenever a recipe is read."""
    found: dict[str, str] = {}
    for origin in reversed(model.__mro__):
        if issubclass(origin, BaseModel) and origin is not BaseModel:
            (source,) = ast.parse(inspect.getsource(origin)).body
            assert isinstance(source, ast.ClassDef)
            found |= docstrings(source)
    return found


def docstrings(model: ast.ClassDef) -> dict[str, str]:
    """Field name -> the docstring under it, of the fields that the class itself has."""
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(model.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def models_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models that a field takes by the value of their `type`, under which pydantic reports of them; "" for one that
    has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("type")
        return {str(kind.default) if kind else "": annotation}
    return {kind: model for part in get_args(annotation) for kind, model in models_in(part).items()}
