"""What fields are made of: bounded numbers, names, URIs, and models in which an unknown key is a mistake."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from earwitness import storage
from earwitness.errors import InputError

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""Names become parts of keys and folders."""


def _plain_uri(uri: str) -> str:
    try:
        storage.check_scheme(uri)
    except InputError as error:
        raise PydanticCustomError(
            "uri", "{what}; expected {expected}", {"what": error.problem, "expected": error.expected}
        ) from error
    return uri


Uri = Annotated[str, Field(min_length=1), AfterValidator(_plain_uri)]
"""A path, or an fsspec URI of a plain store."""


class Strict(BaseModel):
    """Unknown keys are mistakes: a typo must not silently mean the default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def models_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models that a field takes by the value of their `type`, under which pydantic reports of them; "" for one that
    has none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("type")
        return {str(kind.default) if kind else "": annotation}
    return {kind: model for part in get_args(annotation) for kind, model in models_in(part).items()}
