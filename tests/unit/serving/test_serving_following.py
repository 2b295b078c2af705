"""A server whose model is a job of the mesh: the newest weights, while answers are on their way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from earwitness.errors import InputError
from rollout.contract import BrokenEngineError, Served
from serving.following import FollowingTalker, mesh_settings
from serving.settings import Settings
from serving.talk import Question, Tokens
from serving.thinking import Said
from tests.unit.serving.serving_kit import CHAT, Parrot, client, question, server


class Follows:
    """What follows the weights: version 1 is there when it is let, and it ends when it is told to."""

    def __init__(self) -> None:
        self.engine = SimpleNamespace(served=None)
        self.there, self.ended = asyncio.Event(), asyncio.Event()
        self.holds = 0

    async def run(self) -> None:
        await self.ended.wait()
        raise BrokenEngineError("vLLM's process has died")

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Any]:
        await self.there.wait()
        self.holds += 1
        try:
            yield self.engine
        finally:
            self.holds -= 1


class Talks(Parrot):
    """In the place of the talker that is vLLM: new weights come after each piece."""

    def __init__(self, engine: Any) -> None:
        super().__init__()
        self._engine = engine

    async def answer(self, asked: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        async for said in super().answer(asked, tokens):
            self._engine.served = Served("mine/0", self._engine.served.version + 1)
            yield said


@pytest.fixture
async def follows(monkeypatch: pytest.MonkeyPatch) -> Follows:
    monkeypatch.setitem(sys.modules, "serving.engine", SimpleNamespace(EngineTalker=Talks))  # type: ignore[arg-type]
    return Follows()


async def test_answers_say_which_weights_they_are_of(follows: Follows) -> None:
    beginning = asyncio.create_task(FollowingTalker(follows).begun())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert not beginning.done()  # nothing has been published
    follows.engine.served = Served("mine/0", 7)
    follows.there.set()
    made = server(await beginning, job="mine")
    async with client(made) as caller:
        (model,) = (await caller.get("/v1/models")).json()["data"]
        assert model["id"] == "mine" and "max_model_len" not in model
        answered = (await caller.post(CHAT, json=question() | {"model": "mine"})).json()
        assert answered["choices"][0]["message"]["content"] == "440 Hz"
        assert answered["system_fingerprint"] == f"mine/0 {follows.engine.served.version}" and follows.holds == 0
        assert (await caller.get("/health")).status_code == 200
        follows.ended.set()
        await asyncio.sleep(0.01)
        assert (await caller.get("/health")).status_code == 503
        with pytest.raises(BrokenEngineError, match="died"):
            made.ready()


async def test_a_job_that_cannot_be_followed_is_told_while_it_is_waited_for(follows: Follows) -> None:
    beginning = asyncio.create_task(FollowingTalker(follows).begun())  # type: ignore[arg-type]
    await asyncio.sleep(0)
    follows.ended.set()
    with pytest.raises(BrokenEngineError, match="died"):
        await beginning


def test_the_mesh_is_named_by_the_environment_or_stands_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("EW_QUEUE_URL", "EW_WEIGHTS_URLS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"--job.*earwitness up"):
        mesh_settings()
    Settings(tmp_path, job="mine").check()  # no folder is looked at
    monkeypatch.setenv("EW_QUEUE_URL", "redis://queue:6379")
    monkeypatch.setenv("EW_WEIGHTS_URLS", "redis://w0:6379,redis://w1:6379")
    assert mesh_settings().weights_urls == ("redis://w0:6379", "redis://w1:6379")
