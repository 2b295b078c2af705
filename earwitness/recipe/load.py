"""Reads a recipe and words every mistake: where it is, what is wrong, what would be right."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from pydantic import ValidationError

from earwitness import storage
from earwitness.errors import DocumentError, Problem, shown
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.rounds import as_written, expanded
from earwitness.recipe.words import recipe_problems
from earwitness.recipe.yamltext import MAX_BYTES, YamlError, compose, read_yaml


class RecipeError(DocumentError):
    """Every mistake of a recipe."""


def load_recipe(text: bytes | str) -> Recipe:
    """The recipe in YAML text of at most 1 MiB. Raises RecipeError."""
    try:
        data = read_yaml(text)
    except YamlError as error:
        raise RecipeError([error.problem]) from error
    data, written, problems = expanded(data)
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        found = as_written(recipe_problems(error, data), written)
        raise RecipeError([*problems, *found]) from error
    if problems:
        raise RecipeError(problems)
    return recipe


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a file (path or URI). Raises RecipeError."""
    try:
        text = storage.read_bytes(str(path), MAX_BYTES)
    except storage.StorageError as error:
        raise RecipeError([Problem(str(path), error.problem, "a recipe (YAML) of at most 1 MiB")]) from error
    return load_recipe(text)


def absolute_paths(recipe_text: bytes | str, base_dir: str | Path) -> bytes:
    """The recipe's text with relative manifest, output and model paths resolved from `base_dir`; the rest as it was.

    The client does this before it submits: paths mean nothing in the folder of a server. Raises RecipeError for YAML
    that cannot be read; other mistakes stay for `load_recipe`.
    """
    try:
        text, root = compose(recipe_text)
    except YamlError as error:
        raise RecipeError([error.problem]) from error
    nodes = {n.start_mark.index: n for n in _path_nodes(root) if n.value and not storage.is_absolute(n.value)}
    for start in sorted(nodes, reverse=True):
        end = nodes[start].end_mark.index
        path = storage.absolute(nodes[start].value, str(base_dir))
        line_end = "\n" if text[start:end].endswith("\n") else ""
        text = f"{text[:start]}{json.dumps(path, ensure_ascii=False)}{line_end}{text[end:]}"
    return text.encode()


def require_absolute(recipe: Recipe) -> None:
    """Raises RecipeError if a path of the recipe depends on the folder it is read in."""
    paths = {"output": recipe.output, **{f"data.{name}": uri for name, uri in recipe.data.items()}}
    if recipe.model.path is not None:
        paths["model.path"] = recipe.model.path
    problems = [
        Problem(field, f"the path {shown(uri)} is relative", "an absolute path or a URI")
        for field, uri in paths.items()
        if not storage.is_absolute(uri)
    ]
    if problems:
        raise RecipeError(problems)


def _path_nodes(root: yaml.Node) -> list[yaml.ScalarNode]:
    """The scalars that hold a path: `output`, `model.path` and every value of `data`."""
    top = _entries(root)
    nodes = [top.get("output"), _entries(top.get("model")).get("path"), *_entries(top.get("data")).values()]
    return [n for n in nodes if isinstance(n, yaml.ScalarNode) and n.tag == "tag:yaml.org,2002:str"]


def _entries(node: yaml.Node | None) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
