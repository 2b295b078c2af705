"""Writes docs/recipe.md from the docstrings of the recipe's models, so that the page says what the code does.

python docs/generate.py            write the page
python docs/generate.py --check    fail if the committed page differs
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from earwitness import recipe
from earwitness.recipe import schema
from earwitness.recipe.schema.fields import docstrings, models_in
from earwitness.recipe.stages import STAGES

PAGE = Path(__file__).with_name("recipe.md")

SECTIONS = {
    "Recipe": "The file",
    "ModelConfig": "`model`",
    "ToyModel": "`model.toy`",
    "Lora": "`model.lora`",
    "ProbeData": "`probe`",
    "Rewards": "`rewards`",
    **{stage.__name__: f"Stage `{name}`" for name, stage in STAGES.items()},
    **{
        model.__name__: f"`{field}: {kind}`"
        for field in ("algorithm", "loss")
        for kind, model in models_in(schema.Reinforcement.model_fields[field].annotation).items()
    },
    "Tune": "`tune`",
    "PreferenceTune": "`tune` of stage `dpo`",
    "Curriculum": "`tune.curriculum`",
    "Listening": "`tune.listening`",
    "Part": "`data` of a stage",
    "Selection": "`select`",
    "SamplingConfig": "`sampling`",
    "Optimizer": "`optimizer`",
}
"""Models in reading order, with their headings."""

OPENING = """\
# Recipes

<!-- Written by docs/generate.py from earwitness/recipe/; change that and run `make docs`. -->

A recipe is a YAML file of at most 1 MiB. `earwitness validate RECIPE` names every mistake in it: where it is, what is
wrong, what would be right. Unknown keys are mistakes, and every number has a
highest value, which the mistake names. Relative paths (`output`, `model.path`, the values of `data`)
start from the directory in which `earwitness submit` is called. A working example is
[recipes/quickstart.yaml](../recipes/quickstart.yaml).

`{rounds: 3, stages: [...]}` in place of a stage goes through its stages three times, as the paper's rounds of MGRD and
RL: in the second round what is named `scored` is `scored_2`. A stage `mgrd` ends the rounds where the one before did
not help (`least_gain`), a stage `rl` can count that stage's samples (`select.from_mgrd`), and the report tells each
round's figures. [recipes/paper/rounds.yaml](../recipes/paper/rounds.yaml) is one.
"""


def _is_field(node: ast.stmt) -> TypeGuard[Any]:
    return (
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not ast.unparse(node.annotation).startswith("ClassVar")
    )


def _lineage(model: ast.ClassDef, models: dict[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """A model and those it inherits from, nearest first."""
    yield model
    for base in model.bases:
        if isinstance(base, ast.Name) and base.id in models:
            yield from _lineage(models[base.id], models)


def default(field: ast.AnnAssign) -> str:
    """The default as the source has it, a model that is one of several by its type."""
    if field.value is None:
        return "needed"
    if isinstance(field.value, ast.Call) and isinstance(field.value.func, ast.Name) and not field.value.args:
        model = getattr(schema, field.value.func.id, None)
        kind = model.model_fields.get("type") if model else None
        if kind is not None:
            return repr(kind.default)
    source = ast.unparse(field.value)
    words = {"None": "none", "True": "true", "False": "false"}
    return words.get(source, "none" if source.startswith("Field(default_factory=") else source)


def section(model: ast.ClassDef, heading: str, models: dict[str, ast.ClassDef]) -> str:
    """One model as a table: its own fields, then those that it inherits."""
    fields: dict[str, ast.AnnAssign] = {}
    texts: dict[str, str] = {}
    for origin in _lineage(model, models):
        for field in origin.body:
            if _is_field(field):
                fields.setdefault(field.target.id, field)
        texts = docstrings(origin) | texts
    rows = [
        f"| `{name}` | `{default(field)}` | {texts.get(name, '')} |" for name, field in fields.items() if name != "type"
    ]
    table = ["| key | default | meaning |", "|---|---|---|", *rows, ""] if rows else ["It has no keys of its own.", ""]
    return "\n".join([f"## {heading}\n", ast.get_docstring(model) or "", "", *table])


def page() -> str:
    """The whole page."""
    folder = Path(recipe.__path__[0])
    sources = sorted(p for room in (".", "schema", "stages") for p in (folder / room).glob("*.py"))
    nodes = [node for source in sources for node in ast.parse(source.read_text()).body]
    models = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    return "\n".join([OPENING, *(section(models[name], heading, models) for name, heading in SECTIONS.items())])


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/recipe.md differs from the recipe's models: run `make docs` and commit")
