"""What the recogniser does with questions: a clip is heard once however many ask, and only so many may wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from earwitness.errors import InfrastructureError
from earwitness.wire.recogniser.v1 import recogniser_pb2 as wire
from reward.recognise import heard, hearing
from reward.recognise.hearing import WAITING, Hearing
from reward.recognise.messages import content_of, sound_of, tracks_in
from reward.recognise.track import NotHeard, Threshold, Track

TRACK = Track(0.5, np.array([0.25, 0.75], dtype=np.float32), Threshold(there=0.6, gone=0.3), shortest=1.0, reach=0.25)


class Toy:
    """A recogniser and transcriber of ours, which waits until it is let go."""

    labels = ("dog", "cat")

    def __init__(self) -> None:
        self.asked = 0
        self.begun = threading.Event()
        self.go = threading.Event()
        self.why = ""

    def recognise(self, samples):
        self.asked += 1
        self.begun.set()
        self.go.wait()
        if self.why:
            raise NotHeard(self.why)
        return dict.fromkeys(self.labels, TRACK)

    def transcribe(self, samples):
        self.asked += 1
        return ["so many samples:", str(len(samples))]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    one = Toy()
    monkeypatch.setattr(heard, "recognisers", lambda: (one,))
    monkeypatch.setattr(heard, "transcriber", lambda: one)
    yield one
    one.go.set()


def question(clip: int, wanted: wire.Wanted = wire.WANTED_SOURCES, *, sound: bool = True) -> wire.RecogniseRequest:
    """About a clip of 100 samples and that many more."""
    sent = sound_of(np.full(100 + clip, 0.1, dtype=np.float32))
    return wire.RecogniseRequest(wanted=wanted, content=content_of(sent), sound=sent if sound else None)


async def test_a_clip_is_heard_once_and_its_track_arrives_as_it_is(toy):
    listening = Hearing(threads=4)
    asked = [asyncio.create_task(listening.answer(question(0))) for _ in range(8)]
    toy.go.set()
    for answer in await asyncio.gather(*asked):
        tracks = tracks_in(answer)
        assert set(tracks) == {"dog", "cat"}
        dog = tracks["dog"]
        assert dog.scores.tolist() == TRACK.scores.tolist() and dog.threshold == TRACK.threshold
        assert (dog.step, dog.shortest, dog.reach) == (0.5, 1.0, 0.25)
    assert toy.asked == 1


async def test_who_asked_what_sounds_may_ask_what_is_said_without_the_sound(toy):
    toy.go.set()
    listening = Hearing(threads=1)
    await listening.answer(question(7))
    answer = await listening.answer(question(7, wire.WANTED_WORDS, sound=False))
    assert answer == wire.RecogniseResponse(said=["so many samples:", "107"])


async def test_what_failed_is_asked_again(toy):
    toy.go.set()
    toy.why = "its scores are no numbers"
    listening = Hearing(threads=1)
    assert await listening.answer(question(0)) == wire.RecogniseResponse(not_heard=toy.why)
    toy.why = ""
    assert (await listening.answer(question(0, sound=False))).tracks


async def test_sounds_are_kept_up_to_a_bound_and_what_was_heard_longer(toy, monkeypatch):
    monkeypatch.setattr(hearing, "KEPT_SAMPLES", 250)
    toy.go.set()
    listening = Hearing(threads=1)
    for clip in range(3):
        await listening.answer(question(clip))
    assert not (await listening.answer(question(0, sound=False))).needs_sound
    said = [await listening.answer(question(clip, wire.WANTED_WORDS, sound=False)) for clip in range(3)]
    assert [answer.needs_sound for answer in said] == [True, False, False]


async def test_more_than_may_wait_are_refused_and_a_turn_is_free_when_its_thread_is(toy):
    listening = Hearing(threads=1)
    asked = [asyncio.create_task(listening.answer(question(clip))) for clip in range(1 + WAITING)]
    await asyncio.to_thread(toy.begun.wait)
    with pytest.raises(InfrastructureError, match="scale recogniser"):
        await listening.answer(question(99))
    asked[0].cancel()  # its caller has left, its thread works on
    with pytest.raises(InfrastructureError):
        await listening.answer(question(99))
    asked[-1].cancel()  # this one had no thread yet
    await asyncio.gather(asked[-1], return_exceptions=True)
    toy.go.set()
    assert (await listening.answer(question(99))).tracks
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in done].count(asyncio.CancelledError) == 2
