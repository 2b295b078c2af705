from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VersionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERSION_KIND_UNSPECIFIED: _ClassVar[VersionKind]
    VERSION_KIND_ANCHOR: _ClassVar[VersionKind]
    VERSION_KIND_DELTA: _ClassVar[VersionKind]
VERSION_KIND_UNSPECIFIED: VersionKind
VERSION_KIND_ANCHOR: VersionKind
VERSION_KIND_DELTA: VersionKind

class TensorEntry(_message.Message):
    __slots__ = ("name", "shape", "dtype", "offset", "nbytes", "xxh3_128")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    XXH3_128_FIELD_NUMBER: _ClassVar[int]
    name: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    dtype: str
    offset: int
    nbytes: int
    xxh3_128: bytes
    def __init__(self, name: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., dtype: _Optional[str] = ..., offset: _Optional[int] = ..., nbytes: _Optional[int] = ..., xxh3_128: _Optional[bytes] = ...) -> None: ...

class ChunkEntry(_message.Message):
    __slots__ = ("key", "shard", "nbytes")
    KEY_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    NBYTES_FIELD_NUMBER: _ClassVar[int]
    key: str
    shard: int
    nbytes: int
    def __init__(self, key: _Optional[str] = ..., shard: _Optional[int] = ..., nbytes: _Optional[int] = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("lineage", "version", "kind", "base_version", "tensors", "chunks", "committed_at", "chunks_uri", "step", "traceparents")
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_URI_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENTS_FIELD_NUMBER: _ClassVar[int]
    lineage: str
    version: int
    kind: VersionKind
    base_version: int
    tensors: _containers.RepeatedCompositeFieldContainer[TensorEntry]
    chunks: _containers.RepeatedCompositeFieldContainer[ChunkEntry]
    committed_at: float
    chunks_uri: str
    step: Manifest
    traceparents: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lineage: _Optional[str] = ..., version: _Optional[int] = ..., kind: _Optional[_Union[VersionKind, str]] = ..., base_version: _Optional[int] = ..., tensors: _Optional[_Iterable[_Union[TensorEntry, _Mapping]]] = ..., chunks: _Optional[_Iterable[_Union[ChunkEntry, _Mapping]]] = ..., committed_at: _Optional[float] = ..., chunks_uri: _Optional[str] = ..., step: _Optional[_Union[Manifest, _Mapping]] = ..., traceparents: _Optional[_Iterable[str]] = ...) -> None: ...
