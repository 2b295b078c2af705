"""Structured logs: one JSON object a line on stderr.

    log = get_logger("jobs").bind(job="demo-1")
    log.info("stage started", stage=0, type="sft")

Every line has `time` (UTC, ISO 8601), `level`, `service`, `event`; the rest are the fields given.
The level is read from EW_LOG_LEVEL (debug, info, warning, error; default info).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TextIO

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _threshold() -> int:
    return LEVELS.get(os.environ.get("EW_LOG_LEVEL", "info").lower(), LEVELS["info"])


@dataclass(frozen=True)
class Logger:
    """Writes events of one service; `bind` adds fields that every line then carries."""

    service: str
    fields: dict[str, object] = field(default_factory=dict)
    threshold: int = LEVELS["info"]
    stream: TextIO | None = None
    """Where lines go; none: stderr as it is at the time of writing."""

    def bind(self, **fields: object) -> Logger:
        """A logger whose lines also carry `fields`."""
        return Logger(self.service, {**self.fields, **fields}, self.threshold, self.stream)

    def debug(self, event: str, **fields: object) -> None:
        """For a person who looks for a mistake."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Something happened as it should."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something is not as it should be, and the service goes on."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something failed."""
        self._write("error", event, fields)

    def exception(self, event: str, error: BaseException, **fields: object) -> None:
        """Something failed with `error`; its traceback goes along."""
        trace = "".join(traceback.format_exception(error))
        self._write("error", event, {**fields, "error": f"{type(error).__name__}: {error}", "traceback": trace})

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if LEVELS[level] < self.threshold:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": level,
            "service": self.service,
            "event": event,
            **self.fields,
            **fields,
        }
        stream = self.stream or sys.stderr
        # One write call a line: lines of threads and processes that share a stderr do not mix.
        stream.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
        stream.flush()


def get_logger(service: str) -> Logger:
    """The logger of `service`, at the level of EW_LOG_LEVEL."""
    return Logger(service, threshold=_threshold())
