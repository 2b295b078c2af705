"""`earwitness serve` with the shipped listener in vLLM, asked by OpenAI's own client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import soundfile

from earwitness.chat import question_text
from earwitness.manifest import read_manifest
from earwitness.probe import write_split
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import PATIENCE, below, wait_for

openai = pytest.importorskip("openai")
ROOT = Path(__file__).parents[2]
TOKEN = "a secret of this test"


@dataclass
class Served:
    """A server of its own process."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, token: str = TOKEN) -> Any:
        """OpenAI's."""
        return openai.OpenAI(
            base_url=f"{self.address}/v1", api_key=token, max_retries=0, http_client=httpx.Client(trust_env=False)
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "earwitness", "serve", "models/listener", "--port", "0"],
            cwd=ROOT, stdout=written, stderr=written,
            env={**os.environ, "PYTHONPATH": str(ROOT), "EW_TOKEN": TOKEN},
        )  # fmt: skip
    try:

        def ready() -> str:
            assert process.poll() is None, log.read_text()
            found = re.search(r"ready: (http://127\.0\.0\.1:\d+)", log.read_text())
            return found[1] if found else ""

        yield Served(wait_for("the server to be ready", ready), process, log)
    finally:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        process.wait()
        _, alive = psutil.wait_procs(below, 60)
        assert process.returncode == 0, log.read_text()
        assert alive == []


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> trajectory_pb2.Prompt:
    """A question of a kind that the listener always answers rightly, about a clip that no recipe uses."""
    manifest = write_split(str(tmp_path_factory.mktemp("clips")), 1, 4242, "eval")
    (example,) = read_manifest(manifest)
    assert example.prompt.kind == "pitch_direction"
    return example.prompt


def messages(asked: trajectory_pb2.Prompt) -> list[dict[str, Any]]:
    audio = {"data": base64.b64encode(Path(asked.audio_uri).read_bytes()).decode(), "format": "flac"}
    content = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": question_text(asked)}]
    return [{"role": "user", "content": content}]


def test_openais_client_asks_about_a_clip(served: Served, asked: trajectory_pb2.Prompt) -> None:
    client = served.client()
    (model,) = client.models.list().data
    whole = client.chat.completions.create(model=model.id, messages=messages(asked))
    message = whole.choices[0].message
    assert message.content == asked.answer and "Hz" in message.reasoning_content
    used = whole.usage
    assert used.completion_tokens > used.completion_tokens_details.reasoning_tokens > 0
    stream = client.chat.completions.create(
        model=model.id, messages=messages(asked), stream=True, stream_options={"include_usage": True}
    )
    events = list(stream)
    deltas = [event.choices[0].delta for event in events if event.choices]
    assert "".join(delta.content or "" for delta in deltas) == message.content
    said = [delta.reasoning_content for delta in deltas if getattr(delta, "reasoning_content", None)]
    assert "".join(said) == message.reasoning_content and len(said) > 5
    assert events[-1].usage == used


def test_it_answers_many_at_a_time_and_ends_what_nobody_waits_for(served: Served, asked: trajectory_pb2.Prompt) -> None:
    client = served.client()
    for _ in range(3):
        with client.chat.completions.create(model="listener", messages=messages(asked), stream=True) as stream:
            next(iter(stream))  # and goes away
    asking = [client.chat.completions.create(model="listener", messages=messages(asked), stream=True) for _ in range(8)]
    answers = ["".join(e.choices[0].delta.content or "" for e in stream if e.choices) for stream in asking]
    assert answers == [asked.answer] * 8
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def idle() -> bool:
        shown = httpx.get(f"{served.address}/metrics", headers=headers, trust_env=False).text
        return "ew_serve_running 0.0" in shown

    wait_for("nothing to be answered any more", idle)


def test_refusals_are_openais_errors(served: Served, asked: trajectory_pb2.Prompt) -> None:
    with pytest.raises(openai.AuthenticationError):
        served.client("wrong").models.list()
    with pytest.raises(openai.NotFoundError):
        served.client().chat.completions.create(model="other", messages=messages(asked))
    with pytest.raises(openai.BadRequestError) as refused:
        long = [{"role": "user", "content": "tone " * 2_000}]
        served.client().chat.completions.create(model="listener", messages=long)
    assert refused.value.param == "messages" and "256" in str(refused.value)


def test_the_command_asks_in_the_terminal(served: Served, asked: trajectory_pb2.Prompt) -> None:
    command = [
        sys.executable,
        "-m",
        "earwitness",
        "ask",
        asked.audio_uri,
        question_text(asked),
        "--server",
        served.address,
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "EW_TOKEN": TOKEN}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reasoning, answer, claims = done.stdout.strip().split("\n\n")
    assert answer == asked.answer and "checkable claims supported" in claims.splitlines()[-1]
    assert "Hz" in reasoning
    two = [*command[:4], asked.audio_uri, asked.audio_uri, "Which of the two recordings is higher?", *command[-2:]]
    both = subprocess.run(two, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert both.returncode == 0 and both.stdout.strip(), both.stderr
    wrong = subprocess.run(
        command, cwd=ROOT, env=env | {"EW_TOKEN": "wrong"}, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 1 and "token" in wrong.stderr and "Traceback" not in wrong.stderr


def test_claims_come_with_their_verdicts(served: Served, asked: trajectory_pb2.Prompt) -> None:
    stream = served.client().chat.completions.create(
        model="listener", messages=messages(asked), stream=True, extra_body={"verify": True}
    )
    events = list(stream)
    claims = [claim for event in events for claim in (event.model_extra or {}).get("claims", [])]
    assert [claim["index"] for claim in claims] == list(range(len(claims))) != []
    assert {claim["verdict"] for claim in claims} == {"supported"}
    assert events[-1].grounding["share"] == 1.0 and events[-1].choices[0].finish_reason == "stop"


@contextlib.asynccontextmanager
async def conversation(served: Served) -> AsyncIterator[Any]:
    """A realtime session of OpenAI's client."""
    client = openai.AsyncOpenAI(
        base_url=f"{served.address}/v1", api_key=TOKEN, http_client=httpx.AsyncClient(trust_env=False)
    )
    async with client.realtime.connect(model="listener", websocket_connection_options={"proxy": None}) as connection:
        yield connection


async def until_done(connection: Any) -> tuple[Any, list[str]]:
    """How a response ended, or the error that there was none, and the kinds of events before."""
    kinds: list[str] = []
    async for event in connection:
        kinds.append(event.type)
        if event.type == "error":
            return event.error, kinds
        if event.type == "response.done":
            return event.response, kinds
    raise AssertionError("the server closed the session")


async def test_openais_client_talks_and_an_engine_that_is_killed_in_mid_speech_is_told_and_comes_back(
    served: Served, asked: trajectory_pb2.Prompt
) -> None:
    """Every session is told, also one that waits for nothing; history and clip outlive the engine."""
    sound, rate = soundfile.read(asked.audio_uri, dtype="int16")
    async with conversation(served) as connection, conversation(served) as other, asyncio.timeout(PATIENCE):
        kind = {"type": "audio/pcm", "rate": rate}
        session = {"type": "realtime", "instructions": question_text(asked), "verify": True}
        await connection.session.update(session=session | {"audio": {"input": {"format": kind}}})
        await connection.input_audio_buffer.append(audio=base64.b64encode(sound.tobytes()).decode())
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        said, kinds = await until_done(connection)
        assert said.status == "completed" and said.output[0].content[0].text == asked.answer
        assert kinds.index("response.reasoning_text.delta") < kinds.index("response.output_text.delta")
        assert said.grounding["share"] == 1.0
        failed, told = await killed_in_mid_speech(served, connection)
        assert failed.status == "failed" and "died" in failed.status_details.error.message
        assert (told.type, told.code) == ("server_error", "engine_unavailable") and "goes on" in told.message
        waiting, _ = await until_done(other)
        assert (waiting.code, waiting.message) == (told.code, told.message)
        await connection.conversation.item.retrieve(item_id=said.output[0].id)
        async for event in connection:
            if event.type == "conversation.item.retrieved":
                break
        assert event.item.content[0].text == asked.answer
        said = failed
        while getattr(said, "status", "") != "completed":
            await asyncio.sleep(0.5)
            await connection.response.create()
            said, _ = await until_done(connection)
        assert said.output[0].content[0].text == asked.answer


async def killed_in_mid_speech(served: Served, connection: Any) -> tuple[Any, Any]:
    """Kills the engine while it draws tokens: how the response ends, and the error event."""
    (engine,) = below(served.process.pid, "EngineCore")
    await connection.response.create()
    failed = told = None
    async for event in connection:
        match event.type:
            case "response.reasoning_text.delta" if engine.status() != psutil.STATUS_STOPPED:
                engine.suspend()
                await connection.conversation.item.retrieve(item_id=event.item_id)
            case "conversation.item.retrieved" if event.item.status == "in_progress":
                engine.kill()
            case "response.done" if event.response.status == "completed":  # it had drawn all before: once more
                engine.resume()
                await connection.response.create()
            case "response.done":
                failed = event.response
            case "error":
                told = event.error
        if failed and told:
            return failed, told
    raise AssertionError("the server closed the session")


async def test_it_listens_while_somebody_speaks_and_thinks_while_it_answers(
    served: Served, asked: trajectory_pb2.Prompt
) -> None:
    sound, rate = soundfile.read(asked.audio_uri, dtype="int16")
    async with conversation(served) as connection, asyncio.timeout(PATIENCE):

        async def response(**session: Any) -> tuple[Any, str, str]:
            """How a response ended, its reasoning, and what came in turn: reasoning (r) or answer (a)."""
            await connection.session.update(session={"type": "realtime", **session})
            await connection.response.create()
            reasoning = turns = ""
            async for event in connection:
                turns += {"response.reasoning_text.delta": "r", "response.output_text.delta": "a"}.get(event.type, "")
                if event.type == "response.reasoning_text.done":
                    reasoning = event.text
                if event.type == "response.done":
                    assert event.response.status == "completed", event.response
                    return event.response, reasoning, turns
            raise AssertionError("the server closed the session")

        kind = {"input": {"format": {"type": "audio/pcm", "rate": rate}}}
        session = {"type": "realtime", "instructions": question_text(asked), "audio": kind}

        async def listens(**more: int) -> None:
            listening = {"segment_ms": 500} | more
            await connection.session.update(session=session | {"listening": listening})  # type: ignore[typeddict-item]
            for start in range(0, len(sound), rate // 50):
                await connection.input_audio_buffer.append(
                    audio=base64.b64encode(sound[start : start + rate // 50].tobytes()).decode()
                )
            await connection.input_audio_buffer.commit()

        await listens(think_tokens=6)
        between, thoughts, _ = await response()
        assert between.usage.output_token_details.reasoning_tokens > 0 and thoughts
        await listens(think_tokens=0)
        early, thoughts, _ = await response()
        assert between.usage.input_tokens == early.usage.input_tokens
        assert between.usage.input_token_details.cached_tokens == early.usage.input_token_details.cached_tokens
        late, again, _ = await response()  # the clip once more, which is there whole
        assert early.output[0].content[0].text == late.output[0].content[0].text and thoughts == again
        assert early.usage.input_tokens == late.usage.input_tokens
        assert early.usage.input_token_details.cached_tokens > early.usage.input_tokens // 2
        assert late.usage.input_token_details.cached_tokens == 0
        whole, thoughts, turns = await response(listening=None)
        assert re.fullmatch("r+a+", turns) and whole.output[0].content[0].text == asked.answer
        _, some, turns = await response(thinking={"mode": "while_speaking", "tokens": 4})
        assert re.match("r+a+", turns) and thoughts.startswith(some) and some
        none, nothing, _ = await response(thinking={"mode": "first", "tokens": 0})
        assert nothing == "" and none.output[0].content[0].text
