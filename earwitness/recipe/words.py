"""Pydantic's errors in the words of a recipe: a path, what is wrong, what would be right."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from earwitness.errors import Problem, child_path, shown
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.rules import PROBE_MANIFESTS, Rule, StageOutline, order_rules
from earwitness.recipe.stages import BEGINNING, STAGES

Loc = tuple[str | int, ...]


def recipe_problems(error: ValidationError, data: object) -> list[Problem]:
    """One problem for each of pydantic's errors and each broken rule of the recipe read from `data`.

    Pydantic checks the rules of a model only when its fields are right; the order of the stages is then checked here,
    so that one wrong number does not hide that the stages cannot work.
    """
    details = error.errors(include_url=False)
    problems = [problem for detail in details for problem in _problems(detail)]
    if not any(detail["type"] == "rules" and detail["loc"] == () for detail in details):
        problems += [Problem(*rule) for holds, rule in _order_rules(data) if not holds]
    return problems


def path_text(loc: Sequence[str | int]) -> str:
    """`stages[1].tune.steps`; `recipe` for the document itself."""
    text = ""
    for part in loc:
        text = f"{text}[{part}]" if isinstance(part, int) else child_path(text, part)
    return text.removeprefix(".") or "recipe"


def _problems(detail: ErrorDetails) -> list[Problem]:
    loc, stage_type = _without_tags(detail["loc"])
    context: Mapping[str, Any] = detail.get("ctx", {})
    if detail["type"] == "rules":
        return [
            Problem(f"{path_text(loc) if loc else ''}.{rule.field}".strip("."), rule.what, rule.expected)
            for rule in context["rules"]
        ]
    if detail["type"] == "uri":
        return [Problem(path_text(loc), f"{shown(detail['input'])}: {context['what']}", context["expected"])]
    path, value = path_text(loc), detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return [Problem(path, "unknown key", _known_keys(loc, stage_type))]
        case "missing":
            return [Problem(path, "missing", _expected_type(loc, stage_type))]
        case "union_tag_not_found":
            return [Problem(f"{path}.type", "missing", f"one of {', '.join(STAGES)}")]
        case "union_tag_invalid":
            tag = context["tag"]
            return [Problem(f"{path}.type", f"unknown stage type {shown(tag)}", _nearest(tag, list(STAGES)))]
        case "literal_error":
            return [Problem(path, f"{shown(value)} is not known", context["expected"])]
        case "string_pattern_mismatch":
            expected = "lower-case letters, digits, - and _, at most 63, starting with a letter or digit"
            return [Problem(path.removesuffix("['[key]']"), f"{shown(value)} cannot be a name", expected)]
        case "string_too_short":
            return [Problem(path, "empty", "text")]
        case "finite_number":
            return [Problem(path, f"{shown(value)} is not finite", "a finite number")]
        case "too_short" | "too_long":
            return [Problem(path, f"{context['actual_length']} items", _bounds(context))]
    if bounds := _bounds(context):
        return [Problem(path, f"{shown(value)} is out of range", bounds)]
    return [Problem(path, f"{shown(value)} is {_kind(value)}", _TYPE_WORDS.get(detail["type"], detail["msg"]))]


_TYPE_WORDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text (quote it if it looks like a number)",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}


def _bounds(context: Mapping[str, Any]) -> str:
    words = {
        "ge": "at least",
        "gt": "more than",
        "le": "at most",
        "lt": "less than",
        "min_length": "at least",
        "max_length": "at most",
    }
    return " and ".join(f"{word} {context[key]}" for key, word in words.items() if key in context)


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "keys and values",
    }
    return names.get(type(value), type(value).__name__)


def _without_tags(loc: Loc) -> tuple[Loc, str | None]:
    """The path without the tag that pydantic inserts after a discriminated union's index, and the tag."""
    if len(loc) > 2 and loc[0] == "stages" and loc[2] in STAGES:
        return (*loc[:2], *loc[3:]), str(loc[2])
    return loc, None


def _known_keys(loc: Loc, stage_type: str | None) -> str:
    model = _model_at(loc[:-1], stage_type)
    if model is None:
        return "no such key"
    own_first = sorted(model.model_fields, key=lambda name: name not in model.__annotations__)
    return _nearest(str(loc[-1]), own_first)


def _nearest(name: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"{near[0]} (known: {', '.join(known)})" if near else f"one of {', '.join(known)}"


def _expected_type(loc: Loc, stage_type: str | None) -> str:
    model = _model_at(loc[:-1], stage_type)
    doc = model.model_fields[str(loc[-1])].description if model else None
    return f"a value: {doc.rstrip('.')}" if doc else "a value"


def _model_at(loc: Loc, stage_type: str | None) -> type[BaseModel] | None:
    """The model whose fields are the keys of the mapping at `loc`."""
    model: type[BaseModel] | None = Recipe
    if loc and loc[0] == "stages":
        model, loc = (STAGES[stage_type] if stage_type else None), loc[2:]
    for part in loc:
        field = model.model_fields.get(str(part)) if model else None
        model = _model_of(field.annotation) if field else None
    return model


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model of an annotation `Model` or `Model | None`."""
    options = (
        typing.get_args(annotation)
        if typing.get_origin(annotation) in (typing.Union, types.UnionType)
        else (annotation,)
    )
    models = [o for o in options if isinstance(o, type) and issubclass(o, BaseModel)]
    return models[0] if models else None


def _order_rules(data: object) -> list[tuple[bool, Rule]]:
    """The rules on the order of stages, from what can be read of a recipe with mistakes."""
    recipe = data if isinstance(data, dict) else {}
    model, manifests, stages = recipe.get("model"), recipe.get("data"), recipe.get("stages")
    toy = isinstance(model, dict) and model.get("toy") is not None
    provided = {
        *(manifests if isinstance(manifests, dict) else ()),
        *(PROBE_MANIFESTS if recipe.get("probe") is not None else ()),
    }
    return order_rules(toy, provided, [_outline(s) for s in stages] if isinstance(stages, list) else [], BEGINNING)


def _outline(stage: object) -> StageOutline:
    if not isinstance(stage, dict):
        return StageOutline(None, None)
    kind = stage.get("type")
    if not isinstance(kind, str) or kind not in STAGES:
        return StageOutline(None, None)
    model = STAGES[kind]
    data = stage.get("data", model.model_fields["data"].default)
    name = stage.get("name") if "name" in model.model_fields else None
    data, name = (value if isinstance(value, str) else None for value in (data, name))
    return StageOutline(kind, data, name, begins=model.begins)
