"""Bytes on one GPU, part by part. docs/plan.md derives each number below from the tensors that the layers keep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from earwitness.families.architecture import Architecture
from earwitness.families.dims import DecoderDims
from earwitness.plan.work import Work
from earwitness.recipe.schema import Lora

FP32 = 4
"""Bytes of an fp32 number: gradients are summed in it, and Adam's state is kept in it."""

LOGITS = 96 * 1024 * 1024
"""Most logits that a rank has at a time, as in trainer/model/logprobs.py."""


@dataclass(frozen=True)
class Parallelism:
    """How the ranks share the work."""

    tensor: int
    pipeline: int
    data: int

    @property
    def gpus(self) -> int:
        """Ranks."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        return f"tp {self.tensor} x pp {self.pipeline} x dp {self.data}"


@dataclass(frozen=True)
class Memory:
    """Bytes on the fullest GPU."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    """What the forward pass keeps for the backward pass, and what one layer needs then more than logits took."""
    logits: float
    """Of the tokens that are looked at at one time."""
    critic: float
    """Weights, gradients and optimizer of the critic; its activations are there when the policy's are not."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.critic


def memory(work: Work, layout: Parallelism, micro_batches: int) -> Memory:
    """Of the fullest GPU. `micro_batches`: of one rank in an update; a pipeline keeps several at a time."""
    stages = [_of_stage(work, layout, stage, micro_batches) for stage in range(layout.pipeline)]
    return max(stages, key=lambda found: found.total)


def _of_stage(work: Work, layout: Parallelism, stage: int, micro_batches: int) -> Memory:
    logits = _logits(work, layout) if stage == layout.pipeline - 1 else 0.0
    # a layer's backward pass comes when the logits are gone
    work_space = max(0.0, work.bytes * work.tokens * _work_space(work, layout) - logits)
    weights, gradients, optimizer = _state(work, layout, stage, value_head=False)
    return Memory(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=_activations(work, layout, stage, micro_batches) + work_space,
        logits=logits,
        critic=sum(_state(work, layout, stage, value_head=True)) if work.critic else 0.0,
    )


def _state(work: Work, layout: Parallelism, stage: int, *, value_head: bool) -> tuple[float, float, float]:
    """Weights, gradients and optimizer state."""
    trained, frozen = _parameters(work, layout, stage, value_head=value_head)
    if work.lora is not None:
        return _lora_state(work, work.lora, layout, trained + frozen)
    # bf16: an fp32 copy and two moments; fp32: the moments
    adam = (2 if work.bytes == FP32 else 3) * FP32 * trained
    replicas = layout.data if work.distributed_optimizer else 1
    return work.bytes * (trained + frozen), FP32 * trained, adam / replicas


def _lora_state(work: Work, lora: Lora, layout: Parallelism, model: float) -> tuple[float, float, float]:
    """The same where A and B learn, in fp32: the model's `model` weights, and once more those beside which they stand,
    for the policy is both merged."""
    learning, beside = _lora_parameters(work.architecture.decoder, lora, layout.tensor)
    layers = work.architecture.decoder.layers // layout.pipeline
    replicas = layout.data if work.distributed_optimizer else 1
    weights = work.bytes * (model + layers * beside) + FP32 * layers * learning
    return weights, FP32 * layers * learning, 2 * FP32 * layers * learning / replicas


def _lora_parameters(dims: DecoderDims, lora: Lora, tensor: int) -> tuple[float, float]:
    """Of one layer on a rank: those that learn, and those of the matrices beside which they stand."""
    hidden, mlp, queries = dims.hidden_size, dims.intermediate_size, dims.queries
    rows = queries + 2 * dims.keys
    # of each matrix the side that every rank has whole, and the one that they share
    attention, mlps = ((hidden, rows), (hidden, queries)), ((hidden, 2 * mlp), (hidden, mlp))
    shapes = {"attention": attention, "mlp": mlps, "all": attention + mlps}
    learning, beside = 0.0, 0.0
    for whole, cut in shapes[lora.targets]:
        learning += lora.rank * (whole + cut / tensor)
        beside += whole * cut / tensor
    return learning, beside


def _parameters(work: Work, layout: Parallelism, stage: int, *, value_head: bool) -> tuple[float, float]:
    """Of one rank of the stage: those that learn, and those that are frozen."""
    count = _counts(work.architecture)
    layers = work.architecture.decoder.layers // layout.pipeline
    trained, frozen = layers * (count.layer / layout.tensor + count.norms), 0.0
    if stage == 0:  # the listener is whole on every rank
        trained += count.embedding / layout.tensor + count.adaptor
        if work.freeze_encoder:
            frozen += count.encoder
        else:
            trained += count.encoder
    if stage == layout.pipeline - 1:
        # tied: the embedding serves, of which a stage behind the first has a copy
        head = count.embedding if work.architecture.decoder.tied and stage > 0 else count.head
        trained += count.final_norm + (0.0 if value_head else head / layout.tensor)
    return trained, frozen


@dataclass(frozen=True)
class _Counts:
    """Parameters."""

    layer: int
    """Of a layer, those that tensor parallelism shares."""
    norms: int
    """Of a layer, those that every rank has."""
    embedding: int
    head: int
    final_norm: int
    encoder: int
    adaptor: int


@cache
def _counts(architecture: Architecture) -> _Counts:
    def of(*starts: str) -> int:
        return sum(math.prod(shape) for name, shape in shapes.items() if name.startswith(starts))

    shapes = architecture.weight_shapes()
    named = ("input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm")
    norms = of(*(f"model.layers.0.{name}." for name in named))
    return _Counts(
        layer=of("model.layers.0.") - norms,
        norms=norms,
        embedding=of("model.embed_tokens."),
        head=of("lm_head."),
        final_norm=of("model.norm."),
        encoder=of("encoder."),
        adaptor=of("adapter."),
    )


def _activations(work: Work, layout: Parallelism, stage: int, micro_batches: int) -> float:
    """Kept for the backward pass by all micro-batches in flight."""
    dims = work.architecture.decoder
    layers = dims.layers // layout.pipeline
    # 1F1B: a stage runs ahead by as many micro-batches as there are stages after it (Narayanan et al. 2021)
    flying = min(micro_batches, layout.pipeline - stage)
    kept = layers * (_layer_input(work, layout) if work.recompute else _layer(work, layout))
    if stage == 0:
        kept += _listener(work) / work.tokens
    if stage == layout.pipeline - 1:
        # the final norm, the states, and those of the response tokens; with sequence parallelism they are gathered
        kept += (_norm(work) + 1 + work.responses / work.sequence) * dims.hidden_size
    return work.bytes * work.tokens * flying * kept


def _layer(work: Work, layout: Parallelism) -> float:
    """Numbers that one layer keeps for each token."""
    dims, shared = work.architecture.decoder, 1 / layout.tensor
    hidden, queries, mlp = dims.hidden_size, dims.queries, dims.intermediate_size
    keys = 2 * dims.keys
    between = shared if work.sequence_parallel else 1.0  # norms and what they make stand between the shared layers
    norms = 2 * (_norm(work) + 1) * hidden * between
    if work.fused:
        # rotated queries and keys, the projection that the values are part of, what attention gives; gate and up, and
        # their product
        return norms + shared * (3 * queries + 1.5 * keys + 3 * mlp)
    scores = dims.heads * work.sequence
    # and softmax's probabilities, the angles of queries and keys, silu(gate) and up + 0
    return norms + shared * (3 * queries + 1.5 * keys + scores + 5 * mlp) + 4 * dims.head_size


def _layer_input(work: Work, layout: Parallelism) -> float:
    """Numbers that one layer keeps for each token if it is run again."""
    return work.architecture.decoder.hidden_size / (layout.tensor if work.sequence_parallel else 1)


def _norm(work: Work) -> int:
    """Times the width that an RMSNorm keeps: its input, and where torch builds it of parts, the normalised input."""
    return 1 if work.fused else 2


def _work_space(work: Work, layout: Parallelism) -> float:
    """Numbers for each token that one layer's backward pass has at a time beside what was kept."""
    dims = work.architecture.decoder
    again = _layer(work, layout) if work.recompute else 0.0
    mlp = 4 * dims.intermediate_size / layout.tensor  # gradients of gate and up, of their product, and of silu(gate)
    if work.fused:
        return again + mlp
    return again + max(mlp, 2 * dims.heads * work.sequence / layout.tensor)  # gradients of probabilities and scores


def _listener(work: Work) -> float:
    """Numbers that encoder and adaptor keep for a micro-batch's clips. A frozen encoder keeps none."""
    audio = work.architecture.audio
    heard = work.frames / (8 if audio.channels else 2)  # of a clip, after the convolutions
    steps = work.clips * heard
    adaptor = work.clips * work.frames / 8 * (2 * audio.size + 3 * (audio.adapter_size or 0))
    if work.freeze_encoder:
        return adaptor
    scores = 0.0 if work.fused else audio.heads * heard
    # two norms with their outputs, queries, keys, values, what attention gives; the MLP before and after GELU
    layer = 8 * audio.size + scores + 2 * audio.mlp_size
    # each of three over mel bins leaves a quarter, before and after GELU
    wide = 2 * audio.channels * audio.n_mels * 21 / 64 if audio.channels else 2.5 * audio.size
    convolutions = work.clips * work.frames * (audio.n_mels + wide)
    return adaptor + convolutions + steps * (audio.layers * layer + 2 * audio.size)


def _logits(work: Work, layout: Parallelism) -> float:
    """The logits of as many response tokens as are looked at together, in their forms."""
    dims = work.architecture.decoder
    tokens, rows = work.rows * work.responses, dims.vocab_size / layout.tensor
    together = min(tokens, max(1, LOGITS // rows))
    # fp32 probabilities, which become the gradient in place; those kept from the forward pass if all fit at once;
    # with an entropy term their logarithms
    forms = FP32 * (1 + (together == tokens) + work.entropy)
    if work.bytes == FP32:
        return together * rows * forms
    # their gradient in bf16 beside them, and the weight's gradient before it is added to the fp32 sum; the CPU makes an
    # fp32 copy of the one, and of the weight when that is gone
    product = work.bytes * (work.lora is None) + (0 if work.fused else FP32)
    return together * rows * (forms + work.bytes) + product * rows * dims.hidden_size
