"""The command `score`: scores a file of answers."""

from __future__ import annotations

from typing import Annotated

import typer

from earwitness.cli.terminal import out, shows_errors
from earwitness.extras import module_of


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
    program = module_of("reward", "reward.benchmarks.program", "score")
    program.main(manifest, answers, benchmark, as_json, console=out)
