"""Writes docs/recipe.md from the docstrings of the recipe's models, so that the page says what the code does.

python docs/generate.py            write the page
python docs/generate.py --check    fail if the committed page differs
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from earwitness.recipe import schema

PAGE = Path(__file__).with_name("recipe.md")

SECTIONS = {
    "Recipe": "The file",
    "ModelConfig": "`model`",
    "ToyModel": "`model.toy`",
    "ProbeData": "`probe`",
    "Rewards": "`rewards`",
    "ColdStartStage": "Stage `sft`",
    "MgrdStage": "Stage `mgrd`",
    "RlStage": "Stage `rl`",
    "DpoStage": "Stage `dpo`",
    "EvalStage": "Stage `eval`",
    "Tune": "`tune`",
    "PreferenceTune": "`tune` of stage `dpo`",
    "Curriculum": "`tune.curriculum`",
    "Selection": "`select`",
    "SamplingConfig": "`sampling`",
    "Optimizer": "`optimizer`",
}
"""Models in reading order, with their headings."""

OPENING = """\
# Recipes

<!-- Written by docs/generate.py from earwitness/recipe/schema/; change that and run `make docs`. -->

A recipe is a YAML file of at most 1 MiB. `earwitness validate RECIPE` names every mistake in it: where it is, what is
wrong, what would be right. Unknown keys are mistakes. Relative paths (`output`, `model.path`, the values of `data`)
start from the directory in which `earwitness submit` is called. A working example is
[recipes/quickstart.yaml](../recipes/quickstart.yaml).
"""


def described(model: ast.ClassDef) -> dict[str, str]:
    """Field name -> the docstring under it."""
    found = {}
    for field, text in zip(model.body, model.body[1:], strict=False):
        is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if is_field and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def default(field: ast.AnnAssign) -> str:
    """The default as the source has it; empty where a value is needed."""
    if field.value is None:
        return "needed"
    source = ast.unparse(field.value)
    words = {"None": "none", "True": "true", "False": "false"}
    return words.get(source, "none" if source.startswith("Field(default_factory=") else source)


def section(model: ast.ClassDef, heading: str, models: dict[str, ast.ClassDef]) -> str:
    """One model as a table: its own fields, then those that it inherits."""
    fields: dict[str, ast.AnnAssign] = {}
    texts: dict[str, str] = {}
    origin: ast.ClassDef | None = model
    while origin is not None:
        for field in origin.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                fields.setdefault(field.target.id, field)
        texts = described(origin) | texts
        base = origin.bases[0] if origin.bases else None
        origin = models.get(base.id) if isinstance(base, ast.Name) else None
    rows = [
        f"| `{name}` | `{default(field)}` | {texts.get(name, '')} |" for name, field in fields.items() if name != "type"
    ]
    return "\n".join(
        [
            f"## {heading}\n",
            ast.get_docstring(model) or "",
            "",
            "| key | default | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def page() -> str:
    """The whole page."""
    sources = sorted(Path(schema.__path__[0]).glob("*.py"))
    nodes = [node for source in sources for node in ast.parse(source.read_text()).body]
    models = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    return "\n".join([OPENING, *(section(models[name], heading, models) for name, heading in SECTIONS.items())])


if __name__ == "__main__":
    if "--check" not in sys.argv:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        sys.exit("docs/recipe.md differs from the recipe's models: run `make docs` and commit")
