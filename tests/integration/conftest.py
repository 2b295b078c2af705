"""What holds for the tests on real processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.process_kit import wait_for_redis


@pytest.fixture(scope="module", autouse=True)
def outwait_redis() -> Iterator[None]:
    """A server that is silent for seconds, as a machine that stalls makes it, is no outage to a test. One that is about
    an outage has a fixture of this name that does nothing, or takes `gives_up_on_redis`."""
    with pytest.MonkeyPatch.context() as patch:
        wait_for_redis(patch)
        yield


@pytest.fixture
def gives_up_on_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is away is an error soon."""
    monkeypatch.setattr("earwitness.redis_client.RETRY_SECONDS", 0.2)
