"""Answers as sound: cut by clauses, paced, taken back."""

from __future__ import annotations

import asyncio
import base64
import stat
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.errors import InfrastructureError
from rollout.contract import BrokenEngineError
from serving.realtime.formats import A_LAW, G711, MU_LAW, Pcm, decoded, encoded
from serving.realtime.speaker import AHEAD_SECONDS, PIECE_SECONDS
from serving.speech.clauses import LONG_CHARS, Clauses
from serving.speech.playback import Spoken
from serving.speech.voice import Espeak, Speech
from serving.talk import Question, Tokens
from serving.thinking import Said
from tests.unit.serving.realtime_kit import PATIENCE, place, until_done
from tests.unit.serving.serving_kit import Hum, Parrot, wav

pytest.importorskip("openai")

SPOKEN = {"output_modalities": ["audio"]}


@given(st.text(alphabet="ab. ,?\n1—", max_size=600), st.integers(1, 50))
def test_clauses_are_the_text_and_come_as_soon_as_they_have_ended(text: str, size: int) -> None:
    clauses = Clauses()
    found = [clause for start in range(0, len(text), size) for clause in clauses.take(text[start : start + size])]
    last = clauses.end()
    assert "".join(found + last).rstrip() == text.rstrip()
    assert all(len(clause) <= LONG_CHARS for clause in found)
    assert all(clause.strip() for clause in last)


async def test_the_clause_that_is_due_first_is_spoken_first_and_what_nobody_waits_for_is_not() -> None:
    class Held(Hum):
        free = threading.Event()

        def __call__(self, clause: str) -> np.ndarray:
            self.free.wait(PATIENCE)
            if clause == "mute":
                raise InfrastructureError("a clause to be spoken", 1.0, "hoarse")
            return super().__call__(clause)

    voice = Held()
    speech = Speech(lambda: voice)
    await speech.load()
    said = [asyncio.create_task(speech.say("before", 9.0))]
    await asyncio.sleep(0)  # it is in the voice's hands
    while speech._waiting.qsize():  # noqa: ASYNC110 (a thread takes it)
        await asyncio.sleep(0.01)
    said += [
        asyncio.create_task(speech.say(*one)) for one in (("late", 8.0), ("soon", 1.0), ("gone", 0.0), ("mute", 2.0))
    ]
    await asyncio.sleep(0)
    said[3].cancel()
    await asyncio.sleep(0)
    voice.free.set()
    sounds = await asyncio.gather(*said, return_exceptions=True)
    assert voice.said == ["before", "soon", "late"]
    assert isinstance(sounds[4], InfrastructureError)
    for clause, sound in zip(("before", "late", "soon"), sounds, strict=False):
        assert isinstance(sound, np.ndarray) and len(sound) == round(Hum.rate * Hum.letter_seconds * len(clause))


def test_numbers_are_not_cut_and_short_words_wait() -> None:
    clauses = Clauses()
    said = "A. The tone is 3.5 dB louder, near 1,000 Hz. It rises"
    assert clauses.take(said) == ["A. The tone is 3.5 dB louder,", " near 1,000 Hz."]
    assert clauses.end() == [" It rises"]


def test_what_was_heard_goes_by_the_clock() -> None:
    """Two clauses of a second each go out at once at 10 s; a third comes too late, at 13 s."""
    spoken = Spoken([("One two, ", 1.0), ("three four. ", 1.0), ("Five.", 0.5)])
    assert (spoken.played(10.0), spoken.ahead(10.0), spoken.heard(0.0)) == (0.0, 0.0, "")
    spoken.send(1.0, 10.0)
    spoken.send(1.0, 10.0)
    assert spoken.ahead(10.5) == pytest.approx(1.5) and spoken.played(10.5) == pytest.approx(0.5)
    assert spoken.played(12.7) == pytest.approx(2.0) and spoken.underruns == 0
    spoken.send(0.5, 13.0)
    assert spoken.underruns == 1 and spoken.played(13.25) == pytest.approx(2.25)
    heard = [spoken.heard(seconds) for seconds in (0.3, 0.6, 1.0, 1.3, 2.0, 9.0)]
    assert heard == ["", "One", "One two,", "One two,", "One two, three four.", "One two, three four. Five."]


@pytest.mark.parametrize(("kind", "table"), [("audio/pcmu", MU_LAW), ("audio/pcma", A_LAW)])
def test_every_amplitude_of_g711_is_coded_as_itself_and_others_as_the_nearest(kind: Any, table: np.ndarray) -> None:
    of = G711(type=kind)
    assert np.array_equal(decoded(encoded(table, of), of), table)
    samples = np.random.default_rng(1).uniform(-1.1, 1.1, 500).astype(np.float32)
    nearest = np.abs(samples[:, None] - table[None]).min(axis=1)
    assert np.abs(decoded(encoded(samples, of), of) - samples) == pytest.approx(nearest, abs=1e-6)


async def test_openais_client_hears_the_answer() -> None:
    voice = Hum()
    parrot = Parrot("Soft.\n</think>\nIt is near 440 Hz, I think. Yes.")
    async with place(parrot, voice=voice) as there, there.openai_session() as connection:
        output = {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "hum"}
        session = {"type": "realtime", "instructions": "How high?", "audio": {"output": output}, **SPOKEN}
        await connection.session.update(session=session)
        await connection.response.create()
        heard = await until_done(connection)
        item = heard[-1].response.output[0]
        await connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=280)
        await connection.conversation.item.retrieve(item_id=item.id)
        async with asyncio.timeout(PATIENCE):
            truncated, held = await connection.recv(), await connection.recv()
    text = "It is near 440 Hz, I think. Yes."
    assert "".join(voice.said) == text and len(voice.said) == 2
    assert "".join(e.delta for e in heard if e.type == "response.output_audio_transcript.delta") == text
    pieces = [base64.b64decode(e.delta) for e in heard if e.type == "response.output_audio.delta"]
    assert max(map(len, pieces)) <= AHEAD_SECONDS * 24_000 * 2
    sound = decoded(b"".join(pieces), Pcm(type="audio/pcm"))
    assert len(sound) == pytest.approx(24_000 * voice.letter_seconds * len(text), abs=10)
    assert np.abs(np.fft.rfft(sound)).argmax() * 24_000 / len(sound) == pytest.approx(300, abs=2)
    assert item.content[0].type == "output_audio" and item.content[0].transcript == text
    kinds = [event.type for event in heard]
    assert kinds.index("response.output_audio.delta") < kinds.index("response.output_audio.done")
    assert heard[-1].response.output_modalities == ["audio"]
    assert (truncated.type, truncated.audio_end_ms) == ("conversation.item.truncated", 280)
    assert held.item.content[0].transcript == "It is"


def seconds(event: dict[str, Any]) -> float:
    """Of sound."""
    sound = event["delta"] if event["type"] == "response.output_audio.delta" else ""
    return len(base64.b64decode(sound)) / 2 / 24_000


class Drawl(Hum):
    """A voice that takes its time: nobody hears such an answer to its end."""

    letter_seconds = 0.4


async def test_of_an_answer_that_is_cancelled_the_conversation_holds_what_was_heard() -> None:
    text = "It is near 440 Hz, which is the tone of a tuning fork."
    async with place(Parrot(f"x</think>{text}"), voice=Drawl()) as there, there.session(**SPOKEN) as caller:
        await caller.ask("How high?")
        heard = await caller.until("response.output_audio.delta")
        await caller.say("response.cancel")
        heard += await caller.until("response.done")
        done = heard[-1]["response"]
        assert done["status"] == "cancelled"
        said = done["output"][0]["content"][0]["transcript"]
        assert text.startswith(said) and len(said) < len(text)
        sent = sum(map(seconds, heard))
        item = done["output"][0]["id"]
        await caller.say("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=10**6)
        refused = (await caller.until("error"))[-1]["error"]
        assert refused["param"] == "audio_end_ms" and f"at most {round(1_000 * sent)}" in refused["message"]
        await caller.ask("And now?")  # its sound would be hours: it is let go with the session
        await caller.until("response.output_audio.delta")


async def test_no_more_than_a_second_goes_out_before_it_is_played() -> None:
    """However fast the voice is: the first sound goes at once, and what follows waits."""
    parrot, loop = Parrot("x</think>" + "many words. " * 9), asyncio.get_running_loop()
    async with place(parrot, voice=Drawl()) as there, there.session(**SPOKEN) as caller:
        began = loop.time()
        await caller.ask("How high?")
        heard = 0.0
        while heard < AHEAD_SECONDS + 0.5:
            heard += seconds(await caller.hear())
        assert loop.time() - began >= heard - AHEAD_SECONDS - PIECE_SECONDS


async def test_a_server_without_a_voice_says_so_and_answers_in_words() -> None:
    async with place() as there, there.session() as caller:
        await caller.say("session.update", session=SPOKEN)
        refused = (await caller.until("error"))[-1]["error"]
        assert refused["param"] == "output_modalities" and "earwitness[speech]" in refused["message"]
        await caller.ask("How high?")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["output"][0]["content"][0]["text"] == "440 Hz"
    async with place(voice=Hum()) as there, there.session() as caller:
        await caller.say("session.update", session={**SPOKEN, "audio": {"output": {"voice": "alloy"}}})
        refused = (await caller.until("error"))[-1]["error"]
        assert refused["param"] == "session.audio.output.voice" and "'hum'" in refused["message"]


class Mute(Hum):
    """A voice that fails."""

    def __call__(self, clause: str) -> np.ndarray:
        raise InfrastructureError("a clause to be spoken", 1.0, "no")


class Dies(Parrot):
    """Its engine dies when the first clause has been said; another says all."""

    def __init__(self) -> None:
        super().__init__("</think>\nIt is a tone, which goes on")
        self.heard = asyncio.Event()

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """As `Parrot`'s."""
        alive = self.heard.is_set()
        async for said in super().answer(question, tokens):
            yield said
        if not alive:
            await self.heard.wait()
            raise BrokenEngineError("vLLM's process has died")


async def test_an_engine_that_dies_in_mid_speech_is_told_and_the_conversation_goes_on() -> None:
    """With what had gone out as the words of the answer."""
    dies = Dies()
    async with place(dies, voice=Hum()) as there, there.session(output_modalities=["audio"]) as caller:
        await caller.ask("What is it?")
        await caller.until("response.output_audio.delta")
        dies.heard.set()
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "failed" and "died" in done["status_details"]["error"]["message"]
        (item,) = done["output"]
        assert item["content"][0]["transcript"] == "It is a tone,"
        await caller.say("conversation.item.retrieve", item_id=item["id"])
        assert (await caller.until("conversation.item.retrieved"))[-1]["item"] == item
        await caller.ask("And now?")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["output"][0]["content"][0]["transcript"] == "It is a tone, which goes on"


async def test_a_voice_that_fails_ends_the_answer_and_not_the_session() -> None:
    async with place(voice=Mute()) as there, there.session(**SPOKEN) as caller:
        await caller.ask("How high?")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "failed" and "clause" in done["status_details"]["error"]["message"]
        await caller.say("session.update", session={"output_modalities": ["text"]})
        await caller.ask("How high?")
        assert (await caller.until("response.done"))[-1]["response"]["status"] == "completed"


def test_espeak_is_a_program_that_is_given_text_and_gives_a_file(tmp_path: Path) -> None:
    program = tmp_path / "espeak-ng"
    sound = np.sin(np.arange(2_205) / 10).astype(np.float32) / 2
    (tmp_path / "sound.wav").write_bytes(wav(sound, 22_050))
    program.write_text(f'#!/bin/sh\nread -r words\n[ "$words" = "it rises" ] && cat "{tmp_path}/sound.wav"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert Espeak(str(program))("it rises") == pytest.approx(sound, abs=1e-4)
    with pytest.raises(InfrastructureError, match="espeak-ng"):
        Espeak(str(program))("it falls")


def test_hibari_speaks_and_says_the_same_twice() -> None:
    pytest.importorskip("hibari")
    from serving.speech.voice import Hibari

    voice = Hibari()
    once, again = voice("The tone rises."), voice("The tone rises.")
    assert 1.0 < len(once) / voice.rate < 3.0 and np.array_equal(once, again)
    assert 0.05 < np.abs(once).max() <= 1.0
