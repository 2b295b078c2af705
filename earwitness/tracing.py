"""Traces: a group's life through the mesh, and a job's phases with the calls they make, as OpenTelemetry spans.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) names a collector: then nothing of
OpenTelemetry is imported, no context travels, and each function here is a look at one variable. On, the SDK's own
variables hold: OTEL_TRACES_SAMPLER=parentbased_traceidratio with OTEL_TRACES_SAMPLER_ARG=0.01 keeps one group in a
hundred, and what is not kept costs its first span alone.

The context is that of W3C (`traceparent`): in the task of a group, from there in the manifest of the weights that were
learned from it, and in the metadata of calls. A worker that is killed tells nothing; who takes the task over tells of
the same trace. Spans are told when they are over, so nothing is open when a process dies.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from earwitness.errors import InputError

VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Either names the collector: http://host:4317, gRPC."""

PARENT = "traceparent"
"""Key of the context in metadata, and in a carrier of OpenTelemetry."""

PATIENCE = "OTEL_EXPORTER_OTLP_TIMEOUT"
EXPORT_SECONDS = 3.0
"""A collector that does not answer for so long, or for what PATIENCE says, has missed some spans: nothing waits for it,
but for the end of a process."""

NANO = 1_000_000_000

_recorder: _Recorder | None = None
_current: ContextVar[str] = ContextVar("traceparent", default="")
"""Context of the block that runs."""


def start(service: str, name: str, environ: Mapping[str, str] = os.environ) -> None:
    """Begins to tell of process `name` of a service, if a collector is named. Raises InputError."""
    global _recorder
    variable = next((v for v in VARIABLES if environ.get(v)), "")
    if not variable or _recorder is not None:
        return
    given = environ.get(PATIENCE) or str(EXPORT_SECONDS)
    try:
        seconds = float(given)
    except ValueError:
        raise InputError(PATIENCE, f"{given!r} is no number", "seconds, such as 3") from None
    try:
        _recorder = _Recorder(service, name, seconds)
    except ModuleNotFoundError as error:
        raise InputError(variable, f"package {error.name!r} is missing", "pip install 'earwitness[trace]'") from error


def on() -> bool:
    """True if this process tells of what it does."""
    return _recorder is not None


def stop() -> None:
    """Sends what is left, if the collector takes it."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.end()


def root(name: str, begun: float, ended: float, **attributes: str | int | float) -> str:
    """The first span of a trace of its own: its context, empty if traces are off or this one is not kept.

    Times are seconds since the Unix epoch. It is linked to the block that runs.
    """
    return "" if _recorder is None else _recorder.tell(name, "", begun, ended, attributes, link=_current.get())


def child(parent: str, name: str, begun: float, ended: float, **attributes: str | int | float) -> str:
    """A span that is over, of the trace whose context is `parent`, and its context; nothing if that is empty."""
    return "" if not parent or _recorder is None else _recorder.tell(name, parent, begun, ended, attributes)


@contextmanager
def inside(name: str, **attributes: str | int | float) -> Iterator[None]:
    """A span around the block, below that of the block outside; calls made in it carry it on."""
    if _recorder is None:
        yield
        return
    with _recorder.around(name, _current.get(), attributes) as context:
        token = _current.set(context)
        try:
            yield
        finally:
            _current.reset(token)


def carried() -> str:
    """Context of the block that runs, for the metadata of a call; empty if there is none, or traces are off."""
    return _current.get()


def parent_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The context that a call brought; empty if traces are off."""
    return "" if _recorder is None else str(dict(metadata or ()).get(PARENT, ""))


class _Recorder:
    """OpenTelemetry's SDK, as far as it is used."""

    def __init__(self, service: str, name: str, seconds: float) -> None:
        """`seconds`: how long a collector is waited for."""
        self._api = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        context = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
        self._nothing = importlib.import_module("opentelemetry.context").Context()
        self._propagator = context.TraceContextTextMapPropagator()
        what = {"service.name": f"earwitness-{service}", "service.instance.id": name}
        # At the end of a process it would wait for a collector as long as that takes: `end` does not.
        self._provider = sdk.TracerProvider(resource=resources.Resource.create(what), shutdown_on_exit=False)
        self._seconds = seconds
        exporter = otlp.OTLPSpanExporter(timeout=seconds)
        self._provider.add_span_processor(export.BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("earwitness")

    def tell(
        self, name: str, parent: str, begun: float, ended: float, attributes: Mapping[str, Any], link: str = ""
    ) -> str:
        """One span that is over; its context, empty if it is not kept."""
        links = [self._api.Link(self._api.get_current_span(self._context(link)).get_span_context())] if link else []
        span = self._tracer.start_span(
            name, self._context(parent), attributes=attributes, links=links, start_time=int(begun * NANO)
        )
        # Clocks of two machines differ a little: no span ends before it begins.
        span.end(int(max(begun, ended) * NANO))
        return self._carried(span)

    @contextmanager
    def around(self, name: str, parent: str, attributes: Mapping[str, Any]) -> Iterator[str]:
        """A span that ends with the block; its context."""
        span = self._tracer.start_span(name, self._context(parent), attributes=attributes)
        try:
            yield self._carried(span)
        finally:
            span.end()

    def end(self) -> None:
        """On a thread that nobody waits for longer than for an export: the SDK would."""
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(self._seconds)

    def _context(self, parent: str) -> Any:
        """What OpenTelemetry makes of a context that travelled: of one that is none, no parent."""
        return self._propagator.extract({PARENT: parent} if parent else {}, context=self._nothing)

    def _carried(self, span: Any) -> str:
        if not span.get_span_context().trace_flags.sampled:
            return ""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._api.set_span_in_context(span))
        return carrier[PARENT]
