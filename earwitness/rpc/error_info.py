"""How the kind of an error travels in a gRPC status: both ends of the wire read this."""

from __future__ import annotations

from earwitness.wire.errors.v1.errors_pb2 import ErrorKind

DOMAIN = "earwitness"
"""`domain` of the google.rpc.ErrorInfo."""


def reason_of(kind: ErrorKind) -> str:
    """Its `reason`: ERROR_KIND_INPUT -> INPUT."""
    return ErrorKind.Name(kind).removeprefix("ERROR_KIND_")
