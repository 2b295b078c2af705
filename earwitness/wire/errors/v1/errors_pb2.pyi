from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_KIND_UNSPECIFIED: _ClassVar[ErrorKind]
    ERROR_KIND_INPUT: _ClassVar[ErrorKind]
    ERROR_KIND_NOT_FOUND: _ClassVar[ErrorKind]
    ERROR_KIND_CONFLICT: _ClassVar[ErrorKind]
    ERROR_KIND_INFRASTRUCTURE: _ClassVar[ErrorKind]
    ERROR_KIND_JOB: _ClassVar[ErrorKind]
    ERROR_KIND_INTERNAL: _ClassVar[ErrorKind]
ERROR_KIND_UNSPECIFIED: ErrorKind
ERROR_KIND_INPUT: ErrorKind
ERROR_KIND_NOT_FOUND: ErrorKind
ERROR_KIND_CONFLICT: ErrorKind
ERROR_KIND_INFRASTRUCTURE: ErrorKind
ERROR_KIND_JOB: ErrorKind
ERROR_KIND_INTERNAL: ErrorKind
