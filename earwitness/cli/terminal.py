"""The one place where text reaches a terminal: nobody's text is taken for markup, emoji codes or escape sequences."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from earwitness.errors import EarwitnessError
from earwitness.printable import clean


class Terminal(Console):
    """Prints text as it is, less what would steer the terminal. Styles are given as `style` or as `Text`."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, **options, highlight=False, soft_wrap=True, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """Every string that is printed, in a table or alone, comes by here."""
        return super().render_str(clean(text), **{**options, "markup": False, "emoji": False})

    def print_object(self, value: object) -> None:
        """One JSON document, in ASCII, so that every terminal and every program reads the same characters."""
        print(json.dumps(value, indent=2), file=self.file)


out = Terminal()
"""Where results go."""

err = Terminal(stderr=True)
"""Where errors and progress of the mesh go."""


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while it is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def file_error(error: OSError) -> str:
    """Which file, and what is the matter with it."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


_Command = TypeVar("_Command", bound=Callable[..., Any])


def shows_errors(command: _Command) -> _Command:
    """Our own errors, and files that cannot be used, become a line on stderr and exit status 1."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (EarwitnessError, OSError) as error:
            err.print(f"error: {file_error(error) if isinstance(error, OSError) else error}", style="red")
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error

    return wrapped  # type: ignore[return-value]  # functools.wraps keeps the signature that typer reads
