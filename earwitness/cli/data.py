"""Commands that write data: `data probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from earwitness.cli.terminal import err, out, shows_errors
from earwitness.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Write data.")
    group.callback()(_group)
    group.command()(probe)
    app.add_typer(group, name="data")


def _group() -> None:
    """Write data."""


@shows_errors
def probe(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the clips and the manifest.")],
    count: Annotated[int, typer.Option(min=1, help="Clips.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the clips.")] = 1,
    split: Annotated[
        Literal["lessons", "cold_start", "train", "eval"], typer.Option(help="Splits never share a clip.")
    ] = "train",
    surrogate_share: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Add reasoning, and let this share of it guess from the question's words."),
    ] = None,
) -> None:
    """Write listening questions: real audio files and a manifest.

    Examples:

        earwitness data probe --out clips --count 1000 --seed 7

        earwitness data probe --out clips --count 4000 --split cold_start --surrogate-share 0.5
    """
    from earwitness.probe import write_split  # numpy and soundfile take time that other commands need not wait for

    manifest = folder / f"{split}.jsonl"
    if manifest.exists():
        raise InputError("--out", f"{manifest} exists", "a folder without this split")
    written = write_split(
        str(folder), count, seed, split, surrogate_share, lambda done, total: err.print(f"{done} of {total} clips")
    )
    out.print(written)
