"""Log-probs and entropy of tokens from vocab-parallel logits, without ever gathering the logits.

One alignment everywhere: index t speaks about the choice of token t, made from the tokens before it; index 0 is 0.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from megatron.core import parallel_state
from torch import Tensor


def response_logprobs(logits: Tensor, tokens: Tensor, temperature: float = 1.0) -> Tensor:
    """log p(tokens[:, t] | tokens[:, :t]) at `temperature`, [batch, seq] fp32.

    logits: [batch, seq, vocab / tensor_parallel], this rank's slice. tokens: [batch, seq] int64.
    """
    chosen: Tensor = _LogProb.apply(logits[:, :-1], tokens[:, 1:], temperature)
    return F.pad(chosen, (1, 0))


def entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Entropy, nats, of the distribution that token t is drawn from, [batch, seq] fp32.

    logits: [batch, seq, vocab / tensor_parallel], this rank's slice.
    """
    spread: Tensor = _Entropy.apply(logits[:, :-1], temperature)
    return F.pad(spread, (1, 0))


def response_values(values: Tensor) -> Tensor:
    """The critic's values in the same alignment: index t is the value of the state before token t, [batch, seq]."""
    return F.pad(values[:, :-1], (1, 0))


class _LogProb(torch.autograd.Function):
    """d log p(token) / d logit_i = ([i = token] - p_i) / temperature."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, tokens: Tensor, temperature: float) -> Tensor:
        normaliser = _normaliser(logits, temperature)
        local = tokens - _first_token(logits)
        here = (local >= 0) & (local < logits.shape[-1])
        local = local.clamp(0, logits.shape[-1] - 1)
        chosen = logits.gather(-1, local[..., None]).squeeze(-1).float() / temperature
        chosen = _sum_over_ranks(chosen.masked_fill_(~here, 0.0))
        ctx.save_for_backward(logits, normaliser, local, here)
        ctx.temperature = temperature
        return chosen - normaliser

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits, normaliser, local, here = ctx.saved_tensors
        grad = grads[0] / ctx.temperature
        probs = _log_softmax(logits, normaliser, ctx.temperature).exp_()
        result = probs.mul_(-grad[..., None])
        result.scatter_add_(-1, local[..., None], (grad * here)[..., None])
        return result.to(logits.dtype), None, None


class _Entropy(torch.autograd.Function):
    """H = -sum p_i log p_i; with x = logits / temperature, d H / d x_i = -p_i (log p_i + H)."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, temperature: float) -> Tensor:
        normaliser = _normaliser(logits, temperature)
        logprobs = _log_softmax(logits, normaliser, temperature)
        result = -_sum_over_ranks((logprobs.exp() * logprobs).sum(-1))
        ctx.save_for_backward(logits, normaliser, result)
        ctx.temperature = temperature
        return result

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        logits, normaliser, result = ctx.saved_tensors
        logprobs = _log_softmax(logits, normaliser, ctx.temperature)
        grad = -logprobs.exp() * (logprobs + result[..., None]) * (grads[0] / ctx.temperature)[..., None]
        return grad.to(logits.dtype), None


def _normaliser(logits: Tensor, temperature: float) -> Tensor:
    """log sum exp(logits / temperature) over the whole vocabulary, [batch, seq] fp32."""
    scaled = logits.float() if temperature == 1.0 else logits.float() / temperature
    local = torch.logsumexp(scaled, dim=-1)
    if parallel_state.get_tensor_model_parallel_world_size() == 1:
        return local
    largest = local.clone()
    dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=parallel_state.get_tensor_model_parallel_group())
    return largest + _sum_over_ranks((local - largest).exp()).log()


def _log_softmax(logits: Tensor, normaliser: Tensor, temperature: float) -> Tensor:
    """This rank's slice of log p, fp32, in memory of its own."""
    scaled = logits.float() if temperature == 1.0 else logits.float() / temperature
    return scaled - normaliser[..., None]


def _first_token(logits: Tensor) -> int:
    """Id of the first token of this rank's slice."""
    return parallel_state.get_tensor_model_parallel_rank() * logits.shape[-1]


def _sum_over_ranks(tensor: Tensor) -> Tensor:
    if parallel_state.get_tensor_model_parallel_world_size() > 1:
        dist.all_reduce(tensor, group=parallel_state.get_tensor_model_parallel_group())
    return tensor
