"""A trainer that is not there, or another one under its name, is waited for; what it refuses ends the job."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from earwitness.errors import InputError, JobFailed
from earwitness.jobs import trainer_client
from earwitness.jobs.trainer import TrainerGone
from earwitness.jobs.trainer_client import TrainerClient
from earwitness.log import get_logger
from earwitness.settings import Settings
from earwitness.wire.trainer.v1 import trainer_pb2 as wire


class Channel:
    """Answers with errors, and then well."""

    def __init__(self, *codes: grpc.StatusCode) -> None:
        self.codes = list(codes)
        self.calls = 0

    def unary_unary(self, *_: Any, **__: Any) -> Any:
        async def call(request: Any, **_: Any) -> wire.GetStatusResponse:
            self.calls += 1
            if self.codes:
                code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
                if code is not grpc.StatusCode.OK:
                    raise grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="no")
            return wire.GetStatusResponse(version=7)

        return call


def ask(channel: Channel, gone_seconds: float = 60.0) -> wire.GetStatusResponse:
    return asyncio.run(TrainerClient(channel, get_logger("test"), gone_seconds).status())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_client, "RETRY_SECONDS", 0.001)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNAUTHENTICATED"])
def test_it_is_asked_again_while_pods_change(code: str) -> None:
    away = grpc.StatusCode[code]
    channel = Channel(away, away, grpc.StatusCode.OK)
    assert (ask(channel).version, channel.calls) == (7, 3)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "UNAUTHENTICATED"])
def test_within_a_limit(code: str) -> None:
    with pytest.raises(TrainerGone):
        ask(Channel(grpc.StatusCode[code]), gone_seconds=0.02)


def test_the_environment_says_how_long() -> None:
    seconds = Settings.from_env({"EW_TRAINER_GONE_SECONDS": "1"}).trainer_gone_seconds
    with pytest.raises(TrainerGone, match=r"waited \d+\.\d s for the trainer"):
        ask(Channel(grpc.StatusCode.UNAVAILABLE), seconds)
    with pytest.raises(InputError, match="EW_TRAINER_GONE_SECONDS"):
        Settings.from_env({"EW_TRAINER_GONE_SECONDS": "for ever"})


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "INTERNAL"])
def test_what_it_refuses_ends_the_job(code: str) -> None:
    channel = Channel(grpc.StatusCode[code])
    with pytest.raises(JobFailed, match="refused GetStatus"):
        ask(channel)
    assert channel.calls == 1
