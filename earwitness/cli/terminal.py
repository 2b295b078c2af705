"""What all commands share: how errors are shown, and the options that name a mesh."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from earwitness.client import Mesh
from earwitness.errors import EarwitnessError
from earwitness.local.state import DEFAULT_FOLDER

out = Console(highlight=False, soft_wrap=True)
"""Where results go."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where errors and progress of the mesh go."""

Folder = Annotated[
    Path, typer.Option("--state", envvar="EW_STATE", help="Folder of the local mesh.", rich_help_panel="Mesh")
]
Address = Annotated[
    str | None,
    typer.Option(envvar="EW_ADDRESS", help="host:port of a mesh elsewhere.", rich_help_panel="Mesh"),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="EW_TOKEN", help="Bearer token of a mesh elsewhere.", rich_help_panel="Mesh"),
]
FOLDER = Path(DEFAULT_FOLDER)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def shows_errors(command: _Command) -> _Command:
    """Our own errors become a line on stderr and exit status 1; everything else is a bug and keeps its traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except EarwitnessError as error:
            err.print(f"error: {error}", style="red", markup=False)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error

    return wrapped  # type: ignore[return-value]  # functools.wraps keeps the signature that typer reads


def connect(address: str | None, token: str | None, folder: Path) -> Mesh:
    """The mesh that the options name."""
    return Mesh.connect(address, token, state=folder)
