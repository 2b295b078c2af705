"""Asks the recogniser of the mesh, from the process that scores: within limits of time, and never an error.

Each question has a connection of its own, milliseconds beside a network that listens for a tenth of a second: so it
finds the replicas that there are now, and each its share of them.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import grpc

from earwitness.bearer import bearer
from earwitness.loopback import direct
from earwitness.rpc.server import OPTIONS, authorities
from earwitness.settings import Settings
from earwitness.wire.recogniser.v1 import recogniser_pb2 as wire
from earwitness.wire.recogniser.v1 import recogniser_pb2_grpc
from reward.recognise.messages import content_of, sound_of, tracks_in
from reward.recognise.sources import SOURCES
from reward.recognise.track import AWAY, NotHeard, Samples, Track

GROUP_SECONDS = 12.0
"""Of a group's time, all its questions together: what is not answered by then is not checkable, and the rest of the
group is scored."""
CONNECT_MS = 1_000
"""Longest for a connection within a mesh: a service without replicas may swallow what is sent to it."""
SILENCE_SECONDS = 10.0
"""After a failure it is left alone so long: a mesh whose recogniser is away goes on at its speed."""
ATTEMPTS = 2
"""A replica that has just ended is still asked; the next connection finds another."""
OWN = [("grpc.use_local_subchannel_pool", 1), ("grpc.min_reconnect_backoff_ms", CONNECT_MS)]
"""The second is also the longest that a connection may take."""


@dataclass
class Silence:
    """Until when nobody is asked; of one process."""

    seconds: float
    """After a failure."""
    until: float = 0.0
    why: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Asking:
    """The recognisers of the mesh, for one group. Safe to use from several threads."""

    labels = tuple(SOURCES)

    def __init__(self, settings: Settings, silence: Silence, seconds: float = GROUP_SECONDS) -> None:
        self._settings = settings
        self._silence = silence
        self._until = time.monotonic() + seconds
        self._metadata = [("authorization", bearer(settings.token))] if settings.token else []

    def __eq__(self, other: object) -> bool:
        """That of another group is the same one."""
        return isinstance(other, Asking) and other._settings.recogniser == self._settings.recogniser

    def __hash__(self) -> int:
        return hash(self._settings.recogniser)

    def expected(self) -> None:
        """Raises NotHeard if it is left alone."""
        now = time.monotonic()
        with self._silence.lock:
            if now < self._silence.until:
                raise NotHeard(AWAY + self._silence.why)
        if now >= self._until:
            raise NotHeard(f"{AWAY}the {GROUP_SECONDS:.0f} s of a group are used up")

    def recognise(self, samples: Samples) -> Mapping[str, Track]:
        """Tracks of those of `labels` that its tagger knows. Raises NotHeard."""
        return tracks_in(self._answer(wire.WANTED_SOURCES, samples))

    def transcribe(self, samples: Samples) -> Sequence[str]:
        """What is said. Raises NotHeard."""
        return list(self._answer(wire.WANTED_WORDS, samples).said)

    def _answer(self, wanted: wire.Wanted, samples: Samples) -> wire.RecogniseResponse:
        sound = sound_of(samples)
        request = wire.RecogniseRequest(wanted=wanted, content=content_of(sound))
        response = self._call(request)
        if response.needs_sound:
            request.sound.CopyFrom(sound)
            response = self._call(request)
        if response.not_heard:
            raise NotHeard(response.not_heard)
        return response

    def _call(self, request: wire.RecogniseRequest) -> wire.RecogniseResponse:
        self.expected()
        why = ""
        for _ in range(ATTEMPTS):  # one that finds no time left fails, too: it is left alone afterwards
            try:
                return self._connected(request)
            except grpc.RpcError as error:
                why = f"{error.code().name}, {error.details() or ''}"[:200]
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    break
        with self._silence.lock:
            self._silence.until, self._silence.why = time.monotonic() + self._silence.seconds, why
        raise NotHeard(AWAY + why)

    @functools.cached_property
    def _authorities(self) -> grpc.ChannelCredentials | None:
        """Read once for all questions of the group."""
        return authorities(self._settings)

    def _connected(self, request: wire.RecogniseRequest) -> wire.RecogniseResponse:
        address = self._settings.recogniser
        options = [*OPTIONS, *direct(address), *OWN]
        credentials = self._authorities
        secure = grpc.secure_channel(address, credentials, options) if credentials else None
        with secure or grpc.insecure_channel(address, options) as channel:
            stub = recogniser_pb2_grpc.RecogniserServiceStub(channel)
            left = max(0.0, self._until - time.monotonic())
            return stub.Recognise(request, timeout=left, metadata=self._metadata)


@functools.cache
def _silence(address: str, seconds: float) -> Silence:
    return Silence(seconds)


def asking(settings: Settings, silence_seconds: float = SILENCE_SECONDS) -> Asking:
    """The recogniser of the settings, for a group that begins now; runs in the process that scores."""
    return Asking(settings, _silence(settings.recogniser, silence_seconds))
