"""The command `score`: scores a file of answers."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from earwitness.cli.terminal import out, shows_errors
from earwitness.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(score)


@shows_errors
def score(
    manifest: Annotated[str, typer.Argument(help="Questions: a manifest, or the file of a benchmark.")],
    answers: Annotated[str, typer.Argument(help="Answers: JSON objects with `id` and `prediction`.")],
    benchmark: Annotated[str, typer.Option(help="mmau, mmar, mmsu, big-bench-audio, spoken-mqa or wildspeech.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score answers: strictly, and by the published rule of a benchmark. Missing answers are wrong.

    Examples:

        earwitness score mmau-test-mini.json answers.jsonl --benchmark mmau

        earwitness score manifest.jsonl answers.jsonl --json
    """
    try:
        program = importlib.import_module("reward.benchmarks.program")  # needs what the core does without
    except ModuleNotFoundError as error:
        raise InputError("score", f"package {error.name!r} is missing", "pip install 'earwitness[reward]'") from error
    program.main(manifest, answers, benchmark, as_json, console=out)
