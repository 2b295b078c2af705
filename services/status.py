"""Typed errors as gRPC statuses.

InputError -> INVALID_ARGUMENT, with google.rpc.BadRequest field violations; NotFoundError -> NOT_FOUND;
ConflictError -> FAILED_PRECONDITION; InfrastructureError -> UNAVAILABLE; anything else -> INTERNAL, logged.
"""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from earwitness.errors import (
    ConflictError,
    DocumentError,
    EarwitnessError,
    InfrastructureError,
    InputError,
    NotFoundError,
)

DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata under which gRPC libraries look for a google.rpc.Status."""

LONGEST_MESSAGE = 1000
"""Bytes. Status and details travel as trailing metadata, which is limited to 8 KiB by default."""

LONGEST_DETAILS = 3000
"""Bytes; one and a third of it on the wire, beside the message twice."""


def code_of(error: BaseException) -> grpc.StatusCode:
    """The gRPC status code of an error."""
    if isinstance(error, InputError):
        return grpc.StatusCode.INVALID_ARGUMENT
    if isinstance(error, NotFoundError):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, ConflictError):
        return grpc.StatusCode.FAILED_PRECONDITION
    if isinstance(error, InfrastructureError):
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INTERNAL


def violations_of(error: BaseException) -> list[tuple[str, str]]:
    """(field, description) of every mistake an error names; empty if it names none."""
    if isinstance(error, DocumentError):
        return [(p.path, f"{p.what}; expected {p.expected}") for p in error.problems]
    if isinstance(error, InputError):
        return [(error.field, f"{error.problem}; expected {error.expected}")]
    return []


def trailing_details(error: BaseException) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata with the field violations of an error; empty if it names no field."""
    violations = violations_of(error)
    if not violations:
        return ()
    bad = error_details_pb2.BadRequest()
    for field, description in violations:
        bad.field_violations.add(
            field=_cut(field, LONGEST_DETAILS // 8), description=_cut(description, LONGEST_DETAILS // 4)
        )
        if bad.ByteSize() > LONGEST_DETAILS:
            del bad.field_violations[-1]
            break
    detail = any_pb2.Any()
    detail.Pack(bad)
    status = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message_of(error), details=[detail])
    return ((DETAILS_KEY, status.SerializeToString()),)


def message_of(error: BaseException) -> str:
    """What the caller reads. The inside of an unexpected error stays in the log."""
    if isinstance(error, EarwitnessError):
        return _cut(str(error), LONGEST_MESSAGE)
    return f"internal error ({type(error).__name__}); see the service's log"


def _cut(text: str, nbytes: int) -> str:
    """The text, cut to at most `nbytes` of UTF-8 with a mark where it was cut."""
    data = text.encode()
    return text if len(data) <= nbytes else data[: nbytes - 3].decode(errors="ignore") + "..."
