"""The command's entry point. Whatever happens is a line and an exit status, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress

from earwitness.garbage import look_seldom
from earwitness.printable import clean

EXIT_BUG = 70
"""Exit status of what should not have happened: EX_SOFTWARE of sysexits.h."""


def app() -> None:
    """Run the command of the process's arguments, and end the process."""
    look_seldom()
    _open_streams()
    status = 0
    try:
        from earwitness.cli.commands import app as commands

        commands()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        status = 130
    except BaseException as error:  # noqa: BLE001 (the last one who can say it)
        status = 1 if isinstance(error, OSError) else EXIT_BUG
        with suppress(OSError, ValueError):
            _say(error)
    _flush_and_exit(status)


def _open_streams() -> None:
    """Streams that take every character whatever the locale says, and are there even if they were closed."""
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        stream = getattr(sys, name)
        if stream is None:  # else the next file that is opened would be taken for it, by libraries and child processes
            with suppress(OSError):
                while (opened := os.open(os.devnull, os.O_RDWR)) < number:
                    pass
                setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace" if mode == "w" else "replace")


def _say(error: BaseException) -> None:
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        words = f"{where}{error.strerror or error}"
    else:
        words = f"internal error, please report it: {type(error).__name__}: {error}"
    print(f"error: {clean(' '.join(words.split()))}", file=sys.stderr)
    if os.environ.get("EW_LOG_LEVEL", "").lower() == "debug":
        traceback.print_exception(error)


def _flush_and_exit(status: int) -> None:
    """What cannot be written any more (a full disk, a reader that has gone) is an error, and said if possible."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        status = status or 1
        if not isinstance(error, BrokenPipeError):
            with suppress(OSError, ValueError):
                _say(error)
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more at its end
    sys.exit(status)
