"""Pydantic's errors in the words of a recipe: a path, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from earwitness.errors import Problem, child_path, shown
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.rules import PROBE_MANIFESTS, Rule, StageOutline, order_rules
from earwitness.recipe.schema.fields import described, models_in
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
    place = _place(detail["loc"], detail["type"] == "extra_forbidden")
    loc = place.path
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
            return [_unknown_key(place)]
        case "missing":
            return [Problem(path, "missing", _expected_type(place))]
        case "union_tag_not_found":
            return [Problem(f"{path}.type", "missing", f"one of {', '.join(place.options)}")]
        case "union_tag_invalid" if isinstance(loc[-1], int):
            tag = context["tag"]
            return [Problem(f"{path}.type", f"unknown stage type {shown(tag)}", _nearest(tag, list(place.options)))]
        case "union_tag_invalid":
            *known, last = (f"'{kind}'" for kind in place.options)
            return [Problem(path, f"{shown(context['tag'])} is not known", f"{', '.join(known)} or {last}")]
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


@dataclass(frozen=True)
class _Location:
    """Where a mistake is."""

    path: Loc
    """Without the tags that pydantic inserts where a field takes one of several models."""
    model: type[BaseModel] | None
    """That which has, or lacks, the last key."""
    siblings: Mapping[str, type[BaseModel]]
    """What could stand in the model's place, by type."""
    options: Mapping[str, type[BaseModel]]
    """What may stand at the path, by type."""

    @property
    def key(self) -> str:
        """The last one."""
        return str(self.path[-1])


def _place(loc: Loc, ends_in_key: bool = False) -> _Location:
    path: list[str | int] = []
    model: type[BaseModel] | None = None
    siblings: Mapping[str, type[BaseModel]] = {}
    options: Mapping[str, type[BaseModel]] = {"": Recipe}
    chosen: type[BaseModel] | None = Recipe
    for number, part in enumerate(loc, 1):
        if isinstance(part, str) and part.startswith("~") and not (ends_in_key and number == len(loc)):
            continue  # which of two forms a value has
        if len(options) > 1 and chosen is None and isinstance(part, str):
            chosen = options.get(part)
            continue
        path.append(part)
        if isinstance(part, str):
            model, siblings = chosen, options
            field = model.model_fields.get(part) if model else None
            options = models_in(field.annotation) if field else {}
            chosen = next(iter(options.values())) if len(options) == 1 else None
    return _Location(tuple(path), model, siblings, options)


def _unknown_key(place: _Location) -> Problem:
    """A key that nothing reads where it stands: the nearest that is, or the choice of algorithm that would read it."""
    path, key, model = path_text(place.path), place.key, place.model
    if model is None:
        return Problem(path, "unknown key", "no such key")
    of_stage = len(place.path) > 1 and isinstance(place.path[-2], int)
    if not of_stage and (readers := _readers(key, place.siblings)):
        return Problem(path, f"only type {readers} reads it", f"type: {readers}, or to leave it out")
    for name, field in model.model_fields.items():
        if readers := _readers(key.removeprefix(f"{name}_"), models_in(field.annotation)):
            return Problem(path, f"only {name} {readers} reads it", f"it inside {name}, of type {readers}; or none")
    own_first = sorted(model.model_fields, key=lambda name: name not in model.__annotations__)
    return Problem(path, "unknown key", _nearest(key, own_first))


def _readers(key: str, options: Mapping[str, type[BaseModel]]) -> str:
    """The types that have the key."""
    return " or ".join(kind for kind, model in options.items() if kind and key in model.model_fields)


def _nearest(name: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"{near[0]} (known: {', '.join(known)})" if near else f"one of {', '.join(known)}"


def _expected_type(place: _Location) -> str:
    doc = described(place.model).get(place.key) if place.model else None
    return f"a value: {doc.rstrip('.')}" if doc else "a value"


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
        return StageOutline(None, ())
    kind = stage.get("type")
    if not isinstance(kind, str) or kind not in STAGES:
        return StageOutline(None, ())
    model = STAGES[kind]
    data = stage.get("data", model.model_fields["data"].default)
    name = stage.get("name") if "name" in model.model_fields else None
    parts = [part.get("name") for part in data if isinstance(part, dict)] if isinstance(data, list) else [data]
    *data, name = (value if isinstance(value, str) else None for value in (*parts, name))
    return StageOutline(kind, data, name, begins=model.begins)
