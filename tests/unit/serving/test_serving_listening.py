"""A clip is heard in segments while it is spoken."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
import soxr

from rollout.contract import BrokenEngineError
from tests.unit.serving.realtime_kit import PATIENCE, Caller, pcm, place
from tests.unit.serving.serving_kit import Hum, Parrot, Perch

LISTENING = {"segment_ms": 500}
KIND = {"input": {"format": {"type": "audio/pcm", "rate": 16_000}}}


async def until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)


async def speak(caller: Caller, sound: bytes, rate: int = 16_000) -> None:
    """In frames of 20 ms."""
    for start in range(0, len(sound), size := rate // 50 * 2):
        await caller.append(sound[start : start + size])


def joined(perch: Perch) -> np.ndarray:
    return np.concatenate(perch.heard)


@pytest.mark.parametrize("rate", [16_000, 24_000])
async def test_segments_are_heard_before_the_clip_has_ended(rate: int) -> None:
    parrot, sound = Parrot(), pcm(rate, 1.3)
    kind = {"input": {"format": {"type": "audio/pcm", "rate": rate}}}
    async with place(parrot) as here, here.session(instructions="How high?", listening=LISTENING, audio=kind) as caller:
        await speak(caller, sound, rate)
        await until(lambda: parrot.perches and len(parrot.perches[0].heard) == 2)
        assert parrot.asked == []
        await caller.say("input_audio_buffer.commit")
        await caller.say("response.create")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "completed" and done["usage"]["input_token_details"] == {"cached_tokens": 3}
        (perch,) = parrot.perches
        await until(lambda: perch.closed)
    assert [len(segment) for segment in perch.heard] == [8_000, 8_000, 4_800]
    spoken = np.frombuffer(sound, "<i2") / 32_768
    wanted = spoken if rate == 16_000 else soxr.resample(spoken, rate, 16_000)
    inner = np.ones(20_800, bool)  # a segment is resampled by itself: its edges are its own
    inner[[*range(100), *range(7_900, 8_100), *range(15_900, 16_100), *range(20_700, 20_800)]] = False
    np.testing.assert_allclose(joined(perch)[inner], wanted[inner], atol=1e-3)


async def test_what_was_heard_for_another_question_or_clip_is_forgotten() -> None:
    parrot = Parrot()
    async with place(parrot) as here, here.session(instructions="How high?", listening=LISTENING, audio=KIND) as caller:
        await speak(caller, pcm(16_000, 0.7))
        await caller.say("input_audio_buffer.clear")
        await caller.until("input_audio_buffer.cleared")
        assert parrot.perches[0].closed
        await speak(caller, pcm(16_000, 0.7))
        await caller.say("input_audio_buffer.commit")
        await caller.ask("How loud?")
        await caller.until("response.done")
        assert parrot.perches[1].closed
        (asked,) = parrot.asked
        assert (asked.text, asked.segment_seconds, len(asked.clips[0])) == ("How loud?", 0.5, 11_200)
        await speak(caller, pcm(16_000, 0.3))  # too short for a segment: the clip before is not heard again
        await caller.say("input_audio_buffer.commit")
        await caller.say("response.create")
        await caller.until("response.done")
        assert len(parrot.asked[-1].clips[0]) == 4_800 and len(parrot.perches) == 2


async def test_an_engine_that_dies_while_somebody_speaks_is_told_to_all_and_the_clip_is_heard_whole() -> None:
    dead, parrot = Parrot(), Parrot()
    async with place(dead) as here, here.session(instructions="How high?", listening=LISTENING, audio=KIND) as caller:
        async with here.session() as other:
            await speak(caller, pcm(16_000, 0.7))
            await until(lambda: dead.perches)
            await here.made.lose(BrokenEngineError("vLLM's process has died"))
            for one in (caller, other):
                error = (await one.until("error"))[-1]["error"]
                assert (error["type"], error["code"]) == ("server_error", "engine_unavailable")
        assert dead.perches[0].closed and here.made.talker is None
        here.made.talker = parrot
        await speak(caller, pcm(16_000, 0.7))
        await caller.say("input_audio_buffer.commit")
        await caller.say("response.create")
        assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"
    (asked,) = parrot.asked
    assert len(asked.clips[0]) == 22_400 and parrot.perches == []


async def test_who_goes_away_leaves_nothing_that_listens() -> None:
    parrot = Parrot()
    async with place(parrot) as here:
        async with here.session(instructions="How high?", listening=LISTENING, audio=KIND) as caller:
            await speak(caller, pcm(16_000, 0.7))
            await until(lambda: parrot.perches)
        await until(lambda: parrot.perches[0].closed)


async def test_the_think_block_may_be_bounded() -> None:
    parrot = Parrot()
    async with place(parrot) as here, here.session(instructions="How high?", thinking={"tokens": 8}) as caller:
        await caller.say("response.create")
        await caller.until("response.done")
    (asked,) = parrot.asked
    assert asked.think_tokens == 8 and not asked.plain


async def test_thinking_while_speaking_knows_what_is_still_to_be_heard() -> None:
    parrot = Parrot("</think>\n440 Hz is what I hear of it, and no more than that.")
    thinking = {"mode": "while_speaking", "tokens": 8}
    session = {"instructions": "How high?", "thinking": thinking, "output_modalities": ["audio"]}
    async with place(parrot, voice=Hum()) as here, here.session(**session) as caller:
        await caller.say("response.create")
        await caller.until("response.output_audio.delta")
        (asked,) = parrot.asked
        assert asked.while_speaking and asked.think_tokens == 8 and asked.left is not None
        assert 0 < asked.left() <= Hum.letter_seconds * len(parrot.response)
        await caller.until("response.done")
        await caller.say("session.update", session={"type": "realtime", "output_modalities": ["text"]})
        await caller.ask("How high?")
        await caller.until("response.done")
        assert parrot.asked[-1].left is None
        wrong = {"type": "realtime", "thinking": {"mode": "while_speaking", "tokens": None}}
        await caller.say("session.update", session=wrong)
        assert (await caller.until("error"))[-1]["error"]["param"] == "session.thinking"


async def test_a_segment_too_short_or_long_is_refused(unused: None = None) -> None:
    async with place() as here, here.session() as caller:
        for length in (499, 25_001):
            await caller.say("session.update", session={"type": "realtime", "listening": {"segment_ms": length}})
            said = (await caller.until("error"))[-1]["error"]
            assert said["param"] == "session.listening.segment_ms"


async def test_a_session_says_how_much_is_thought_between_segments() -> None:
    parrot = Parrot()
    listening = LISTENING | {"think_tokens": 6}
    async with place(parrot) as here, here.session(instructions="How high?", listening=listening, audio=KIND) as caller:
        await speak(caller, pcm(16_000, 0.7))
        await until(lambda: parrot.perches)
        assert parrot.perches[0].between == 6
        wrong = {"type": "realtime", "listening": {"think_tokens": 257}}
        await caller.say("session.update", session=wrong)
        assert (await caller.until("error"))[-1]["error"]["param"] == "session.listening.think_tokens"


async def test_clips_that_were_committed_since_the_last_response_are_spoken_of_together() -> None:
    parrot = Parrot()
    async with place(parrot) as here, here.session(instructions="Which?", listening=LISTENING, audio=KIND) as caller:

        async def commit(*lengths: float) -> None:
            for length in lengths:
                await speak(caller, pcm(16_000, length))
                await caller.say("input_audio_buffer.commit")

        async def asked() -> list[int]:
            await caller.say("response.create")
            assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"
            return [len(clip) for clip in parrot.asked[-1].clips]

        await commit(0.6, 0.3, 0.7)
        assert await asked() == [9_600, 4_800, 11_200] and parrot.asked[-1].plain
        assert await asked() == [9_600, 4_800, 11_200]  # of the same once more
        assert all(perch.closed for perch in parrot.perches)
        await commit(0.8)
        assert await asked() == [12_800]
        assert [len(segment) for segment in parrot.perches[-1].heard] == [8_000, 4_800]  # while it was spoken
        await commit(*[0.02] * 18)
        assert len(await asked()) == 16
