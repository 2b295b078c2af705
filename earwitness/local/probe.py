"""Whether a service answers on its gRPC health method."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from earwitness.loopback import direct

ANSWER_SECONDS = 0.5
"""On one machine a healthy process answers in milliseconds; the supervisor must not hang on a sick one."""


def grpc_answers(address: str) -> bool:
    """True if the service at `address` says SERVING; false at once if it does not listen yet."""
    with grpc.insecure_channel(address, direct(address)) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
