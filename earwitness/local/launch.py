"""Runs a service as `python -m` does and says it if it cannot start: `python -m earwitness.local.launch MODULE`.

An import that fails, or a setting that is wrong, will be no better a second later. Its reason goes into the log as one
structured line, which the supervisor finds there even if torchrun stood between, and the exit status is 78.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from earwitness.errors import EarwitnessError, InputError
from earwitness.log import get_logger

EXIT_CONFIG = 78
"""Exit status of a process that cannot start as it is installed or configured: EX_CONFIG of sysexits.h."""

CANNOT_START = "cannot start"
"""The event of the line."""

READ_BYTES = 65_536
"""How much of the end of a log is searched: the line stands before a traceback and what torchrun adds."""

MEND = "`earwitness doctor` says which parts are missing or broken; `make install` installs them"


def main() -> None:
    """Run the module that the first argument names; the others are its own."""
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception as error:
        reason = _reason(error)
        if not reason:
            raise
        get_logger(module).error(CANNOT_START, reason=reason)
        sys.exit(EXIT_CONFIG)


def ended(service: str, error: EarwitnessError) -> int:
    """Log why a service ends by itself; returns its exit status."""
    if isinstance(error, InputError):
        get_logger(service).error(CANNOT_START, reason=str(error))
        return EXIT_CONFIG
    get_logger(service).error("cannot run", reason=str(error))
    return 1


def why_not_started(log: Path, since: int) -> str:
    """The reason that a service gave in its log, behind byte `since`; empty if it gave none."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - READ_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        if line.startswith("{") and f'"{CANNOT_START}"' in line:
            try:
                return str(json.loads(line)["reason"])
            except (ValueError, KeyError):
                continue
    return ""


def _reason(error: Exception) -> str:
    """What a person reads; empty for an error of another kind."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, ImportError) or _within_import(error):
        return f"{type(error).__name__}: {' '.join(str(error).split())}; {MEND}"
    return ""


def _within_import(error: Exception) -> bool:
    """True if it was raised while a module was imported: a library of C that is missing raises what it likes."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") != "__main__":
            return True
        trace = trace.tb_next
    return False


if __name__ == "__main__":
    main()
