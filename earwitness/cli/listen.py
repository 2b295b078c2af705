"""The command `listen`: checks the claims of a piece of reasoning against a recording."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.terminal import out, shows_errors
from earwitness.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(listen)


@shows_errors
def listen(
    clip: Annotated[str, typer.Argument(help="Audio file or URI.")],
    claims: Annotated[str, typer.Argument(metavar="[TEXT]", help="The same as --reasoning.")] = "",
    reasoning: Annotated[str, typer.Option(help="What somebody says is to be heard in it; - reads stdin.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Draw what was measured and claimed to this PNG file.")] = None,
) -> None:
    """Measure a recording, and check what is claimed about it.

    Examples:

        earwitness listen clip.wav

        earwitness listen clip.wav --reasoning "The pitch climbs from about 220 to 440 Hz." --plot clip.png

        cat trace.txt | earwitness listen clip.wav --reasoning -
    """
    try:
        program = importlib.import_module("reward.listen")  # needs scipy and more, which the core does without
        program.main(clip, reasoning or claims, str(plot) if plot else None, console=out)
    except ModuleNotFoundError as error:
        raise InputError("listen", f"package {error.name!r} is missing", "pip install 'earwitness[reward]'") from error
