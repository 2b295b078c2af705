"""Claims are checked by a process of its own while the reasoning still comes."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import numpy as np
import pytest
import soundfile

from earwitness.errors import InfrastructureError
from earwitness.probe.sound import tone
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import measure
from serving.claims.checker import VERDICTS
from serving.claims.live import Checked, Verdict, verified
from serving.claims.verifier import Heard, Verifier
from serving.clips import clip_of
from serving.thinking import Said
from tests.unit.serving.serving_kit import CHAT, Parrot, client, question, server, wav

SENTENCES = [
    "The tone is near 440 Hz. ",
    "It lasts about 3 seconds. ",
    'A label says "it is loud.',
    '" The pitch rises; ',
    "done",
]
TEXT = "".join(SENTENCES)


@pytest.fixture(scope="module")
def verifier() -> Any:
    made = Verifier()
    yield made
    made.stop()


async def talk(*pieces: str, gates: dict[int, asyncio.Event] | None = None) -> AsyncGenerator[Said, None]:
    """Reasoning; before piece n it waits for its gate."""
    for number, piece in enumerate(pieces):
        if gates and number in gates:
            await gates[number].wait()
        yield Said(reasoning=piece)


async def test_a_claim_is_told_as_soon_as_its_sentence_has_ended(verifier: Verifier) -> None:
    """The second sentence does not come before the first claim has been told."""
    gate = asyncio.Event()
    told: list[str] = []
    async for event in verified(talk(*SENTENCES[:2], gates={1: gate}), Heard(verifier, [wav()], "")):
        match event:
            case Checked(claims):
                told += [f"{claim['verdict']} {claim['measured']}" for claim in claims]
                assert not any(claim["verdict"] == "contradicted" for claim in claims) or gate.is_set()
                gate.set()
            case Verdict(figures):
                told.append(f"{figures['supported']} of {figures['claims']}, {figures['share']}, {figures['coverage']}")
    pitch, duration, total = told
    assert pitch.startswith("supported") and "440 Hz" in pitch
    assert duration.startswith("contradicted") and total == "1 of 2, 0.5, 1.0"


@pytest.mark.parametrize("size", [1, 7, len(TEXT)])
async def test_in_the_end_the_claims_are_those_of_the_whole_reasoning(verifier: Verifier, size: int) -> None:
    claims: dict[int, dict[str, Any]] = {}
    pieces = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]
    events = [event async for event in verified(talk(*pieces), Heard(verifier, [wav()], ""))]
    for event in events:
        if isinstance(event, Checked):
            claims |= {claim["index"]: claim for claim in event.claims}
    whole = check_claims(TEXT, trajectory_pb2.Prompt(), measure(clip_of(wav(), "clip").samples)).claims
    stand = [claim for claim in claims.values() if claim["verdict"] != "withdrawn"]
    assert [(c["text"], c["verdict"], c["measured"]) for c in stand] == [
        (c.text, VERDICTS[c.verdict], c.measured) for c in whole
    ]
    assert all(TEXT[claim["start"] : claim["end"]] == claim["text"] for claim in stand)
    assert isinstance(events[-1], Verdict) and events[-1].figures["claims"] == len(whole)
    assert "".join(event.reasoning for event in events if isinstance(event, Said)) == TEXT


async def test_a_claim_is_checked_on_the_clip_that_it_names(verifier: Verifier) -> None:
    said = "It is near 440 Hz. Clip A is near 440 Hz. Clip B is near 440 Hz. The second recording is higher."
    claims, _ = await Heard(verifier, [wav(), wav(0.1 * tone(0.5, 600.0))], "").check(said)
    assert [(claim["verdict"], claim["clip"]) for claim in claims] == [
        ("not_checkable", 0), ("supported", 1), ("contradicted", 2), ("supported", 2)
    ]  # fmt: skip
    assert [claim["to_seconds"] for claim in claims[1:3]] == [1.0, 0.5]


async def test_the_words_wait_for_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the reasoning comes although no check ends before it has."""
    spoken = asyncio.Event()

    async def slow(self: Verifier, name: str, *given: Any) -> Any:
        await spoken.wait()
        return {} if name == "phrases" else ([], [])

    monkeypatch.setattr(Verifier, "run", slow)
    said = ""
    async for event in verified(talk(*SENTENCES), Heard(Verifier(), [wav()], "")):
        if isinstance(event, Said):
            said += event.reasoning
            if said == TEXT:
                spoken.set()
    assert spoken.is_set()


async def test_a_process_that_ends_is_started_again(verifier: Verifier) -> None:
    heard = Heard(verifier, [wav()], "")
    before = await heard.check(TEXT)
    assert verifier._pool is not None
    for pid in list(verifier._pool._processes):
        os.kill(pid, signal.SIGKILL)
    assert before and await heard.check(TEXT) == before


async def test_an_answer_does_not_end_because_its_claims_cannot_be_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(self: Verifier, name: str, *given: Any) -> Any:
        raise InfrastructureError("the process that checks claims", 0.0, "it ended twice")

    monkeypatch.setattr(Verifier, "run", gone)
    async with client(server()) as caller:
        answer = (await caller.post(CHAT, json=question(verify=True))).json()
    assert answer["choices"][0]["message"]["content"] == "440 Hz"
    assert "ended twice" in answer["grounding"]["error"]


@pytest.fixture
async def checked(verifier: Verifier) -> AsyncIterator[Any]:
    made = server(Parrot("The tone is near 440 Hz. It has the same pitch as 3 tones.\n</think>\n440 Hz"))
    made.verifier = verifier
    async with client(made) as caller:
        yield caller


async def test_a_stream_carries_the_claims_that_a_whole_answer_has(checked: Any) -> None:
    whole = (await checked.post(CHAT, json=question(verify=True))).json()
    body = (await checked.post(CHAT, json=question(verify=True, stream=True))).text
    events = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n") if line.startswith("data: {")]
    assert [claim for event in events for claim in event.get("claims", [])] == whole["claims"] != []
    assert events[-1]["grounding"] == whole["grounding"]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"
    assert "claims" not in (await checked.post(CHAT, json=question())).json()


async def test_without_a_clip_there_is_nothing_to_check_against(checked: Any) -> None:
    answer = await checked.post(CHAT, json=question({"type": "text", "text": "How high?"}, verify=True))
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "verify"


@pytest.mark.parametrize("files", [
    [("wav", "PCM_16", 16_000, 1)], [("wav", "FLOAT", 48_000, 2)], [("wav", "PCM_24", 44_100, 2)],
    [("wav", "ULAW", 8_000, 1)],
    [("mp3", "MPEG_LAYER_III", 44_100, 2)], [("mp3", "MPEG_LAYER_III", 16_000, 1)], [("flac", "PCM_24", 48_000, 1)],
    [("ogg", "VORBIS", 48_000, 2)],
    [("mp3", "MPEG_LAYER_III", 48_000, 1), ("wav", "PCM_U8", 22_050, 1), ("ogg", "OPUS", 16_000, 1)],
], ids=str)  # fmt: skip
async def test_openais_client_streams_claims_of_clips_of_any_kind(
    checked: Any, files: list[tuple[str, str, int, int]]
) -> None:
    """Of one clip, or of several between words; the tone is the same in each."""
    openai = pytest.importorskip("openai")
    asked = openai.AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none", http_client=checked, max_retries=0)
    content: list[Any] = []
    for kind, subtype, rate, channels in files:
        held, times = io.BytesIO(), np.arange(rate) / rate
        sound = np.repeat(0.1 * np.sin(2 * np.pi * 440 * times)[:, None], channels, 1)
        soundfile.write(held, sound, rate, format=kind.upper(), subtype=subtype)
        audio = {"data": base64.b64encode(held.getvalue()).decode(), "format": kind}
        content += [{"type": "text", "text": "And this? "}, {"type": "input_audio", "input_audio": audio}]
    stream = await asked.chat.completions.create(
        model="listener", messages=[{"role": "user", "content": content}], stream=True,
        stream_options={"include_usage": True}, extra_body={"verify": True},
    )  # fmt: skip
    events = [event async for event in stream]
    (first, *_) = [claim for event in events for claim in (event.model_extra or {}).get("claims", [])]
    assert first["kind"] == "pitch"
    if len(files) == 1:
        assert (first["verdict"], first["clip"]) == ("supported", 1)
        assert float(first["measured"].split()[0]) == pytest.approx(440, abs=3)
    else:  # nobody knows which of them is meant
        assert (first["verdict"], first["clip"]) == ("not_checkable", 0)
    said = [event.choices[0].delta for event in events if event.choices]
    assert "".join(delta.content or "" for delta in said) == "440 Hz"
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in said).startswith("The tone is near")
    assert events[-1].usage.total_tokens > 0 and events[-2].grounding["claims"] >= 1
