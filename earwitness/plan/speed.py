"""Seconds of a step. docs/plan.md says where the formulas come from."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.plan.gpus import Gpu
from earwitness.plan.memory import Parallelism
from earwitness.plan.work import Work

UTILISATION = 0.35
"""Share of the peak that a step reaches without pipeline bubbles. Megatron-LM reports 0.41 to 0.48 on H100, Korthikanti
et al. (2022) 0.42 to 0.57 on A100, both for sequences of one length; those of uneven length cost a part of it."""


@dataclass(frozen=True)
class Speed:
    """Of one step: its forward passes for log-probs and its updates, without the sampling."""

    seconds: float
    tokens: float
    """Of all sequences of the step, each counted once, a second."""
    bubble: float
    """Share of the time that a pipeline's stages wait."""


def speed(work: Work, layout: Parallelism, gpu: Gpu) -> Speed:
    """Of sequences that are all as long as the longest."""
    tokens = float(work.batch * work.updates * work.sequence)
    forward = tokens * flops_of_token(work)
    # an update is a forward pass and a backward pass of twice its cost, or once it where no matrix of the model learns;
    # RL takes log-probs, and values, before and layers that kept only their input run once more
    passes = (3 - (work.lora is not None) + work.rl + work.recompute) * (2 if work.critic else 1)
    bubble = (layout.pipeline - 1) / (micro_batches(work, layout) + layout.pipeline - 1)
    seconds = passes * forward / (layout.gpus * gpu.flops * UTILISATION * (1 - bubble))
    return Speed(seconds, tokens / seconds, bubble)


def flops_of_token(work: Work) -> float:
    """Of a forward pass: two for each weight of the decoder's products, and those of causal attention."""
    dims = work.architecture.decoder
    layer = dims.hidden_size * (2 * dims.queries + 2 * dims.keys) + 3 * dims.hidden_size * dims.intermediate_size
    head = dims.hidden_size * dims.vocab_size
    attention = 2 * dims.layers * dims.queries * work.sequence  # 4 h s, halved because it is causal
    return 2.0 * (dims.layers * layer + head) + attention


def micro_batches(work: Work, layout: Parallelism) -> int:
    """Of the rank that has the most in an update."""
    return max(1, -(-work.batch // (layout.data * work.rows)))
