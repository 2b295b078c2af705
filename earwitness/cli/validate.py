"""The command `validate`: finds every mistake of a recipe, and of its data, before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from earwitness.cli.terminal import err, out, progress, shows_errors
from earwitness.errors import Problem
from earwitness.manifest import ManifestError
from earwitness.recipe.load import RecipeError, read_recipe
from earwitness.recipe.recipe import Recipe

MOST_TOLD = 100
"""Mistakes that are listed; as many rows of a manifest may be too long as there are."""


@shows_errors
def validate(
    recipe: Annotated[str, typer.Argument(help="File or URI of a recipe.")],
    data: Annotated[
        bool, typer.Option("--data", help="Also count the tokens of every row of its data, and name those too long.")
    ] = False,
) -> None:
    """Check a recipe, and name every mistake: where, what is wrong, what would be right.

    Examples:

        earwitness validate recipes/quickstart.yaml

        earwitness validate my.yaml --data
    """
    try:
        read = read_recipe(recipe)
    except RecipeError as error:
        raise _told(recipe, error.problems) from error
    stages = " → ".join(s.type for s in read.stages)
    out.print(f"{recipe}: valid; {read.name}: {stages}")
    if data:
        _check_data(recipe, read)


def _check_data(name: str, recipe: Recipe) -> None:
    from earwitness.data.lengths import check_lengths  # reads sound

    problems: list[Problem] = []
    try:
        with progress("rows") as told:
            fitting = check_lengths(recipe, problems, told)
    except ManifestError as error:
        raise _told(name, error.problems) from error
    for found in fitting:
        words = f"{found.stage}, {found.manifest}: {found.rows:,} rows, the longest prompt {found.longest:,} tokens"
        out.print(f"{words} of {found.limit:,}")
        if found.cut:
            err.print(f"{found.cut:,} of them leave less room than sampling.max_tokens", style="yellow")
    if problems:
        raise _told(name, problems)


def _told(recipe: str, problems: Sequence[Problem]) -> typer.Exit:
    for problem in problems[:MOST_TOLD]:
        err.print(str(problem), style="red")
    count = len(problems)
    err.print(f"{recipe}: {count:,} mistake{'s' if count > 1 else ''}")
    return typer.Exit(1)
