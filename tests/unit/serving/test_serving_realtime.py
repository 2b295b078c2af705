"""`/v1/realtime` over real WebSockets, with a talker that has no model; OpenAI's client and hostile ones."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from typing import Any

import numpy as np
import pytest
import soxr
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from earwitness.probe.sound import tone
from rollout.contract import BrokenEngineError
from serving.program import bound
from serving.realtime.formats import A_LAW, G711, MU_LAW, Pcm, clip_of_stream
from serving.settings import Settings
from tests.unit.serving.realtime_kit import PATIENCE, pcm, place, until_done
from tests.unit.serving.serving_kit import LISTENER, Parrot, Slow

pytest.importorskip("openai")


async def test_openais_client_holds_a_conversation() -> None:
    parrot = Parrot()
    async with place(parrot, token="secret") as there, there.openai_session("secret") as connection:
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "instructions": "How high is the tone?",
                     "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": None}}}
        )  # fmt: skip
        sound = pcm()
        for start in range(0, len(sound), 961):  # samples are cut
            await connection.input_audio_buffer.append(audio=base64.b64encode(sound[start : start + 961]).decode())
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        heard = await until_done(connection)
    kinds = [event.type for event in heard]
    assert kinds[:3] == ["session.created", "session.updated", "input_audio_buffer.committed"]
    assert "".join(e.delta for e in heard if e.type == "response.output_text.delta") == "440 Hz"
    assert "".join(e.delta for e in heard if e.type == "response.reasoning_text.delta") == "The tone is near 440 Hz."
    done = heard[-1].response
    assert done.status == "completed" and done.output[0].content[0].text == "440 Hz"
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens > 0
    (asked,) = parrot.asked
    assert asked.text == "How high is the tone?" and len(asked.clips) == 1
    assert len(asked.clips[0]) == 16_000
    spectrum = np.abs(np.fft.rfft(asked.clips[0]))
    assert spectrum.argmax() == 440


async def test_claims_are_told_in_the_conversation_too() -> None:
    async with place() as there, there.session(verify=True) as caller:
        await there.made.verifier.warm()
        await caller.append(pcm())
        await caller.say("input_audio_buffer.commit")
        await caller.ask("How high?")
        heard = await caller.until("response.done")
    (claims,) = [event["claims"] for event in heard if event["type"] == "response.claims"]
    assert [claim["verdict"] for claim in claims] == ["supported"]
    assert heard[-1]["response"]["grounding"]["share"] == 1.0


async def test_a_response_that_is_cancelled_ends_at_once_and_another_may_begin() -> None:
    slow = Slow()
    async with place(slow) as there, there.session() as caller:
        await caller.ask("How high?")
        await caller.until("response.reasoning_text.delta")
        await caller.say("response.create", event_id="again")
        refused = (await caller.until("error"))[-1]["error"]
        assert (refused["code"], refused["event_id"]) == ("conversation_already_has_active_response", "again")
        await caller.say("response.cancel")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "cancelled" and done["status_details"]["reason"] == "client_cancelled"
        assert slow.closed == 2  # its own, and the parrot's in it: nothing goes on behind the client's back
        slow.go_on.set()
        await caller.ask("And now?")
        assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"
        await caller.say("response.cancel")
        assert (await caller.until("error"))[-1]["error"]["code"] == "response_cancel_not_active"
    assert [asked.text for asked in slow.asked] == ["How high?", "And now?"]


async def test_who_goes_away_is_answered_no_further() -> None:
    slow = Slow()
    async with place(slow) as there:
        async with there.session() as caller:
            await caller.ask("How high?")
            await caller.until("response.reasoning_text.delta")
        async with asyncio.timeout(PATIENCE):
            while not slow.closed:  # noqa: ASYNC110 (the server closes it)
                await asyncio.sleep(0.01)


async def test_an_engine_that_dies_is_told_and_the_session_goes_on() -> None:
    parrot = Parrot(BrokenEngineError("vLLM's process has died"))
    async with place(parrot) as there, there.session() as caller:
        await caller.ask("How high?")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "failed" and "died" in done["status_details"]["error"]["message"]
        parrot.response = "It is.\n</think>\nhigh"
        await caller.ask("How high?")
        assert (await caller.until("response.done"))[-1]["response"]["output"][0]["content"][0]["text"] == "high"


async def test_no_more_sound_is_held_than_a_model_hears() -> None:
    async with place() as there, there.session() as caller:
        await caller.append(bytes(1_400_000))
        await caller.append(bytes(100_000))
        assert "too long" in (await caller.until("error"))[-1]["error"]["message"]
        await caller.say("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        await caller.say("input_audio_buffer.commit")
        assert (await caller.until("error"))[-1]["error"]["code"] == "input_audio_buffer_commit_empty"


def test_small_events_do_not_wait_for_one_another() -> None:
    """A connection sends what it has without waiting for the acknowledgement of what it sent before."""
    with bound(Settings(LISTENER, port=0)) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_session_in_which_nothing_is_said_is_told_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.realtime.endpoint.IDLE_SECONDS", 0.01)
    async with place() as there, connect(f"ws://{there.address}/v1/realtime", proxy=None) as socket:
        async with asyncio.timeout(PATIENCE):
            assert json.loads(await socket.recv())["type"] == "session.created"
            assert json.loads(await socket.recv())["error"]["code"] == "session_expired"
            await socket.wait_closed()


async def test_no_more_sessions_than_have_room() -> None:
    parrot = Parrot()
    parrot.room = 1
    async with place(parrot) as there:
        async with there.session() as first, connect(f"ws://{there.address}/v1/realtime", proxy=None) as second:
            told = json.loads(await second.recv())
            assert (told["type"], told["error"]["code"], told["error"]["type"]) == (
                "error",
                "no_room",
                "rate_limit_error",
            )
            with pytest.raises(ConnectionClosed) as closed:
                await second.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013
            await first.ask("How high?")
            assert (await first.until("response.done"))[-1]["response"]["status"] == "completed"

        async def admitted() -> bool:
            async with connect(f"ws://{there.address}/v1/realtime", proxy=None) as third:
                return bool(json.loads(await third.recv())["type"] == "session.created")

        async with asyncio.timeout(PATIENCE):
            while not await admitted():
                pass


async def test_sessions_have_a_limit_and_a_door() -> None:
    async with place(running=1, token="secret") as there:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{there.address}/v1/realtime", proxy=None)
        assert refused.value.response.status_code == 401
        keys = ["realtime", "openai-insecure-api-key.secret"]
        async with connect(f"ws://{there.address}/v1/realtime", proxy=None, subprotocols=keys) as inside:  # type: ignore[arg-type]
            assert inside.subprotocol == "realtime"
            with pytest.raises(InvalidStatus) as full:
                await connect(f"ws://{there.address}/v1/realtime", proxy=None, subprotocols=keys)  # type: ignore[arg-type]
            assert full.value.response.status_code == 429
        with pytest.raises(InvalidStatus) as other:
            await connect(f"ws://{there.address}/v1/realtime?model=x", proxy=None, subprotocols=keys)  # type: ignore[arg-type]
        assert other.value.response.status_code == 404


@pytest.mark.parametrize(("table", "peak"), [(MU_LAW, 8031 / 8192), (A_LAW, 4032 / 4096)])
def test_g711_has_the_amplitudes_of_its_tables(table: np.ndarray, peak: float) -> None:
    """Tables 1a to 2b of ITU-T G.711: both signs, the largest value, and steps that double from segment to segment."""
    assert table.max() == pytest.approx(peak) and table.min() == -table.max()
    sizes = np.unique(np.abs(table))
    steps = np.unique(np.round(np.diff(sizes) * 8192))
    assert len(sizes) in (128, 127) and np.all(np.diff(np.log2(steps[steps > 0])) <= 1.6)
    assert (MU_LAW[0xFF], MU_LAW[0x80]) == (0, pytest.approx(8031 / 8192))
    assert A_LAW[0xD5] == pytest.approx(1 / 4096)


@pytest.mark.parametrize(("kind", "table"), [("audio/pcmu", MU_LAW), ("audio/pcma", A_LAW)])
def test_a_telephone_and_a_microphone_hear_the_same_tone(kind: Any, table: np.ndarray) -> None:
    """Coded to the nearest amplitude of the table, as an encoder does."""
    narrow = soxr.resample(0.3 * tone(1.0, 440.0), 16_000, 8_000)
    codes = np.abs(narrow[:, None] - table[None, :]).argmin(axis=1).astype(np.uint8)
    phoned = clip_of_stream(codes.tobytes(), G711(type=kind))
    wide = (32_767 * 0.3 * tone(1.0, 440.0)).astype("<i2").tobytes()
    heard = clip_of_stream(wide, Pcm(type="audio/pcm", rate=16_000))
    noise = phoned.samples - heard.samples
    assert 10 * np.log10(np.mean(heard.samples**2) / np.mean(noise**2)) > 30  # G.711's is about 38 dB
