from earwitness.wire.trajectory.v1 import trajectory_pb2 as _trajectory_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GenerateRequest(_message.Message):
    __slots__ = ("prompt", "sampling", "without_audio")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    prompt: _trajectory_pb2.Prompt
    sampling: _trajectory_pb2.Sampling
    without_audio: bool
    def __init__(self, prompt: _Optional[_Union[_trajectory_pb2.Prompt, _Mapping]] = ..., sampling: _Optional[_Union[_trajectory_pb2.Sampling, _Mapping]] = ..., without_audio: _Optional[bool] = ...) -> None: ...

class GenerateResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: _trajectory_pb2.Group
    def __init__(self, group: _Optional[_Union[_trajectory_pb2.Group, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("worker", "version", "lineage", "groups", "tokens", "state")
    WORKER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    worker: str
    version: int
    lineage: str
    groups: int
    tokens: int
    state: str
    def __init__(self, worker: _Optional[str] = ..., version: _Optional[int] = ..., lineage: _Optional[str] = ..., groups: _Optional[int] = ..., tokens: _Optional[int] = ..., state: _Optional[str] = ...) -> None: ...
