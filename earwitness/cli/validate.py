"""The command `validate`: finds every mistake of a recipe before anything starts."""

from __future__ import annotations

from typing import Annotated

import typer

from earwitness.cli.terminal import err, out, shows_errors
from earwitness.recipe.load import RecipeError, read_recipe


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(validate)


@shows_errors
def validate(recipe: Annotated[str, typer.Argument(help="File or URI of a recipe.")]) -> None:
    """Check a recipe, and name every mistake: where, what is wrong, what would be right.

    Example:

        earwitness validate recipes/quickstart.yaml
    """
    try:
        read = read_recipe(recipe)
    except RecipeError as error:
        for problem in error.problems:
            err.print(str(problem), style="red")
        count = len(error.problems)
        err.print(f"{recipe}: {count} mistake{'s' if count > 1 else ''}")
        raise typer.Exit(1) from error
    stages = " → ".join(s.type for s in read.stages)
    out.print(f"{recipe}: valid; {read.name}: {stages}")
