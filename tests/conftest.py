"""What holds for every test."""

import gc
import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hypothesis import settings

from earwitness.garbage import look_seldom

# No outcome depends on how fast the machine is.
settings.register_profile("earwitness", deadline=None)
settings.load_profile("earwitness")

look_seldom()
# One thread each: as many tests as there are cores run side by side, and toys are no faster on two.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Helm's engine is Go, which reads this when it is loaded: a quarter of a rendering was its own garbage.
os.environ.setdefault("GOGC", "1600")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Longest waits (s) for connections that the client asks for: what it promises, however long this machine takes."""
    import grpc

    asked: list[float] = []
    ready = grpc.channel_ready_future

    def noted(channel: grpc.Channel) -> SimpleNamespace:
        def result(timeout: float) -> None:
            asked.append(timeout)
            ready(channel).result(timeout)

        return SimpleNamespace(result=result)

    monkeypatch.setattr(grpc, "channel_ready_future", noted)
    return asked


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What was collected and imported stays to the end: it is no garbage, and nobody need look for any in it."""
    try:
        return (yield)
    finally:
        gc.freeze()
