"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`, with the status that its clients expect.

A message names the field, what is wrong with it and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from earwitness.errors import EarwitnessError, InfrastructureError, InputError

RETRY_SECONDS = 1
"""After which one that was refused for want of room may come again."""
MANY_MISTAKES = 1_000
MAX_WORDS = 600
"""Characters of what a request's own words become in a message."""


@dataclass
class RefusedError(EarwitnessError):
    """A request that is not answered."""

    status: int
    """Of HTTP."""
    message: str
    code: str
    """A word for programs."""
    param: str | None = None
    """The field that is wrong."""

    def __str__(self) -> str:
        return self.message

    @property
    def body(self) -> dict[str, Any]:
        """As it goes out."""
        kind = _TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> JSONResponse:
        """As an answer of its own."""
        headers = {"Retry-After": str(RETRY_SECONDS)} if self.status in (429, 503) else {}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.body, self.status, headers)


_KIND = re.compile(r"[./\[]|^(?:constrained-)?int$")
"""What pydantic calls a kind of event or sound, and the branches of what may be a number or a word: no field is so."""
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def refusal(error: BaseException) -> RefusedError:
    """Any error as one that a caller is shown; what is nobody's input is a server error."""
    match error:
        case RefusedError():
            return error
        case ValidationError():
            return of_validation(error)
        case InputError():
            return RefusedError(400, str(error), "invalid_value", error.field)
        case TimeoutError():
            return RefusedError(504, "the answer took too long and was ended", "timeout")
        case InfrastructureError():
            return RefusedError(503, str(error), "unavailable")
        case EarwitnessError():
            return RefusedError(503, f"the engine does not answer: {error}", "engine_unavailable")
    return RefusedError(500, f"internal error: {type(error).__name__}", "internal_error")


def of_validation(error: ValidationError) -> RefusedError:
    """The first mistake of a request, in words of bounded length, however long what came is."""
    if (count := error.error_count()) > MANY_MISTAKES:  # to spell them out would hold up everybody for seconds
        return RefusedError(400, f"request: has {count:,} mistakes", "invalid_value")
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = _shortened(path_of(first["loc"]))
    code = {"missing": "missing_required_parameter", "extra_forbidden": "unsupported_parameter"}
    what = "is not supported here" if first["type"] == "extra_forbidden" else _shortened(first["msg"])
    return RefusedError(400, f"{where or 'request'}: {what}", code.get(first["type"], "invalid_value"), where or None)


def _shortened(words: str) -> str:
    return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS // 2]} ... {words[-MAX_WORDS // 2 :]}"


def path_of(place: Sequence[str | int]) -> str:
    """A place as people write it: `messages[0].content[1].text`, without the kinds of parts that pydantic adds."""
    path = ""
    for index, step in enumerate(place):
        if isinstance(step, int):
            path += f"[{step}]"
        elif not _KIND.search(step) and not (
            index >= 2 and isinstance(place[index - 1], int) and place[index - 2] == "content"
        ):
            path += f".{step}" if path else step
    return path
