from earwitness.wire.errors.v1 import errors_pb2 as _errors_pb2
from earwitness.wire.metrics.v1 import metrics_pb2 as _metrics_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PhaseState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_STATE_UNSPECIFIED: _ClassVar[PhaseState]
    PHASE_STATE_IDLE: _ClassVar[PhaseState]
    PHASE_STATE_RUNNING: _ClassVar[PhaseState]
    PHASE_STATE_DONE: _ClassVar[PhaseState]
    PHASE_STATE_FAILED: _ClassVar[PhaseState]
    PHASE_STATE_STOPPED: _ClassVar[PhaseState]
PHASE_STATE_UNSPECIFIED: PhaseState
PHASE_STATE_IDLE: PhaseState
PHASE_STATE_RUNNING: PhaseState
PHASE_STATE_DONE: PhaseState
PHASE_STATE_FAILED: PhaseState
PHASE_STATE_STOPPED: PhaseState

class PrepareModelRequest(_message.Message):
    __slots__ = ("job_id", "recipe_yaml")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPE_YAML_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    recipe_yaml: bytes
    def __init__(self, job_id: _Optional[str] = ..., recipe_yaml: _Optional[bytes] = ...) -> None: ...

class PrepareModelResponse(_message.Message):
    __slots__ = ("model_uri", "parameters")
    MODEL_URI_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    model_uri: str
    parameters: int
    def __init__(self, model_uri: _Optional[str] = ..., parameters: _Optional[int] = ...) -> None: ...

class StartPhaseRequest(_message.Message):
    __slots__ = ("job_id", "recipe_yaml", "stage_index", "phase", "model_uri", "init_uri", "manifest_uri", "checkpoint_uri", "base_version", "base_lineage")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPE_YAML_FIELD_NUMBER: _ClassVar[int]
    STAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    MODEL_URI_FIELD_NUMBER: _ClassVar[int]
    INIT_URI_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_URI_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_URI_FIELD_NUMBER: _ClassVar[int]
    BASE_VERSION_FIELD_NUMBER: _ClassVar[int]
    BASE_LINEAGE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    recipe_yaml: bytes
    stage_index: int
    phase: str
    model_uri: str
    init_uri: str
    manifest_uri: str
    checkpoint_uri: str
    base_version: int
    base_lineage: int
    def __init__(self, job_id: _Optional[str] = ..., recipe_yaml: _Optional[bytes] = ..., stage_index: _Optional[int] = ..., phase: _Optional[str] = ..., model_uri: _Optional[str] = ..., init_uri: _Optional[str] = ..., manifest_uri: _Optional[str] = ..., checkpoint_uri: _Optional[str] = ..., base_version: _Optional[int] = ..., base_lineage: _Optional[int] = ...) -> None: ...

class StartPhaseResponse(_message.Message):
    __slots__ = ("step",)
    STEP_FIELD_NUMBER: _ClassVar[int]
    step: int
    def __init__(self, step: _Optional[int] = ...) -> None: ...

class StopPhaseRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class StopPhaseResponse(_message.Message):
    __slots__ = ("step",)
    STEP_FIELD_NUMBER: _ClassVar[int]
    step: int
    def __init__(self, step: _Optional[int] = ...) -> None: ...

class PublishWeightsRequest(_message.Message):
    __slots__ = ("job_id", "model_uri", "checkpoint_uri", "version", "recipe_yaml", "lineage")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_URI_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_URI_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RECIPE_YAML_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    model_uri: str
    checkpoint_uri: str
    version: int
    recipe_yaml: bytes
    lineage: int
    def __init__(self, job_id: _Optional[str] = ..., model_uri: _Optional[str] = ..., checkpoint_uri: _Optional[str] = ..., version: _Optional[int] = ..., recipe_yaml: _Optional[bytes] = ..., lineage: _Optional[int] = ...) -> None: ...

class PublishWeightsResponse(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    def __init__(self, bytes: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ("after_step",)
    AFTER_STEP_FIELD_NUMBER: _ClassVar[int]
    after_step: int
    def __init__(self, after_step: _Optional[int] = ...) -> None: ...

class StepMetrics(_message.Message):
    __slots__ = ("step", "metrics")
    STEP_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    step: int
    metrics: _containers.RepeatedCompositeFieldContainer[_metrics_pb2.Metric]
    def __init__(self, step: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[_metrics_pb2.Metric, _Mapping]]] = ...) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("job_id", "stage_index", "phase", "state", "reason", "step", "steps", "version", "checkpoint_uri", "lineage", "steps_done", "run_id", "ranks", "saving", "passed_over", "reason_kind")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_URI_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    STEPS_DONE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    SAVING_FIELD_NUMBER: _ClassVar[int]
    PASSED_OVER_FIELD_NUMBER: _ClassVar[int]
    REASON_KIND_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    stage_index: int
    phase: str
    state: PhaseState
    reason: str
    step: int
    steps: int
    version: int
    checkpoint_uri: str
    lineage: int
    steps_done: _containers.RepeatedCompositeFieldContainer[StepMetrics]
    run_id: str
    ranks: int
    saving: CheckpointWrite
    passed_over: _containers.RepeatedScalarFieldContainer[str]
    reason_kind: _errors_pb2.ErrorKind
    def __init__(self, job_id: _Optional[str] = ..., stage_index: _Optional[int] = ..., phase: _Optional[str] = ..., state: _Optional[_Union[PhaseState, str]] = ..., reason: _Optional[str] = ..., step: _Optional[int] = ..., steps: _Optional[int] = ..., version: _Optional[int] = ..., checkpoint_uri: _Optional[str] = ..., lineage: _Optional[int] = ..., steps_done: _Optional[_Iterable[_Union[StepMetrics, _Mapping]]] = ..., run_id: _Optional[str] = ..., ranks: _Optional[int] = ..., saving: _Optional[_Union[CheckpointWrite, _Mapping]] = ..., passed_over: _Optional[_Iterable[str]] = ..., reason_kind: _Optional[_Union[_errors_pb2.ErrorKind, str]] = ...) -> None: ...

class CheckpointWrite(_message.Message):
    __slots__ = ("step", "bytes", "bytes_written", "seconds")
    STEP_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BYTES_WRITTEN_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    step: int
    bytes: int
    bytes_written: int
    seconds: float
    def __init__(self, step: _Optional[int] = ..., bytes: _Optional[int] = ..., bytes_written: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class SaveCheckpointRequest(_message.Message):
    __slots__ = ("job_id",)
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    def __init__(self, job_id: _Optional[str] = ...) -> None: ...

class SaveCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint_uri",)
    CHECKPOINT_URI_FIELD_NUMBER: _ClassVar[int]
    checkpoint_uri: str
    def __init__(self, checkpoint_uri: _Optional[str] = ...) -> None: ...
