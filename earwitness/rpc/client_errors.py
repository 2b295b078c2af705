"""What a client's calls end with: gRPC statuses as errors that a person or a program can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import Message

from earwitness.errors import EarwitnessError
from earwitness.rpc.error_info import DOMAIN, reason_of
from earwitness.wire.errors.v1 import errors_pb2


class ServerUnreachable(EarwitnessError):
    """Nobody answered at `address` within `seconds`."""

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__(address, seconds)
        self.address = address
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no answer from {self.address} within {self.seconds:.0f} s; is the mesh up (`earwitness status`)?"


class NotAllowed(EarwitnessError):
    """The token is missing or wrong."""


class UnknownJob(EarwitnessError):
    """The mesh has no such job."""


class Refused(EarwitnessError):
    """The request cannot be done; `problems` holds (field, description) pairs where the server named fields."""

    def __init__(self, reason: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(reason, tuple(problems))
        self.reason = reason
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(f"{field}: {what}" for field, what in self.problems) or self.reason


class ServerError(EarwitnessError):
    """The service failed at something that is not the caller's fault."""


def typed_error(error: grpc.RpcError, address: str, seconds: float) -> EarwitnessError:
    """The error that a status means."""
    code, words = error.code(), error.details() or ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and not _from_service(error):
        return ServerUnreachable(address, seconds)
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return NotAllowed(f"{address}: {words}")
    if code == grpc.StatusCode.NOT_FOUND:
        return UnknownJob(words)
    if code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ALREADY_EXISTS,
    ):
        return Refused(words, _problems(error))
    return ServerError(f"{address}: {words or code.name}")


def _from_service(error: grpc.RpcError) -> bool:
    """True if a service answered itself, because something behind it did not answer."""
    from google.rpc import error_details_pb2

    infos = _details(error, error_details_pb2.ErrorInfo)
    waited = reason_of(errors_pb2.ERROR_KIND_INFRASTRUCTURE)
    return any(info.domain == DOMAIN and info.reason == waited for info in infos)


def _problems(error: grpc.RpcError) -> list[tuple[str, str]]:
    """The field violations that travel with a status."""
    from google.rpc import error_details_pb2

    found = _details(error, error_details_pb2.BadRequest)
    return [(v.field, v.description) for bad in found for v in bad.field_violations]


def _details(error: grpc.RpcError, kind: type[Message]) -> list[Any]:
    """The details of a status that are of a kind."""
    from grpc_status import rpc_status

    status = rpc_status.from_call(error)
    found = []
    for detail in status.details if status else ():
        unpacked = kind()
        if detail.Unpack(unpacked):
            found.append(unpacked)
    return found
