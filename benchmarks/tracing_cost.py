"""What tracing costs a process, by its threads' own CPU clocks: loaded into those of a mesh by `benchmarks.tracing`.

    python -m benchmarks.tracing_cost EXPORTS SPANS FOLDER

So called, it tells the collector of the environment of so many spans, so many times, in a process that does nothing
else, and prints the CPU seconds that an export takes beside hooks and exporting thread: those of gRPC's own threads.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earwitness import tracing

EXPORTER = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"
LOADING = "rollout.serving"


@dataclass
class Cost:
    """Of one process so far."""

    service: str = ""
    hooks: float = 0.0
    """CPU seconds inside the functions of `earwitness.tracing`, and of reading who is told of a load."""
    exporter: float = 0.0
    """CPU seconds of the thread that exports, all its life."""
    spans: int = 0
    exports: int = 0


class Measured:
    """The functions of `earwitness.tracing` in this process, measured from here on; FOLDER/PID.json has the cost."""

    def __init__(self, folder: Path) -> None:
        self.cost = Cost(os.environ.get("EW_NAME", ""))
        self.exported = threading.Condition()
        self._file = folder / f"{os.getpid()}.json"
        self._lock = threading.Lock()
        self._inside = threading.local()
        self._start, self._stop, self._block = tracing.start, tracing.stop, tracing.inside
        tracing.start, tracing.stop, tracing.inside = self.start, self.stop, self.inside
        for name in ("on", "root", "child", "carried", "parent_of"):
            setattr(tracing, name, self.timed(getattr(tracing, name)))

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; what it takes counts, once."""

        def call(*given: Any, **named: Any) -> Any:
            if getattr(self._inside, "it", False):
                return function(*given, **named)
            self._inside.it = True
            begun = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                with self._lock:
                    self.cost.hooks += time.thread_time() - begun
                self._inside.it = False

        return call

    @contextmanager
    def inside(self, name: str, **attributes: str | int | float) -> Iterator[None]:
        """`tracing.inside`."""
        block = self._block(name, **attributes)
        self.timed(block.__enter__)()
        try:
            yield
        finally:
            self.timed(block.__exit__)(None, None, None)

    def start(self, *given: Any) -> None:
        """`tracing.start`; its imports are no cost of a step."""
        self._start(*given)
        if EXPORTER in sys.modules:
            exporter = sys.modules[EXPORTER].OTLPSpanExporter
            exporter.export = self._exporting(exporter.export)
        if LOADING in sys.modules:
            serving = sys.modules[LOADING].Serving
            serving._trace = self.timed(serving._trace)

    def stop(self) -> None:
        """`tracing.stop`."""
        self._stop()
        self._file.write_text(json.dumps(asdict(self.cost)))

    def _exporting(self, export: Callable[..., Any]) -> Callable[..., Any]:
        def call(exporter: Any, spans: Any) -> Any:
            try:
                return export(exporter, spans)
            finally:
                with self.exported:
                    self.cost.spans += len(spans)
                    self.cost.exports += 1
                    self.cost.exporter = time.thread_time()
                    self.exported.notify_all()
                self._file.write_text(json.dumps(asdict(self.cost)))

        return call


def main() -> None:
    """Print what gRPC's own threads take for an export."""
    exports, spans = int(sys.argv[1]), int(sys.argv[2])
    measured = Measured(Path(sys.argv[3]))
    tracing.start("benchmark", "0")
    begun = time.process_time()
    for number in range(1, exports + 1):
        context = tracing.root("issue", 1.0, 2.0, ordinal=number)
        for _ in range(spans - 1):
            tracing.child(context, "rollout", 2.0, 3.0, worker="rollout-0", ordinal=number, waited=0.5)
        with measured.exported:
            measured.exported.wait_for(lambda told=number * spans: measured.cost.spans >= told)
    cost = measured.cost
    print((time.process_time() - begun - cost.hooks - cost.exporter) / cost.exports)


if __name__ == "__main__":
    main()
