"""The command `listen`: checks the claims of a piece of reasoning against recordings."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.terminal import out, shows_errors
from earwitness.errors import InputError


@shows_errors
def listen(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIP... [TEXT]", help="Audio files or URIs, in order. TEXT behind them is the same as --reasoning."
        ),
    ],
    reasoning: Annotated[str, typer.Option(help="What somebody says is to be heard; - reads stdin.")] = "",
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw what was measured and claimed to this PNG file; each of several clips to one."),
    ] = None,
) -> None:
    """Measure recordings, and check what is claimed about them.

    Of several, what is said of "clip B" or "the second recording" is checked on that one.

    Examples:

        earwitness listen clip.wav

        earwitness listen clip.wav --reasoning "The pitch climbs from about 220 to 440 Hz." --plot clip.png

        earwitness listen a.wav b.wav --reasoning "Clip A is near 440 Hz. The second recording is louder."

        cat trace.txt | earwitness listen clip.wav --reasoning -
    """
    if len(clips) > 1 and not reasoning and _is_text(clips[-1]):
        *clips, reasoning = clips
    try:
        program = importlib.import_module("reward.listen")  # needs scipy and more, which the core does without
        program.main(clips, reasoning, str(plot) if plot else None, console=out)
    except ModuleNotFoundError as error:
        raise InputError("listen", f"package {error.name!r} is missing", "pip install 'earwitness[reward]'") from error


def _is_text(argument: str) -> bool:
    """Whether an argument is a sentence: it has words, and there is no such file."""
    words = " " in argument.strip() and "://" not in argument
    return words and not os.path.exists(argument)  # noqa: PTH110 (Path's raises for what is longer than a name can be)
