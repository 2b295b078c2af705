"""Commands about data: the group, `data import` and `data probe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from earwitness.cli.data_check import check, referee
from earwitness.cli.data_sets import mix, show
from earwitness.cli.push import data_push
from earwitness.cli.terminal import err, out, progress, shows_errors
from earwitness.errors import InputError, shown

SHOWN_REASONS = 8
"""Most frequent reasons that are printed; the file has all."""

MOST_CLIPS = 1_000_000
"""A million clips fill a terabyte, and are what a recipe may ask for."""
MOST_SEED = 2**53 - 1
"""Beyond it JSON's numbers lose their last digit."""


@shows_errors
def import_(
    name: Annotated[
        str,
        typer.Argument(help="mmau, mmar, mmsu, big-bench-audio, spoken-mqa, wildspeech, avqa, or generic."),
    ],
    source: Annotated[Path, typer.Argument(help="Folder of the data set, or one file of it.")],
    folder: Annotated[Path, typer.Option("--out", help="Folder for the manifest, and for clips out of archives.")],
    field: Annotated[
        list[str] | None,
        typer.Option(help="KEY=COLUMN, for generic: where a key of the manifest stands. May be given several times."),
    ] = None,
    checksums: Annotated[bool, typer.Option(help="Keep the checksum of every clip and file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a manifest of a data set as it was downloaded: each row checked, each clip decoded.

    What cannot be used is left out, counted and listed. An import that was cut off goes on where it was.

    Examples:

        earwitness data import mmau MMAU/ --out data/mmau

        earwitness data import generic train.parquet --out data/mine --field question=prompt --checksums
    """
    from earwitness.data.importers import IMPORTERS
    from earwitness.data.importing import Import, import_data

    if name not in IMPORTERS:
        raise InputError("NAME", f"unknown importer {shown(name)}", f"one of {', '.join(IMPORTERS)}")
    columns = {}
    for given in field or []:
        key, sign, column = given.partition("=")
        if not sign or not column or name != "generic":
            raise InputError("--field", f"cannot use {shown(given)}", "KEY=COLUMN, for the importer generic")
        columns[key] = column
    plan = Import(name, IMPORTERS[name], source, folder, columns, checksums, referee())
    with progress("rows") as told:
        done = import_data(plan, told)
    if as_json:
        out.print_object({"rows": done.rows, "manifests": done.manifests, "left_out": done.left_out})
        return
    for path, count in done.manifests.items():
        out.print(f"{path}: {count} of {done.rows} rows")
    for reason, count in list(done.left_out.items())[:SHOWN_REASONS]:
        out.print(f"left out {count}: {reason}", style="yellow")
    if done.list_of_left_out:
        out.print(f"each of them: {done.list_of_left_out}")


@shows_errors
def probe(
    folder: Annotated[Path, typer.Option("--out", help="Folder for the clips and the manifest.")],
    count: Annotated[int, typer.Option(min=1, max=MOST_CLIPS, help="Clips.")],
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the clips.")] = 1,
    split: Annotated[
        Literal["lessons", "cold_start", "train", "eval", "dev"], typer.Option(help="Splits never share a clip.")
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
    from earwitness.probe import (  # numpy and soundfile take time that other commands need not wait for
        Traces,
        write_split,
    )

    manifest = folder / f"{split}.jsonl"
    if manifest.exists():
        raise InputError("--out", f"{manifest} exists", "a folder without this split")
    traces = None if surrogate_share is None else Traces(surrogate_share)
    written = write_split(
        str(folder), count, seed, split, traces, progress=lambda done, total: err.print(f"{done} of {total} clips")
    )
    out.print(written)


group = typer.Typer(
    name="data", no_args_is_help=True, add_completion=False, help="Import, check, mix, show, write and push data."
)
group.command("import")(import_)
group.command()(check)
group.command()(mix)
group.command()(show)
group.command()(probe)
group.command("push")(data_push)
