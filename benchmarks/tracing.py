"""What traces cost: a hook while they are off, and a group's spans while they are told.

    python benchmarks/tracing.py

CPU seconds of this process. The collector is one that takes nothing (a closed port), so that only our side is measured:
what is too much for the queue of the exporter is dropped, as beside a slow collector.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from earwitness import tracing

CALLS = 20_000
STATIONS = ("rollout", "reward", "reference", "train", "publish", "load")


def micros(call: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    begun = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begun) / CALLS * 1e6


def group() -> None:
    """A group's life."""
    context = tracing.root("issue", 1.0, 2.0, run="job/1-train/0", ordinal=7, lineage="job/0", min_version=3)
    for station in STATIONS:
        tracing.child(context, station, 2.0, 3.0, worker="rollout-0", ordinal=7, waited=0.5)


def main() -> None:
    """Print the table."""
    logging.disable()
    off = micros(group)
    os.environ[tracing.VARIABLES[1]] = "http://127.0.0.1:1"
    tracing.start("benchmark", "0")
    told = micros(group)
    tracing.stop()
    os.environ |= {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    tracing.start("benchmark", "0")
    left_out = micros(group)
    tracing.stop()
    print(f"a group's {1 + len(STATIONS)} hooks, us of CPU: off {off:.2f}, told {told:.0f}, not sampled {left_out:.0f}")


if __name__ == "__main__":
    main()
