from earwitness.wire.trajectory.v1 import trajectory_pb2 as _trajectory_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreRequest(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: _trajectory_pb2.Group
    def __init__(self, group: _Optional[_Union[_trajectory_pb2.Group, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("group",)
    GROUP_FIELD_NUMBER: _ClassVar[int]
    group: _trajectory_pb2.Group
    def __init__(self, group: _Optional[_Union[_trajectory_pb2.Group, _Mapping]] = ...) -> None: ...
