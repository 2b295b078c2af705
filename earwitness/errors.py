"""The errors a person or a program can act on.

Two kinds, because they are treated differently: an `InputError` is somebody's input and is shown to them; an
`InfrastructureError` is a part of the mesh that did not answer and is worth a retry. Anything else is a bug, and loud.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

SHOWN_CHARS = 120
"""Most characters of a wrong value that an error repeats: enough to recognise it, short enough for a terminal."""

LEAST_WAITED = 0.05
"""Seconds below which nobody was waited for."""

MAX_PROBLEMS = 100
"""Most mistakes of one document that an error keeps: it also travels in a gRPC status."""


class EarwitnessError(Exception):
    """Everything that Earwitness raises on purpose."""


class InputError(EarwitnessError):
    """An input is wrong: `field` says where, `problem` what, `expected` what would be right."""

    def __init__(self, field: str, problem: str, expected: str) -> None:
        super().__init__(field, problem, expected)
        self.field = field
        self.problem = problem
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}; expected {self.expected}"


class AudioError(InputError):
    """A clip that cannot be used; `field` is its URI."""


class InfrastructureError(EarwitnessError):
    """Something outside the process did not answer: `waited_for` says what, after `seconds`, with `detail`."""

    def __init__(self, waited_for: str, seconds: float, detail: str) -> None:
        super().__init__(waited_for, seconds, detail)
        self.waited_for = waited_for
        self.seconds = seconds
        self.detail = detail

    def __str__(self) -> str:
        waited = f"waited {self.seconds:.1f} s for " if self.seconds >= LEAST_WAITED else ""
        return f"{waited}{self.waited_for}: {self.detail}"


class NotFoundError(EarwitnessError):
    """What was asked for does not exist."""


class ConflictError(EarwitnessError):
    """What was asked for is not possible in the state things are in."""


class JobFailed(EarwitnessError):
    """The job cannot go on; the message is the reason a person reads."""


_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Problem:
    """One mistake in a document: where (`path`), what is wrong (`what`), what would be right (`expected`)."""

    path: str
    what: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; expected {self.expected}"


class DocumentError(InputError):
    """All the mistakes of one document at once, so that a person corrects them in one go.

    `field`, `problem` and `expected` are those of the first. At most `MAX_PROBLEMS` are kept.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        kept = tuple(problems[:MAX_PROBLEMS])
        super().__init__(kept[0].path, kept[0].what, kept[0].expected)
        self.args = (kept,)  # pickle and copy rebuild an exception from its args
        self.problems = kept

    def __str__(self) -> str:
        return "\n".join(str(p) for p in self.problems)


def child_path(path: str, key: str) -> str:
    """The path of `key` within `path`; a key that is not a plain word is quoted and cut."""
    return f"{path}.{key}" if len(key) <= SHOWN_CHARS and _PLAIN_KEY.fullmatch(key) else f"{path}[{shown(key)}]"


def shown(value: object) -> str:
    """The value as an error repeats it: quoted, on one line, cut at `SHOWN_CHARS`."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
