from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verifier(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERIFIER_UNSPECIFIED: _ClassVar[Verifier]
    VERIFIER_CHOICE: _ClassVar[Verifier]
    VERIFIER_NUMBER: _ClassVar[Verifier]
    VERIFIER_TEXT: _ClassVar[Verifier]
    VERIFIER_POLAR: _ClassVar[Verifier]
    VERIFIER_MATH: _ClassVar[Verifier]
    VERIFIER_JUDGE: _ClassVar[Verifier]

class ReasoningTerm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASONING_TERM_UNSPECIFIED: _ClassVar[ReasoningTerm]
    REASONING_TERM_PRESENCE: _ClassVar[ReasoningTerm]
    REASONING_TERM_GROUNDED: _ClassVar[ReasoningTerm]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_SUPPORTED: _ClassVar[Verdict]
    VERDICT_CONTRADICTED: _ClassVar[Verdict]
    VERDICT_NOT_CHECKABLE: _ClassVar[Verdict]

class TraceVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRACE_VERDICT_UNSPECIFIED: _ClassVar[TraceVerdict]
    TRACE_VERDICT_GROUNDED: _ClassVar[TraceVerdict]
    TRACE_VERDICT_REFUSED: _ClassVar[TraceVerdict]
    TRACE_VERDICT_FAILED: _ClassVar[TraceVerdict]
VERIFIER_UNSPECIFIED: Verifier
VERIFIER_CHOICE: Verifier
VERIFIER_NUMBER: Verifier
VERIFIER_TEXT: Verifier
VERIFIER_POLAR: Verifier
VERIFIER_MATH: Verifier
VERIFIER_JUDGE: Verifier
REASONING_TERM_UNSPECIFIED: ReasoningTerm
REASONING_TERM_PRESENCE: ReasoningTerm
REASONING_TERM_GROUNDED: ReasoningTerm
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
VERDICT_UNSPECIFIED: Verdict
VERDICT_SUPPORTED: Verdict
VERDICT_CONTRADICTED: Verdict
VERDICT_NOT_CHECKABLE: Verdict
TRACE_VERDICT_UNSPECIFIED: TraceVerdict
TRACE_VERDICT_GROUNDED: TraceVerdict
TRACE_VERDICT_REFUSED: TraceVerdict
TRACE_VERDICT_FAILED: TraceVerdict

class PlacedClip(_message.Message):
    __slots__ = ("audio_uri", "at", "control_uri")
    AUDIO_URI_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    CONTROL_URI_FIELD_NUMBER: _ClassVar[int]
    audio_uri: str
    at: int
    control_uri: str
    def __init__(self, audio_uri: _Optional[str] = ..., at: _Optional[int] = ..., control_uri: _Optional[str] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("id", "question", "choices", "answer", "verifier", "audio_uri", "kind", "control_uri", "clips")
    ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_FIELD_NUMBER: _ClassVar[int]
    AUDIO_URI_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONTROL_URI_FIELD_NUMBER: _ClassVar[int]
    CLIPS_FIELD_NUMBER: _ClassVar[int]
    id: str
    question: str
    choices: _containers.RepeatedScalarFieldContainer[str]
    answer: str
    verifier: Verifier
    audio_uri: str
    kind: str
    control_uri: str
    clips: _containers.RepeatedCompositeFieldContainer[PlacedClip]
    def __init__(self, id: _Optional[str] = ..., question: _Optional[str] = ..., choices: _Optional[_Iterable[str]] = ..., answer: _Optional[str] = ..., verifier: _Optional[_Union[Verifier, str]] = ..., audio_uri: _Optional[str] = ..., kind: _Optional[str] = ..., control_uri: _Optional[str] = ..., clips: _Optional[_Iterable[_Union[PlacedClip, _Mapping]]] = ...) -> None: ...

class Sampling(_message.Message):
    __slots__ = ("samples", "temperature", "top_p", "max_tokens", "seed", "stop", "think_tokens", "extend")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    THINK_TOKENS_FIELD_NUMBER: _ClassVar[int]
    EXTEND_FIELD_NUMBER: _ClassVar[int]
    samples: int
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    stop: _containers.RepeatedScalarFieldContainer[str]
    think_tokens: int
    extend: str
    def __init__(self, samples: _Optional[int] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., max_tokens: _Optional[int] = ..., seed: _Optional[int] = ..., stop: _Optional[_Iterable[str]] = ..., think_tokens: _Optional[int] = ..., extend: _Optional[str] = ...) -> None: ...

class RewardRule(_message.Message):
    __slots__ = ("correct_weight", "reasoning_weight", "reasoning_term", "min_think_chars", "weights", "options")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    CORRECT_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    REASONING_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    REASONING_TERM_FIELD_NUMBER: _ClassVar[int]
    MIN_THINK_CHARS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    correct_weight: float
    reasoning_weight: float
    reasoning_term: ReasoningTerm
    min_think_chars: int
    weights: _containers.ScalarMap[str, float]
    options: _containers.ScalarMap[str, float]
    def __init__(self, correct_weight: _Optional[float] = ..., reasoning_weight: _Optional[float] = ..., reasoning_term: _Optional[_Union[ReasoningTerm, str]] = ..., min_think_chars: _Optional[int] = ..., weights: _Optional[_Mapping[str, float]] = ..., options: _Optional[_Mapping[str, float]] = ...) -> None: ...

class GroupTask(_message.Message):
    __slots__ = ("run_id", "ordinal", "prompt", "sampling", "reward", "min_version", "needs_reference", "needs_spread", "without_audio", "begun", "lineage", "traceparent", "judge_traces")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    MIN_VERSION_FIELD_NUMBER: _ClassVar[int]
    NEEDS_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    NEEDS_SPREAD_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    JUDGE_TRACES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    ordinal: int
    prompt: Prompt
    sampling: Sampling
    reward: RewardRule
    min_version: int
    needs_reference: bool
    needs_spread: bool
    without_audio: bool
    begun: _containers.RepeatedCompositeFieldContainer[Trajectory]
    lineage: str
    traceparent: str
    judge_traces: bool
    def __init__(self, run_id: _Optional[str] = ..., ordinal: _Optional[int] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ..., sampling: _Optional[_Union[Sampling, _Mapping]] = ..., reward: _Optional[_Union[RewardRule, _Mapping]] = ..., min_version: _Optional[int] = ..., needs_reference: _Optional[bool] = ..., needs_spread: _Optional[bool] = ..., without_audio: _Optional[bool] = ..., begun: _Optional[_Iterable[_Union[Trajectory, _Mapping]]] = ..., lineage: _Optional[str] = ..., traceparent: _Optional[str] = ..., judge_traces: _Optional[bool] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("text", "kind", "verdict", "claimed", "measured", "chance")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    CHANCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    kind: str
    verdict: Verdict
    claimed: str
    measured: str
    chance: float
    def __init__(self, text: _Optional[str] = ..., kind: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., claimed: _Optional[str] = ..., measured: _Optional[str] = ..., chance: _Optional[float] = ...) -> None: ...

class Unread(_message.Message):
    __slots__ = ("text", "why")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    text: str
    why: str
    def __init__(self, text: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class Reward(_message.Message):
    __slots__ = ("total", "correct", "well_formed", "truncated", "reasoning", "supported", "contradicted", "surrogate", "surrogate_phrase", "coherent", "claims", "answer", "drop_reason", "denial", "denial_phrase", "parts", "unread", "read_by", "trace_verdict", "trace_verdict_why")
    class PartsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    WELL_FORMED_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    SUPPORTED_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTED_FIELD_NUMBER: _ClassVar[int]
    SURROGATE_FIELD_NUMBER: _ClassVar[int]
    SURROGATE_PHRASE_FIELD_NUMBER: _ClassVar[int]
    COHERENT_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    DROP_REASON_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    DENIAL_PHRASE_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    READ_BY_FIELD_NUMBER: _ClassVar[int]
    TRACE_VERDICT_FIELD_NUMBER: _ClassVar[int]
    TRACE_VERDICT_WHY_FIELD_NUMBER: _ClassVar[int]
    total: float
    correct: bool
    well_formed: bool
    truncated: bool
    reasoning: float
    supported: int
    contradicted: int
    surrogate: bool
    surrogate_phrase: str
    coherent: bool
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    answer: str
    drop_reason: str
    denial: bool
    denial_phrase: str
    parts: _containers.ScalarMap[str, float]
    unread: _containers.RepeatedCompositeFieldContainer[Unread]
    read_by: str
    trace_verdict: TraceVerdict
    trace_verdict_why: str
    def __init__(self, total: _Optional[float] = ..., correct: _Optional[bool] = ..., well_formed: _Optional[bool] = ..., truncated: _Optional[bool] = ..., reasoning: _Optional[float] = ..., supported: _Optional[int] = ..., contradicted: _Optional[int] = ..., surrogate: _Optional[bool] = ..., surrogate_phrase: _Optional[str] = ..., coherent: _Optional[bool] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ..., answer: _Optional[str] = ..., drop_reason: _Optional[str] = ..., denial: _Optional[bool] = ..., denial_phrase: _Optional[str] = ..., parts: _Optional[_Mapping[str, float]] = ..., unread: _Optional[_Iterable[_Union[Unread, _Mapping]]] = ..., read_by: _Optional[str] = ..., trace_verdict: _Optional[_Union[TraceVerdict, str]] = ..., trace_verdict_why: _Optional[str] = ...) -> None: ...

class VersionSpan(_message.Message):
    __slots__ = ("version", "tokens", "lineage")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    version: int
    tokens: int
    lineage: str
    def __init__(self, version: _Optional[int] = ..., tokens: _Optional[int] = ..., lineage: _Optional[str] = ...) -> None: ...

class Trajectory(_message.Message):
    __slots__ = ("index", "token_ids", "logprobs", "versions", "finish_reason", "text", "reward", "reference_logprobs")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    index: int
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    logprobs: _containers.RepeatedScalarFieldContainer[float]
    versions: _containers.RepeatedCompositeFieldContainer[VersionSpan]
    finish_reason: FinishReason
    text: str
    reward: Reward
    reference_logprobs: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, index: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., logprobs: _Optional[_Iterable[float]] = ..., versions: _Optional[_Iterable[_Union[VersionSpan, _Mapping]]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., text: _Optional[str] = ..., reward: _Optional[_Union[Reward, _Mapping]] = ..., reference_logprobs: _Optional[_Iterable[float]] = ...) -> None: ...

class Group(_message.Message):
    __slots__ = ("task", "prompt_token_ids", "trajectories", "worker", "passages")
    TASK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TRAJECTORIES_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    task: GroupTask
    prompt_token_ids: _containers.RepeatedScalarFieldContainer[int]
    trajectories: _containers.RepeatedCompositeFieldContainer[Trajectory]
    worker: str
    passages: _containers.RepeatedCompositeFieldContainer[Passage]
    def __init__(self, task: _Optional[_Union[GroupTask, _Mapping]] = ..., prompt_token_ids: _Optional[_Iterable[int]] = ..., trajectories: _Optional[_Iterable[_Union[Trajectory, _Mapping]]] = ..., worker: _Optional[str] = ..., passages: _Optional[_Iterable[_Union[Passage, _Mapping]]] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ("station", "worker", "arrived", "able", "begun", "ended", "version", "lineage", "kv_use")
    STATION_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_FIELD_NUMBER: _ClassVar[int]
    ABLE_FIELD_NUMBER: _ClassVar[int]
    BEGUN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LINEAGE_FIELD_NUMBER: _ClassVar[int]
    KV_USE_FIELD_NUMBER: _ClassVar[int]
    station: str
    worker: str
    arrived: float
    able: float
    begun: float
    ended: float
    version: int
    lineage: str
    kv_use: float
    def __init__(self, station: _Optional[str] = ..., worker: _Optional[str] = ..., arrived: _Optional[float] = ..., able: _Optional[float] = ..., begun: _Optional[float] = ..., ended: _Optional[float] = ..., version: _Optional[int] = ..., lineage: _Optional[str] = ..., kv_use: _Optional[float] = ...) -> None: ...
