"""Log-probs and entropy of tokens from hidden states and the output layer's weight, a few tokens at a time.

Logits exist only for tokens that are asked for, LOGITS of them at once, and are computed again for the backward pass:
at 10,240 tokens the whole logits of a vocabulary of 158,720 would take 6.5 GB in fp32. Under tensor parallelism every
rank holds the logits of its slice of the vocabulary, and only sums over slices travel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
import torch.nn.functional as F
from megatron.core import parallel_state
from megatron.core.tensor_parallel import copy_to_tensor_model_parallel_region
from torch import Tensor

LOGITS = 96 * 1024 * 1024
"""Most logits on one rank at a time. Eight bytes each are alive at the worst moment (fp32 in two forms, or a
gradient in bf16 beside fp32): 0.8 GB."""


@dataclass(frozen=True)
class States:
    """What the policy gives on its last pipeline stage in the place of logits."""

    hidden: Tensor
    """[seq, batch, hidden], the same on every tensor-parallel rank."""
    weight: Tensor
    """Of the output layer, this rank's rows, without those that pad the vocabulary. [rows, hidden]"""
    first: int = 0
    """Token that the first of these rows stands for."""


class Choices(Protocol):
    """Which tokens' probabilities count, as `trainer.batches.Batch` says it. Results have the shape of `mask`."""

    @property
    def mask(self) -> Tensor:
        """True at a token of a response; each row is one response. bool [rows, longest response]"""

    @property
    def responses(self) -> Tensor:
        """The tokens, in the order of the mask's true places. int64 [tokens]"""

    @property
    def before(self) -> Tensor:
        """Where in the flattened hidden states [seq · batch] the state that chose each token stands. int64 [tokens]"""


def logprobs(states: States, choices: Choices, temperature: float = 1.0) -> Tensor:
    """log p(token | tokens before it) at `temperature` of each response token, fp32 in the mask's shape, else 0."""
    return logprobs_and_entropy(states, choices, temperature, entropy=False)[0]


def logprobs_and_entropy(
    states: States, choices: Choices, temperature: float, *, entropy: bool = True
) -> tuple[Tensor, Tensor]:
    """The log-probs, and the entropy in nats of the distributions that the tokens were drawn from, in the same shape.

    Without `entropy` the second is all 0 and costs nothing.
    """
    hidden = states.hidden.flatten(0, 1).index_select(0, choices.before)
    hidden = copy_to_tensor_model_parallel_region(hidden)  # each rank's gradient speaks of its slice of the vocabulary
    chosen, spread = _Chosen.apply(hidden, states.weight, choices.responses - states.first, temperature, entropy)
    return place(chosen, choices.mask), place(spread, choices.mask)


def response_logprobs(states: States, tokens: Tensor, temperature: float = 1.0) -> Tensor:
    """log p(tokens[:, t] | tokens[:, :t]) of every token of right-padded rows, [batch, seq] fp32; index 0 is 0.

    tokens: [batch, seq] int64.
    """
    rows, columns = tokens.shape
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(1, columns), indexing="ij")
    before = ((column - 1) * rows + row).flatten().to(tokens.device)
    hidden = copy_to_tensor_model_parallel_region(states.hidden.flatten(0, 1).index_select(0, before))
    chosen, _ = _Chosen.apply(hidden, states.weight, tokens[:, 1:].flatten() - states.first, temperature, False)
    return F.pad(chosen.view(rows, columns - 1), (1, 0))


def response_values(values: Tensor, choices: Choices) -> Tensor:
    """The critic's values [batch, seq] as values of the state before each response token, in the shape of the mask."""
    return place(values.transpose(0, 1).reshape(-1).index_select(0, choices.before), choices.mask)


def place(values: Tensor, mask: Tensor) -> Tensor:
    """[tokens] into the mask's true places, 0 elsewhere."""
    return values.new_zeros(mask.shape).masked_scatter(mask, values)


class _Chosen(torch.autograd.Function):
    """log p(token) and H = -sum p_i log p_i of x = hidden weight' / temperature.

    d log p(token) / d x_i = [i = token] - p_i and d H / d x_i = -p_i (log p_i + H).
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, local: Tensor, temperature: float, entropy: bool
    ) -> tuple[Tensor, Tensor]:
        here = (local >= 0) & (local < len(weight))
        local = local.clamp(0, len(weight) - 1)
        largest, total, weighted, chosen = hidden.new_zeros((4, len(hidden)), dtype=torch.float32)
        parts = _parts(hidden, weight)
        kept: list[Tensor] = []
        for part in parts:
            logits = _logits(hidden[part], weight, temperature)
            chosen[part] = logits.gather(1, local[part, None]).squeeze(1)
            largest[part] = logits.amax(1)
            logits -= largest[part, None]
            exps = logits.exp() if entropy else logits.exp_()
            total[part] = exps.sum(1)
            if entropy:
                weighted[part] = logits.mul_(exps).sum(1)
            if len(parts) == 1 and hidden.requires_grad:
                kept = [largest, exps]  # they fit into memory until the backward pass; of several they are made again
            del logits, exps
        chosen *= here
        normaliser, spread = _over_ranks(largest, total, weighted, chosen)
        ctx.save_for_backward(hidden, weight, local, here, normaliser, spread, *kept)
        ctx.temperature, ctx.entropy = temperature, entropy
        ctx.set_materialize_grads(False)  # an entropy that is only looked at costs nothing in the backward pass
        if not entropy:
            spread = torch.zeros_like(spread)
            ctx.mark_non_differentiable(spread)
        return chosen - normaliser, spread

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor, Tensor | None, None, None, None]:
        hidden, weight, local, here, normaliser, spread, *kept = ctx.saved_tensors
        of_chosen = torch.zeros_like(normaliser) if grads[0] is None else grads[0] / ctx.temperature
        of_entropy = grads[1] / ctx.temperature if ctx.entropy and grads[1] is not None else None
        hidden_grad = torch.empty_like(hidden)
        # Under Megatron's data parallelism the gradient goes where it is summed, in fp32, without a copy of its own.
        summed = getattr(weight, "main_grad", None)
        weight_grad = torch.zeros_like(weight) if summed is None else summed
        for part in _parts(hidden, weight):
            if kept:
                probs = kept[1] * (kept[0] - normaliser).exp()[:, None]
            else:
                probs = _logits(hidden[part], weight, ctx.temperature).sub_(normaliser[part, None]).exp_()
            if of_entropy is not None:
                logs = probs.clamp(min=torch.finfo(probs.dtype).tiny).log_().add_(spread[part, None])
                slope = logs.mul_(of_entropy[part, None]).add_(of_chosen[part, None])
                gradient = probs.mul_(slope).neg_()
                del logs, slope
            else:
                gradient = probs.mul_(-of_chosen[part, None])
            gradient.scatter_add_(1, local[part, None], (of_chosen * here)[part, None])
            gradient = gradient.to(weight.dtype)
            torch.mm(gradient, weight, out=hidden_grad[part])
            if ctx.needs_input_grad[1] and weight_grad.dtype == gradient.dtype:
                weight_grad.addmm_(gradient.t(), hidden[part])
            elif ctx.needs_input_grad[1]:
                weight_grad += gradient.t() @ hidden[part]
            del probs, gradient
        returned = weight_grad if summed is None and ctx.needs_input_grad[1] else None
        return hidden_grad, returned, None, None, None


def _size(weight: Tensor) -> int:
    """Tokens of one part."""
    return max(1, LOGITS // len(weight))


def _parts(hidden: Tensor, weight: Tensor) -> list[slice]:
    size = _size(weight)
    return [slice(start, min(start + size, len(hidden))) for start in range(0, len(hidden), size)]


def _logits(hidden: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """This rank's slice of the logits / temperature, in memory of its own. fp32 [tokens, vocab / tensor_parallel]

    They are never rounded to bf16, here or in the rollout (`rollout.config.as_ours`): `benchmarks/precision.py` shows
    what that rounding alone sets the two apart by.
    """
    if hidden.dtype == torch.float32:
        logits = F.linear(hidden, weight)
    elif hidden.is_cuda:
        logits = torch.mm(hidden, weight.t(), out_dtype=torch.float32)
    else:  # torch has no such product on the CPU; sums of exact products of bf16 numbers are the same
        logits = F.linear(hidden.float(), weight.float())
    return logits if temperature == 1.0 else logits.div_(temperature)


def _over_ranks(largest: Tensor, total: Tensor, weighted: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """log sum exp x and the entropy over the whole vocabulary; `chosen` becomes the sum over ranks. All are [tokens].

    From each rank's m = max x, sum exp(x - m), sum (x - m) exp(x - m).
    """
    if parallel_state.get_tensor_model_parallel_world_size() > 1:
        group = parallel_state.get_tensor_model_parallel_group()
        own = largest
        largest = own.clone()
        dist.all_reduce(largest, op=dist.ReduceOp.MAX, group=group)
        shift = own - largest
        sums = torch.stack([total * shift.exp(), (weighted + shift * total) * shift.exp(), chosen])
        dist.all_reduce(sums, group=group)
        total, weighted = sums[0], sums[1]
        chosen.copy_(sums[2])
    normaliser = largest + total.log()
    return normaliser, total.log() - weighted / total
