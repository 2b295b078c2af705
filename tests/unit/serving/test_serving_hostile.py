"""What nobody should send: to `/v1/realtime`, and to the server's other paths."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.unit.serving.realtime_kit import Caller, Place, pcm, place
from tests.unit.serving.serving_kit import CHAT, Slow, client, heard, question, server

EVENTS: list[dict[str, Any]] = [
    {"type": "session.update", "session": {
        "type": "realtime", "model": "listener", "instructions": "How high?", "output_modalities": ["text"],
        "max_output_tokens": 9, "temperature": 0.5, "verify": False,
        "listening": {"segment_ms": 500, "think_tokens": 8, "pause_ms": 200},
        "thinking": {"mode": "first", "tokens": 4},
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16_000}, "turn_detection": {
            "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
            "create_response": True, "interrupt_response": True}},
            "output": {"format": {"type": "audio/pcmu", "rate": 8_000}, "voice": "hum", "speed": 1.0}}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "previous_item_id": "none", "item": {
        "type": "message", "role": "user", "id": "mine", "object": "realtime.item", "status": "completed",
        "content": [{"type": "input_text", "text": "How high?"}]}},
    {"type": "conversation.item.truncate", "item_id": "other", "content_index": 0, "audio_end_ms": 5},
    {"type": "conversation.item.retrieve", "item_id": "other"},
    {"type": "response.create", "response": {"instructions": "How?", "max_output_tokens": 5, "metadata": {"a": "b"},
                                             "output_modalities": ["text"]}},
    {"type": "response.cancel", "response_id": "other"},
]  # fmt: skip
"""Every event of the vocabulary, with every field."""
REQUEST = question(
    temperature=0.5, top_p=0.5, seed=5, max_completion_tokens=9, max_tokens=9, n=1, verify=False, stream=False,
    stream_options={"include_usage": True}, modalities=["text"], user="me", metadata={"a": "b"},
)  # fmt: skip
"""Every field of a chat."""
NUMBERS = ["5", True, [], {}, math.nan, math.inf, -1e308, 10**30, -5, "NaN"]


def wrong(value: Any) -> list[Any]:
    """What cannot stand in the place of a value."""
    match value:
        case bool():
            return ["true", 1, 0, [], {}, math.nan]
        case int():
            return [*NUMBERS, 0.5]
        case float():
            return NUMBERS
        case str():
            return [5, True, 0.5, [], {}, math.nan]
        case dict():
            return [[], "x", 5, True, value | {"more": 1}, [value]]
        case _:
            return [{}, 5, True, [None], [5], [*value, *value] * 33]


def spoilt(value: Any) -> Iterator[Any]:
    """A value with one thing wrong in it, at every place."""
    yield from wrong(value)
    places = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for place_, inner in places:
        for other in spoilt(inner):
            changed = copy.copy(value)
            changed[place_] = other
            yield changed


def hostile(numbers: random.Random) -> str | bytes:
    """A frame that nobody should send."""
    kinds = ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "response.create",
             "response.cancel", "conversation.item.create", "input_audio_buffer.clear", "nonsense", ""]  # fmt: skip
    values: list[Any] = [None, True, -1, 1e308, "", "ünïcode \u0000", "A" * 70_000, [], {}, [[]] * 40,
                         {"type": "x"}, "====", "AAA",
                         {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 7}}}},
                         {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
                         {"output_modalities": ["audio"]}, {"max_output_tokens": 0}, {"model": "other"}]  # fmt: skip
    fields = ["audio", "session", "item", "response", "response_id", "event_id", "more"]
    match numbers.randrange(6):
        case 0:
            return numbers.randbytes(numbers.randrange(50))
        case 1:
            return "[" * numbers.randrange(1, 5_000)
        case 2:
            return json.dumps(numbers.choice(values))
        case 3:
            return json.dumps({"type": numbers.choice(kinds), "event_id": "e" * 513})
    event = {name: numbers.choice(values) for name in numbers.sample(fields, 2)}
    return json.dumps({"type": numbers.choice(kinds), "nothing": 1} | event)


async def refused(caller: Caller, frame: str | bytes) -> dict[str, Any]:
    """The error that answers a frame, in words that are no longer than they need to be."""
    await caller.socket.send(frame)
    answer = await caller.hear()
    assert answer["type"] == "error", (frame[:200], answer)
    error: dict[str, Any] = answer["error"]
    assert error["type"] == "invalid_request_error" and error["code"] and 0 < len(error["message"]) < 2_000
    return error


async def answered(there: Place, slow: Slow, other: Caller, caller: Caller) -> None:
    """Another's answer, which was on its way all the time, is heard to its end, and so is who was refused."""
    slow.go_on.set()
    done = (await other.until("response.done"))[-1]["response"]
    assert done["output"][0]["content"][0]["text"] == "440 Hz"
    await caller.ask("And you?")
    assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_a_thousand_malformed_frames_are_answered_and_end_no_session() -> None:
    """Each has an error event of its own, and another's session, which is being answered meanwhile, hears all of it."""
    slow, numbers = Slow(), random.Random(15)
    async with place(slow) as there, there.session() as other, there.session() as caller:
        await other.ask("How high?")
        await other.until("response.reasoning_text.delta")
        for _ in range(1_000):
            await refused(caller, hostile(numbers))
        await answered(there, slow, other, caller)


async def test_what_is_of_another_type_is_refused_in_every_field_of_every_event() -> None:
    """By the event's own name, where it has one."""
    slow = Slow()
    async with place(slow) as there, there.session() as other, there.session() as caller:
        await other.ask("How high?")
        await other.until("response.reasoning_text.delta")
        count = 0
        for event in EVENTS:
            for bad in spoilt(event):
                if isinstance(bad, dict):
                    count += 1
                    error = await refused(caller, json.dumps(bad | {"event_id": f"e{count}"}))
                    assert error["event_id"] == f"e{count}"
                else:
                    await refused(caller, json.dumps(bad))
            for bad_name in (5, [], {}, True, "e" * 513):
                assert (await refused(caller, json.dumps(event | {"event_id": bad_name})))["event_id"] is None
        assert count > 300
        await answered(there, slow, other, caller)


@pytest.mark.parametrize("frame", [
    b"", bytes(1_000), "", "\0", "{", "null", "[1]", '"x"', "1e999", "\ufeff{}", "9" * 10_000, "[" * 1_000_000,
    '{"a":' * 50_000, json.dumps({"type": "x" * 1_000_000}), json.dumps({"type": "response.cancel", "y" * 99_999: 1}),
    json.dumps({"type": "response.cancel"} | {f"k{number}": 1 for number in range(100_000)}),
    '{"type": "response.cancel", "response_id": "\\ud800"}', '{"type": "response.cancel", "response_id": NaN}',
    '{"type": "input_audio_buffer.append", "audio": ' + "9" * 100_000 + "}",
    *(json.dumps({"type": "input_audio_buffer.append", "audio": audio}) for audio in
      ("é", "AAA", "====", "A" * 4_001, "AA\nAA", "-_-_", "A" * 3_000_000)),
], ids=lambda frame: f"{frame[:40]!r}...{len(frame)}")  # fmt: skip
async def test_a_frame_that_is_no_event_has_an_error_of_its_own(frame: str | bytes) -> None:
    async with place() as there, there.session() as caller:
        await refused(caller, frame)
        await caller.ask("How high?")
        assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_what_comes_out_of_order_is_refused() -> None:
    """Of items and answers that are not there, not this session's, or not as they are said to be."""
    async with place() as there, there.session() as other, there.session() as caller:
        await other.ask("How high?")
        item = (await other.until("response.output_item.done"))[-1]["item"]["id"]

        async def code(kind: str, **fields: Any) -> str | None:
            error = await refused(caller, json.dumps({"type": kind, **fields}))
            return error["param"] or error["code"]

        for unknown in (item, "item_1", "", "\0"):
            assert await code("conversation.item.retrieve", item_id=unknown) == "item_id"
            where = {"item_id": unknown, "content_index": 0, "audio_end_ms": 0}
            assert await code("conversation.item.truncate", **where) == "item_id"
        assert await code("response.cancel") == "response_id"
        assert await code("response.cancel", response_id="resp_1") == "response_id"
        assert await code("response.create") == "response"
        assert await code("input_audio_buffer.commit") == "input_audio_buffer_commit_empty"
        await caller.append(b"")
        assert await code("input_audio_buffer.commit") == "input_audio_buffer_commit_empty"
        await caller.append(b"\0")  # half a sample
        assert await code("input_audio_buffer.commit") == "input_audio_buffer_commit_empty"
        words = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "How?"}], "id": "mine"}
        assert await code("conversation.item.create", item=words, previous_item_id=item) == "previous_item_id"
        await caller.say("conversation.item.create", item=words)
        await caller.until("conversation.item.done")
        assert await code("conversation.item.create", item=words) == "item.id"
        where = {"item_id": "mine", "content_index": 0, "audio_end_ms": 0}
        assert await code("conversation.item.truncate", **where) == "item_id"
        await caller.say("response.create")
        assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_a_bug_of_ours_is_told_and_ends_no_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    async with place() as there, there.session() as caller:
        with monkeypatch.context() as broken:
            broken.setattr("serving.realtime.hearing.b64decode", lambda *_, **__: 1 / 0)
            await caller.say("input_audio_buffer.append", audio="AAAA", event_id="mine")
            error = (await caller.until("error"))[-1]["error"]
        assert (error["type"], error["code"], error["event_id"]) == ("server_error", "internal_error", "mine")
        await caller.append(pcm())
        await caller.say("input_audio_buffer.commit")
        await caller.until("input_audio_buffer.committed")


@pytest.mark.parametrize(("how", "code"), [("long", 1009), ("long in pieces", 1009), ("no UTF-8", 1007)])
async def test_a_frame_that_cannot_be_read_ends_the_session_that_sent_it_alone(how: str, code: int) -> None:
    """By WebSocket's own word for it: the rest of such a frame is not waited for."""
    async with place() as there, there.session() as other, there.session() as caller:
        with pytest.raises(ConnectionClosed) as closed:
            match how:
                case "long":
                    await caller.append(bytes(8_000_000))
                case "long in pieces":
                    await caller.socket.send(["A" * 1_000_000] * 100)
                case _:
                    caller.socket.protocol.send_frame(Frame(Opcode.TEXT, b"\xff\xfe"))
                    caller.socket.send_data()
            while True:
                await caller.hear()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == code
        await other.ask("How high?")
        assert (await other.until("response.done"))[-1]["response"]["status"] == "completed"


async def test_what_is_of_another_type_is_refused_in_every_field_of_a_chat() -> None:
    async with client(server()) as caller:
        assert (await caller.post(CHAT, json=REQUEST)).status_code == 200
        for bad in spoilt(REQUEST):
            if isinstance(bad, dict) and bad.get("seed") == -5:
                continue  # is a seed
            answer = await caller.post(CHAT, content=json.dumps(bad), headers={"Content-Type": "application/json"})
            error = answer.json()["error"]
            assert (answer.status_code, error["type"]) in ((400, "invalid_request_error"), (404, "not_found_error")), (
                bad
            )
            assert error["code"] and 0 < len(error["message"]) < 2_000


@pytest.mark.parametrize("data", ["", "====", "AAA", "é", "A" * 4_000])
async def test_a_clip_that_is_none_is_refused_by_its_place(data: str) -> None:
    part = heard()
    part["input_audio"]["data"] = data
    async with client(server()) as caller:
        answer = await caller.post(CHAT, json=question(part, {"type": "text", "text": "How high?"}))
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "messages[0].content[0].input_audio.data"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/listener", "/health", "/metrics", "/v1/realtime", "/v1/%00",
                                  CHAT])  # fmt: skip
async def test_paths_are_asked_as_they_should_be_or_refuse_it(path: str, method: str) -> None:
    async with client(server()) as caller:
        body = b"\xff" * 1_000
        answer = await caller.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 404, 405) and answer.json()["error"]["message"]
        assert (await caller.get("/health")).status_code == 200


@pytest.mark.parametrize("headers", [
    {"Host": "[::1"}, {"Origin": "http://[::1"}, {"Origin": "\xff"}, {"Host": ""}, {"Content-Length": "9" * 5_000},
    {"Content-Length": "\xb2"}, {"Content-Length": "-1"}, {"Content-Type": "\xff"}, {"Authorization": "Bearer \xff"},
], ids=str)  # fmt: skip
async def test_no_header_is_a_bug_of_ours(headers: dict[str, str]) -> None:
    """Whatever stands in it: what is asked is answered, or refused in our words."""
    async with client(server()) as caller:
        sent = {"Content-Type": "application/json"} | headers
        answer = await caller.post(CHAT, json=REQUEST, headers={k: v.encode("latin-1") for k, v in sent.items()})
    assert answer.status_code == 200 or (answer.status_code < 500 and answer.json()["error"]["message"])
