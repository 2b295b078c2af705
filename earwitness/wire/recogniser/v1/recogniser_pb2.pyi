from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Wanted(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WANTED_UNSPECIFIED: _ClassVar[Wanted]
    WANTED_SOURCES: _ClassVar[Wanted]
    WANTED_WORDS: _ClassVar[Wanted]
WANTED_UNSPECIFIED: Wanted
WANTED_SOURCES: Wanted
WANTED_WORDS: Wanted

class RecogniseRequest(_message.Message):
    __slots__ = ("wanted", "content", "sound")
    WANTED_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    SOUND_FIELD_NUMBER: _ClassVar[int]
    wanted: Wanted
    content: str
    sound: Sound
    def __init__(self, wanted: _Optional[_Union[Wanted, str]] = ..., content: _Optional[str] = ..., sound: _Optional[_Union[Sound, _Mapping]] = ...) -> None: ...

class Sound(_message.Message):
    __slots__ = ("pcm", "peak")
    PCM_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    peak: float
    def __init__(self, pcm: _Optional[bytes] = ..., peak: _Optional[float] = ...) -> None: ...

class RecogniseResponse(_message.Message):
    __slots__ = ("needs_sound", "not_heard", "tracks", "said")
    NEEDS_SOUND_FIELD_NUMBER: _ClassVar[int]
    NOT_HEARD_FIELD_NUMBER: _ClassVar[int]
    TRACKS_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    needs_sound: bool
    not_heard: str
    tracks: _containers.RepeatedCompositeFieldContainer[Track]
    said: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, needs_sound: _Optional[bool] = ..., not_heard: _Optional[str] = ..., tracks: _Optional[_Iterable[_Union[Track, _Mapping]]] = ..., said: _Optional[_Iterable[str]] = ...) -> None: ...

class Track(_message.Message):
    __slots__ = ("label", "step_seconds", "scores", "there", "gone", "shortest_seconds", "reach_seconds")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    STEP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    THERE_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    SHORTEST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REACH_SECONDS_FIELD_NUMBER: _ClassVar[int]
    label: str
    step_seconds: float
    scores: _containers.RepeatedScalarFieldContainer[float]
    there: float
    gone: float
    shortest_seconds: float
    reach_seconds: float
    def __init__(self, label: _Optional[str] = ..., step_seconds: _Optional[float] = ..., scores: _Optional[_Iterable[float]] = ..., there: _Optional[float] = ..., gone: _Optional[float] = ..., shortest_seconds: _Optional[float] = ..., reach_seconds: _Optional[float] = ...) -> None: ...
