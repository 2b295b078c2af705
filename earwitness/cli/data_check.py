"""The command `data check`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from earwitness.cli.terminal import err, out, progress, shows_errors
from earwitness.families.family import WHISPER_SECONDS

if TYPE_CHECKING:
    from earwitness.data.checking import Checked

SHOWN = 5
"""Lines named of each kind; --json has all."""


@shows_errors
def check(
    manifests: Annotated[
        list[str], typer.Argument(help="Manifests: files or URIs. Several are splits of one data set.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decode every clip, and show lengths, rates, levels, duplicates, and leaks between splits.

    Exit status 1 where a clip cannot be decoded or has changed, a reference fails its own verifier, or a clip is in two
    splits.

    Example:

        earwitness data check data/train.jsonl data/eval.jsonl
    """
    from earwitness.data.checking import check_manifests

    with progress("clips") as told:
        found = check_manifests(manifests, referee(), told)
    if as_json:
        out.print_object(found.as_record())
    else:
        _show(found)
    if found.wrong:
        raise typer.Exit(1)


def referee() -> Callable[[Any], str | None]:
    """What says that a reference fails its own verifier: found by name, for the verifiers stand above the core."""
    import importlib

    found: Callable[[Any], str | None] = importlib.import_module("reward.reference").reference_problem
    return found


def _show(found: Checked) -> None:
    table = Table("", "", show_header=False)
    for split, count in found.lines.items():
        table.add_row(f"lines of {split}", f"{count:,}")
    table.add_row("clips", f"{found.clips:,}, and {found.text_only:,} lines of text alone")
    if found.seconds:
        shown = [f"{name} {value:.1f}" for name, value in found.seconds.items() if name != "sum"]
        table.add_row("length, s", f"{', '.join(shown)}; {found.seconds['sum'] / 3600:.1f} h in all")
        table.add_row(f"longer than {WHISPER_SECONDS} s", f"{found.longer:,}")
        table.add_row("rates, Hz", _counted(found.rates))
        table.add_row("channels", _counted(found.channels))
    if found.level:
        table.add_row("level, dBFS", ", ".join(f"{name} {value:.1f}" for name, value in found.level.items()))
    for name, listed in (("silent", found.silent), ("clipped", found.clipped)):
        table.add_row(name, f"{len(listed):,}{_some(listed)}")
    table.add_row("clips of several lines", f"{found.shared:,}")
    table.add_row("same question and clip", f"{len(found.repeated):,}{_some(' = '.join(g) for g in found.repeated)}")
    near = (f"{' ~ '.join(twins.lines[:2])} ({twins.likeness:.0%})" for twins in found.near)
    table.add_row("near-duplicates", f"{len(found.near):,}{_some(near)}")
    out.print(table)
    _wrong("cannot be decoded", [f"{line}: {why}" for line, why in found.unreadable.items()])
    _wrong("not the clip whose checksum the manifest has", found.changed)
    _wrong("reference fails its own verifier", [f"{line}: {why}" for line, why in found.references.items()])
    leaks = [
        f"{' and '.join(twins.splits)}: {', '.join(twins.lines[:4])} ({twins.likeness:.0%})" for twins in found.leaks
    ]
    _wrong("in two splits", leaks)


def _wrong(what: str, lines: list[str]) -> None:
    for line in lines[:SHOWN]:
        err.print(f"{what}: {line}", style="red")
    if len(lines) > SHOWN:
        err.print(f"{what}: {len(lines) - SHOWN:,} more (--json has all)", style="red")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value}: {count:,}" for value, count in counts.items())


def _some(lines: Iterable[str]) -> str:
    shown = list(lines)
    return "" if not shown else f": {', '.join(shown[:SHOWN])}{', ...' if len(shown) > SHOWN else ''}"
