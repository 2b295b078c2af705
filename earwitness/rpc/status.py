"""Typed errors as gRPC statuses, each with its kind as google.rpc.ErrorInfo.

InputError -> INVALID_ARGUMENT, with google.rpc.BadRequest field violations; NotFoundError -> NOT_FOUND;
ConflictError -> FAILED_PRECONDITION; InfrastructureError -> UNAVAILABLE; anything else -> INTERNAL, logged.
"""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from earwitness.errors import (
    ConflictError,
    DocumentError,
    EarwitnessError,
    InfrastructureError,
    InputError,
    JobFailed,
    NotFoundError,
)
from earwitness.rpc.error_info import DOMAIN, reason_of
from earwitness.wire.errors.v1 import errors_pb2
from earwitness.wire.errors.v1.errors_pb2 import ErrorKind

DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata under which gRPC libraries look for a google.rpc.Status."""

LONGEST_MESSAGE = 1000
"""Bytes. Status and details travel as trailing metadata, which is limited to 8 KiB by default."""

LONGEST_DETAILS = 3000
"""Bytes; one and a third of it on the wire, beside the message twice."""


KINDS: tuple[tuple[type[EarwitnessError], ErrorKind], ...] = (
    (InputError, errors_pb2.ERROR_KIND_INPUT),
    (NotFoundError, errors_pb2.ERROR_KIND_NOT_FOUND),
    (ConflictError, errors_pb2.ERROR_KIND_CONFLICT),
    (InfrastructureError, errors_pb2.ERROR_KIND_INFRASTRUCTURE),
    (JobFailed, errors_pb2.ERROR_KIND_JOB),
)

CODES = {
    errors_pb2.ERROR_KIND_INPUT: grpc.StatusCode.INVALID_ARGUMENT,
    errors_pb2.ERROR_KIND_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    errors_pb2.ERROR_KIND_CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    errors_pb2.ERROR_KIND_INFRASTRUCTURE: grpc.StatusCode.UNAVAILABLE,
}


def kind_of(error: BaseException) -> ErrorKind:
    """What programs are told of an error."""
    return next((kind for of, kind in KINDS if isinstance(error, of)), errors_pb2.ERROR_KIND_INTERNAL)


def code_of(error: BaseException) -> grpc.StatusCode:
    """The gRPC status code of an error."""
    return CODES.get(kind_of(error), grpc.StatusCode.INTERNAL)


def violations_of(error: BaseException) -> list[tuple[str, str]]:
    """(field, description) of every mistake an error names; empty if it names none."""
    if isinstance(error, DocumentError):
        return [(p.path, f"{p.what}; expected {p.expected}") for p in error.problems]
    if isinstance(error, InputError):
        return [(error.field, f"{error.problem}; expected {error.expected}")]
    return []


def trailing_details(error: BaseException) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata with the kind of an error, and the fields that it names."""
    details = [_packed(error_details_pb2.ErrorInfo(reason=reason_of(kind_of(error)), domain=DOMAIN))]
    bad = error_details_pb2.BadRequest()
    for field, description in violations_of(error):
        bad.field_violations.add(
            field=_cut(field, LONGEST_DETAILS // 8), description=_cut(description, LONGEST_DETAILS // 4)
        )
        if bad.ByteSize() > LONGEST_DETAILS:
            del bad.field_violations[-1]
            break
    if bad.field_violations:
        details.insert(0, _packed(bad))
    status = status_pb2.Status(code=code_of(error).value[0], message=message_of(error), details=details)
    return ((DETAILS_KEY, status.SerializeToString()),)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def message_of(error: BaseException) -> str:
    """What the caller reads. The inside of an unexpected error stays in the log."""
    if isinstance(error, EarwitnessError):
        return _cut(str(error), LONGEST_MESSAGE)
    return f"internal error ({type(error).__name__}); see the service's log"


def _cut(text: str, nbytes: int) -> str:
    """The text, cut to at most `nbytes` of UTF-8 with a mark where it was cut."""
    data = text.encode()
    return text if len(data) <= nbytes else data[: nbytes - 3].decode(errors="ignore") + "..."
