"""The health port: what an orchestrator's probes see."""

from __future__ import annotations

import asyncio
import os
import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from earwitness.local.ports import free_ports
from earwitness.rpc.server import Settings, serve, serve_health, serve_in_thread
from tests.integration.process_kit import PATIENCE

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def check(port: int, service: str) -> int:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        return health_pb2_grpc.HealthStub(channel).Check(request, wait_for_ready=True).status


def settings_with_health() -> Settings:
    return Settings(token="secret", name="t", health_port=free_ports(1)[0])


def test_the_threaded_server_answers_probes_without_a_token() -> None:
    settings = settings_with_health()
    running = serve_in_thread("trainer", settings, lambda server: None)
    try:
        assert [check(settings.health_port, name) for name in ("", "trainer")] == [SERVING, SERVING]
    finally:
        running.stop()


def test_a_process_without_calls_answers_probes() -> None:
    settings = settings_with_health()
    server = serve_health("trainer", settings)
    try:
        assert check(settings.health_port, "trainer") == SERVING
    finally:
        server.stop(None)


async def test_readiness_follows_the_service_and_liveness_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("earwitness.rpc.server.READY_SECONDS", 0.01)
    settings, ready = settings_with_health(), False
    serving = asyncio.create_task(serve("rollout", settings, lambda server: None, ready=lambda: ready))

    async def becomes(name: str, wanted: int) -> None:
        while await asyncio.to_thread(check, settings.health_port, name) != wanted:  # noqa: ASYNC110 - the answer comes over the wire
            await asyncio.sleep(0.01)

    async with asyncio.timeout(PATIENCE):
        await becomes("", SERVING)
        await becomes("rollout", NOT_SERVING)
        ready = True
        await becomes("rollout", SERVING)
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
