"""`/v1/chat/completions` and its neighbours, over ASGI, with a talker that has no model."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.errors import InputError
from earwitness.probe.sound import tone
from rollout.contract import BrokenEngineError
from serving import guard
from tests.unit.serving.serving_kit import CHAT, Parrot, client, heard, question, server, wav

TEXT = {"type": "text", "text": "How high?"}


def chunks(body: str) -> list[dict[str, Any]]:
    """The events of a stream; it ends as OpenAI's do."""
    events = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


async def test_a_stream_says_what_a_whole_answer_says() -> None:
    async with client(server()) as caller:
        whole = (await caller.post(CHAT, json=question())).json()
        options = {"stream": True, "stream_options": {"include_usage": True}}
        events = chunks((await caller.post(CHAT, json=question(**options))).text)
    message = whole["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"]) == ("The tone is near 440 Hz.", "440 Hz")
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    for part in ("reasoning_content", "content"):
        assert "".join(delta.get(part, "") for delta in deltas) == message[part]
    assert events[-1]["choices"] == [] and events[-1]["usage"] == whole["usage"]
    assert events[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "stop"
    assert {event["id"] for event in events} == {events[0]["id"]}


async def test_the_clip_reaches_the_talker_at_16_khz_and_the_words_beside_it() -> None:
    parrot = Parrot()
    async with client(server(parrot)) as caller:
        assert (await caller.post(CHAT, json=question(heard(wav(rate=8_000)), TEXT, seed=3))).status_code == 200
    (asked,) = parrot.asked
    assert asked.text == "How high?" and asked.seed == 3
    assert [clip.shape for clip in asked.clips] == [(32_000,)] and asked.at == ()


async def test_several_clips_keep_their_order_and_their_places_among_the_words() -> None:
    parrot = Parrot()
    parts = [{"type": "text", "text": text} for text in ("A: ", "B: ", "Which?")]
    asked = question(parts[0], heard(), parts[1], heard(wav(tone(0.5, 300.0))), parts[2])
    async with client(server(parrot)) as caller:
        assert (await caller.post(CHAT, json=asked)).status_code == 200
    assert parrot.asked[0].text == "A: B: Which?" and parrot.asked[0].at == (3, 6)
    assert [len(clip) for clip in parrot.asked[0].clips] == [16_000, 8_000]


@pytest.mark.parametrize(
    ("request_", "param", "said"),
    [
        (question(tools=[]), "tools", "not supported"),
        (question(temperature=3), "temperature", "less than or equal to 2"),
        (question({"type": "text"}), "messages[0].content[0].text", "required"),
        (question(*[heard()] * 17, TEXT), "messages[0].content[16]", "at most 16 clips"),
        (question(heard(b"RIFFnothing")), "messages[0].content[0].input_audio.data", "damaged"),
        (question({"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}}),
         "messages[0].content[0].input_audio.data", "base64"),
        (question({"type": "audio_url", "audio_url": {"url": "http://127.0.0.1/a.wav"}}),
         "messages[0].content[0].audio_url.url", "fetches nothing"),
        (question({"type": "audio_url", "audio_url": {"url": "https://[::1"}}),
         "messages[0].content[0].audio_url.url", "no URL"),
        (question() | {"messages": []}, "messages", "at least 1"),
        ({"messages": question()["messages"]}, "model", "required"),
        (question(max_tokens=0), "max_tokens", "greater than or equal to 1"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(request_: dict[str, Any], param: str, said: str) -> None:
    async with client(server()) as caller:
        answer = await caller.post(CHAT, json=request_)
    error = answer.json()["error"]
    assert answer.status_code == 400 and error["type"] == "invalid_request_error"
    assert error["param"] == param and said in error["message"] and param in error["message"]


async def test_another_model_and_another_path_are_not_there() -> None:
    async with client(server()) as caller:
        model = await caller.post(CHAT, json=question() | {"model": "gpt-4o-audio"})
        path = await caller.get("/v1/embeddings")
        assert (await caller.get("/v1/models")).json()["data"][0]["id"] == "listener"
        assert (await caller.get("/v1/models/listener")).status_code == 200
    assert (model.status_code, model.json()["error"]["code"]) == (404, "model_not_found")
    assert (path.status_code, path.json()["error"]["code"]) == (404, "not_found")


async def test_a_data_url_is_a_clip_that_came_along() -> None:
    encoded = heard()["input_audio"]["data"]
    part = {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{encoded}"}}
    parrot = Parrot()
    async with client(server(parrot)) as caller:
        assert (await caller.post(CHAT, json=question(part, TEXT))).status_code == 200
    assert len(parrot.asked[0].clips) == 1


@pytest.mark.parametrize("url", [
    "http://clips.example/a.wav", "https://clips.example:8443/a.wav", "https://user@clips.example/a.wav",
    "https://clips.example.evil.example/a.wav", "https://evil.example/clips.example", "file:///etc/passwd",
])  # fmt: skip
async def test_only_the_hosts_that_are_named_are_fetched_from(url: str) -> None:
    async with client(server(audio_hosts=("clips.example",))) as caller:
        answer = await caller.post(CHAT, json=question({"type": "audio_url", "audio_url": {"url": url}}))
    assert answer.status_code == 400 and "https://clips.example/" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("failure", "status"),
    [(BrokenEngineError("dead"), 503), (InputError("messages", "take 300 tokens", "fewer"), 400)],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_fails_before_the_first_word_has_a_status_of_its_own(
    failure: Exception, status: int, stream: bool
) -> None:
    async with client(server(Parrot(failure))) as caller:
        answer = await caller.post(CHAT, json=question(stream=stream))
    assert answer.status_code == status and str(failure) in answer.json()["error"]["message"]


async def test_who_shows_no_token_is_not_heard() -> None:
    parrot = Parrot()
    guarded = server(parrot, token="secret")
    for headers, status in [({}, 401), ({"Authorization": "Bearer wrong"}, 401),
                            ({"Authorization": "Bearer secret"}, 200)]:  # fmt: skip
        async with client(guarded, **headers) as caller:
            assert (await caller.post(CHAT, json=question())).status_code == status
            assert (await caller.get("/metrics")).status_code == status
            assert (await caller.get("/health")).status_code == 200
    assert len(parrot.asked) == 1


async def test_pages_of_others_cannot_ask() -> None:
    """By a form (no JSON), by a script (another origin), by a name that points to this machine."""
    parrot = Parrot()
    async with client(server(parrot)) as caller:
        plain = await caller.post(CHAT, content=json.dumps(question()), headers={"Content-Type": "text/plain"})
        script = await caller.post(CHAT, json=question(), headers={"Origin": "https://evil.example"})
        own = await caller.post(CHAT, json=question(), headers={"Origin": "http://127.0.0.1:8000"})
    async with client(server(parrot), base="http://evil.example") as caller:
        rebound = await caller.post(CHAT, json=question())
    assert [answer.status_code for answer in (plain, script, rebound, own)] == [415, 403, 403, 200]
    assert len(parrot.asked) == 1


async def test_a_request_that_is_too_long_is_refused_by_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_BODY_BYTES", 1_000)
    body = json.dumps(question()).encode()

    async def parts() -> Any:  # sent without a length
        for start in range(0, len(body), 500):
            yield body[start : start + 500]

    async with client(server()) as caller:
        for content in (body, parts()):
            answer = await caller.post(CHAT, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413 and "1,000" in answer.json()["error"]["message"]


async def test_more_than_there_is_room_for_wait_outside() -> None:
    full = server(running=0)
    async with client(full) as caller:
        answer = await caller.post(CHAT, json=question())
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert (await caller.get("/health")).status_code == 200


async def test_before_the_model_is_there_callers_are_told_to_come_again() -> None:
    loading = server()
    loading.talker = None
    async with client(loading) as caller:
        for answer in (await caller.get("/health"), await caller.post(CHAT, json=question())):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["model", "messages", "content", "role", "type", "text", "input_audio", "data"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, st.binary(max_size=3))
async def test_no_request_is_a_bug_of_ours(value: Any, tail: bytes) -> None:
    body = json.dumps(value | {"model": "listener"} if isinstance(value, dict) else value).encode() + tail
    async with client(server()) as caller:
        answer = await caller.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]["message"]
