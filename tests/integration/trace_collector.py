"""An OpenTelemetry collector in this process: what was told to it over gRPC, as it came."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.integration.process_kit import PATIENCE


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps every span."""

    def __init__(self) -> None:
        self.address = ""
        self.services: set[tuple[str, ...]] = set()
        """Name and instance of who told."""
        self._spans: list[trace_pb2.Span] = []
        self._lock = threading.Lock()

    def Export(self, request: Any, context: Any) -> trace_service_pb2.ExportTraceServiceResponse:
        with self._lock:
            for told in request.resource_spans:
                said = {a.key: a.value.string_value for a in told.resource.attributes}
                self.services.add((said["service.name"], said["service.instance.id"]))
                self._spans += [span for scope in told.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[trace_pb2.Span]:
        """So far."""
        with self._lock:
            return list(self._spans)

    def environment(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """Points the SDK, which reads the process's environment, here; spans wait for it, as on a machine that stalls,
        and are soon told, since who is killed loses those that were not."""
        told = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.address,
            "OTEL_EXPORTER_OTLP_TIMEOUT": str(PATIENCE),
            "OTEL_BSP_SCHEDULE_DELAY": "100",  # ms
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        return told

    def lives(self, run_id: str) -> dict[int, list[trace_pb2.Span]]:
        """The spans so far of each group of a run, by ordinal."""
        spans = self.spans
        of = {s.trace_id: self.attributes(s) for s in spans if s.name == "issue"}
        return {
            about["ordinal"]: [s for s in spans if s.trace_id == trace]
            for trace, about in of.items()
            if about["run"] == run_id
        }

    @staticmethod
    def attributes(span: trace_pb2.Span) -> dict[str, Any]:
        """As Python's values."""
        return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """While the block runs."""
    server, there = grpc.server(futures.ThreadPoolExecutor(2)), Collector()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(there, server)
    there.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield there
    finally:
        server.stop(None)
