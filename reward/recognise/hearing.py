"""Asks the recognisers about clips on threads of their own, a bounded number at a time, and keeps what they said."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Counter

from earwitness.errors import InfrastructureError, InputError
from earwitness.metrics import series
from earwitness.wire.recogniser.v1 import recogniser_pb2 as wire
from reward.recognise.heard import Listening
from reward.recognise.messages import content_of, samples_of, with_tracks
from reward.recognise.track import NotHeard, Samples

KEPT_CLIPS = 4096
"""Clips of which is kept what was heard: some 10 kB each."""
KEPT_SAMPLES = 64 * 1024 * 1024
"""Samples kept of the clips asked about last: somebody who asks what sounds may ask what is said. 256 MiB."""
WAITING = 32
"""Clips that may wait for their turn: a caller who waits for more has given up before it comes."""

CLIPS = Counter(*series("recogniser_clips"))
KEPT = Counter(*series("recogniser_kept"))


class SoundNeeded(Exception):
    """A clip is not kept."""


class Hearing:
    """What is heard in clips, by their content."""

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="recogniser")
        self._room = threading.BoundedSemaphore(threads + WAITING)
        self._heard: OrderedDict[str, Listening] = OrderedDict()
        self._sounds: OrderedDict[str, Samples] = OrderedDict()
        self._lock = threading.Lock()

    async def answer(self, request: wire.RecogniseRequest) -> wire.RecogniseResponse:
        """Raises InputError for what cannot be asked, InfrastructureError while too many clips wait."""
        if request.wanted not in (wire.WANTED_SOURCES, wire.WANTED_WORDS):
            raise InputError("wanted", "is not set", "WANTED_SOURCES or WANTED_WORDS")
        if not self._room.acquire(blocking=False):
            raise InfrastructureError("a turn", 0.0, f"{WAITING} clips wait already; scale recogniser")
        turn = self._threads.submit(self._answer, request)
        turn.add_done_callback(lambda _: self._room.release())  # when its thread is free, not when its caller leaves
        return await asyncio.wrap_future(turn)

    def _answer(self, request: wire.RecogniseRequest) -> wire.RecogniseResponse:
        content = request.content
        if request.HasField("sound"):
            self._keep(content, request.sound)
            CLIPS.inc()
        try:
            response = self._ask(self._listening(content), request.wanted)
        except NotHeard as reason:
            return wire.RecogniseResponse(not_heard=str(reason))
        except SoundNeeded:
            return wire.RecogniseResponse(needs_sound=True)
        if not request.HasField("sound"):
            KEPT.inc()
        return response

    def _ask(self, listening: Listening, wanted: wire.Wanted) -> wire.RecogniseResponse:
        if wanted == wire.WANTED_WORDS:
            return wire.RecogniseResponse(said=listening.said())
        return with_tracks(listening.tracks())

    def _listening(self, content: str) -> Listening:
        """One for each content, so that a clip is heard once, however many ask at a time."""
        with self._lock:
            listening = self._heard.setdefault(content, Listening(lambda: self._sound(content)))
            self._heard.move_to_end(content)
            while len(self._heard) > KEPT_CLIPS:
                self._heard.popitem(last=False)
            return listening

    def _sound(self, content: str) -> Samples:
        with self._lock:
            if content not in self._sounds:
                raise SoundNeeded
            self._sounds.move_to_end(content)
            return self._sounds[content]

    def _keep(self, content: str, sound: wire.Sound) -> None:
        samples = samples_of(sound)
        if content_of(sound) != content:
            raise InputError("content", "is not that of the sound", "xxh3-128 of peak and pcm, in hex digits")
        with self._lock:
            self._sounds[content] = samples
            while sum(map(len, self._sounds.values())) > KEPT_SAMPLES and len(self._sounds) > 1:
                self._sounds.popitem(last=False)
