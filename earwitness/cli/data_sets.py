"""The commands `data mix` and `data show`: manifests put together, and looked at."""

from __future__ import annotations

import os
import random
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earwitness.cli.terminal import err, out, shows_errors
from earwitness.errors import InputError, shown

if TYPE_CHECKING:
    from earwitness.manifest_index import IndexedManifest

MOST_LINES = 10_000_000
"""As many as a manifest may have."""
HEAVIEST = 1000


@shows_errors
def mix(
    parts: Annotated[list[str], typer.Argument(help="MANIFEST=WEIGHT, or MANIFEST for a weight of 1.")],
    manifest: Annotated[Path, typer.Option("--out", help="The mixed manifest.")],
    count: Annotated[
        int | None, typer.Option(min=1, max=MOST_LINES, help="Lines. Without it each line stands there at least once.")
    ] = None,
) -> None:
    """Join manifests, in turns by weight. Ids become NAME/ID, and NAME/ID~2 for a line that is needed again.

    A recipe can do without: its stages take several manifests with weights.

    Example:

        earwitness data mix audio.jsonl=3 text.jsonl=1 --out both.jsonl
    """
    from earwitness.data.mixture import write_mix

    if manifest.exists():
        raise InputError("--out", f"{manifest} exists", "a file that is not there yet")
    given = [_weighted(part) for part in parts]
    names = [Path(uri).stem for uri, _ in given]
    if again := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise InputError(
            "PARTS", f"two manifests are named {shown(again)}", "names that differ, for they begin the ids"
        )
    mixed = [(name, weight, _indexed(uri)) for name, (uri, weight) in zip(names, given, strict=True)]
    counts = write_mix(str(manifest.absolute()), mixed, count)
    out.print(f"{manifest}: {', '.join(f'{count} of {name}' for name, count in counts.items())}")


@shows_errors
def show(
    manifest: Annotated[str, typer.Argument(help="File or URI.")],
    page: Annotated[Path, typer.Option("--out", help="The page.")] = Path("sample.html"),
    count: Annotated[int, typer.Option(min=1, max=200, help="Lines.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=2**53, help="Of the choice.")] = 1,
) -> None:
    """Write a page with a random sample of a manifest to listen to, and open it where there is a screen.

    Example:

        earwitness data show data/train.jsonl --count 20
    """
    from earwitness.jobs.report.sample_page import render_sample

    examples = _indexed(manifest)
    places = sorted(random.Random(seed).sample(range(len(examples)), min(count, len(examples))))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_sample(Path(manifest).name, [examples[place] for place in places], len(examples)), "utf-8")
    out.print(str(page))
    if out.is_terminal and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        err.print("opening it")
        webbrowser.open(page.absolute().as_uri())


def _weighted(part: str) -> tuple[str, int]:
    """Path and weight."""
    uri, sign, weight = part.rpartition("=")
    if not sign or not weight.isascii() or not weight.isdigit():
        return part, 1
    if not 1 <= (value := int(weight[:9])) <= HEAVIEST:
        raise InputError("PARTS", f"{shown(part)} has a weight of {shown(weight)}", f"1 to {HEAVIEST}")
    return uri, value


def _indexed(uri: str) -> IndexedManifest:
    """A manifest whose lines are found one by one; its clips are named by absolute URIs. Raises ManifestError."""
    from earwitness import storage
    from earwitness.manifest_index import indexed

    return indexed(storage.absolute(uri, str(Path.cwd())))
