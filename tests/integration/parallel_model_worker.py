"""One rank of `test_parallel_model.py`: trains a toy for three steps in each layout; rank 0 writes down what it saw.

Arguments: folder of model directories, output directory, then layouts `name:model:tensor:pipeline:type`. Starting
Python costs more than the training, so one process goes through several layouts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from megatron.core import parallel_state
from safetensors.torch import save_file
from torch import Tensor

from earwitness.recipe.schema import Lora, Optimizer
from trainer.batches import Batch, Row, collate
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors, save_pretrained
from trainer.model.logprobs import States, logprobs, logprobs_and_entropy, place
from trainer.model.lora import merge
from trainer.model.names import slots
from trainer.model.optimizer import accumulate, forward, wrap
from trainer.model.policy import unwrap
from trainer.ranks.parallel import (
    all_reduce_sum,
    broadcast_bytes,
    data_parallel,
    device,
    initialize,
    is_last_stage,
    is_rank_zero,
)

ROWS, SEQ, FRAMES, PATCHES, FIRST = 4, 24, 81, 10, 13
"""Rows 0 and 1 share a clip, so do rows 2 and 3; tokens from FIRST on count."""
STEPS = 3
NOISE = 1e-2
"""Added to gradients, to see ranks agree on them."""


def micro_batches(audio_patch_id: int) -> list[Batch]:
    """This replica's rows of a fixed global batch, two to a micro-batch, of different length."""
    random = np.random.default_rng(9)
    tokens = random.integers(20, 300, (ROWS, SEQ))
    tokens[:, 2 : 2 + PATCHES] = audio_patch_id
    mels = {str(clip): [random.standard_normal((16, FRAMES)).astype(np.float32)] for clip in (0, 1)}
    rank, ranks = data_parallel()
    parts = [
        collate(
            [(i, Row(tokens[i, : SEQ - 4 * clip], FIRST, (str(clip),))) for i in (2 * clip, 2 * clip + 1)],
            mels,
            device(),
        )
        for clip in (0, 1)
    ]
    return parts[rank::ranks]


def loss(states: States, micro: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """-log p and a little entropy over the tokens of the global batch."""
    count = 2 * (SEQ - FIRST) + 2 * (SEQ - 4 - FIRST)
    chosen, spread = logprobs_and_entropy(states, micro, 0.7)
    value = -(chosen + 0.1 * spread).sum() / count
    return value, {"loss": value.detach()}


def check_slices() -> None:
    """Log-probs and entropy from slices of the weight equal those of log_softmax on the whole, gradients too."""
    rank = parallel_state.get_tensor_model_parallel_rank()
    size = parallel_state.get_tensor_model_parallel_world_size()
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(4, 3, 5, generator=generator)
    weight = torch.randn(8 * size, 5, generator=generator)
    mask = torch.tensor([[True, True], [False, False], [True, False]])
    micro = Batch(
        torch.zeros(3, 4), None, mask, torch.tensor([1, 8 * size - 1, 0]), torch.tensor([0, 3, 5]), None, mask, mask
    )
    own = States(hidden.clone().requires_grad_(), weight.chunk(size)[rank].clone().requires_grad_(), 8 * rank)
    chosen, spread = logprobs_and_entropy(own, micro, 0.7)
    (chosen + 0.3 * spread).sum().backward()
    whole = States(hidden.requires_grad_(), weight.requires_grad_())
    logs = (whole.hidden.flatten(0, 1)[micro.before] @ whole.weight.t() / 0.7).log_softmax(-1)
    expected = (
        place(logs.gather(1, micro.responses[:, None]).squeeze(1), mask),
        place(-(logs.exp() * logs).sum(1), mask),
    )
    (expected[0] + 0.3 * expected[1]).sum().backward()
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close((chosen, spread), expected, **close)
    torch.testing.assert_close(own.hidden.grad, whole.hidden.grad, **close)
    torch.testing.assert_close(own.weight.grad, whole.weight.grad.chunk(size)[rank], **close)


def train(model_dir: Path, out: Path, dtype: torch.dtype) -> None:
    """Trains in the layout that is set and writes log-probs, gradient norms and weights."""
    lora = Lora(rank=4) if out.name.startswith("lora") else None
    policy = build_policy(model_dir, dtype=dtype, lora=lora, sequence_parallel=not out.name.endswith("whole"))
    wrapped, optimizer = wrap(policy, Optimizer(learning_rate=1e-3))
    batches = micro_batches(unwrap(wrapped).audio_patch_id)
    answers = forward(wrapped, batches, lambda o, m: {"sum": logprobs(o, m).sum()})
    total = torch.zeros(1)
    if is_last_stage():
        total += sum(answer["sum"] for answer in answers)
    all_reduce_sum(total)
    dist.broadcast(total, src=dist.get_world_size() - 1)
    norms = []
    for _ in range(STEPS):
        accumulate(wrapped, batches, loss)
        done, norm, _ = optimizer.step()
        assert done
        merge(policy)
        norms.append(norm)
    tensors = {name: value.clone().contiguous() for name, value in export_tensors(wrapped)}
    assert is_rank_zero() or not tensors
    save_pretrained(wrapped, model_dir, out / "model")
    if is_rank_zero():
        save_file(tensors, out / "weights.safetensors")
        (out / "seen.json").write_text(json.dumps({"logprobs": float(total), "norms": norms}))


def drift(model_dir: Path, *, sequence_parallel: bool) -> dict[str, float]:
    """Trains with gradients of what ranks have whole that are rank * NOISE too large on each rank, as where kernels add
    in an order of their own. How far ranks are then apart, and what the noise made of one gradient.
    """
    wrapped, optimizer = wrap(
        build_policy(model_dir, sequence_parallel=sequence_parallel), Optimizer(learning_rate=1e-3)
    )
    whole = [slot.parameter for slot in slots(unwrap(wrapped)) if slot.cut == "whole"]
    batches = micro_batches(unwrap(wrapped).audio_patch_id)
    accumulate(wrapped, batches, loss)
    watched = unwrap(wrapped).audio.adapter.linear2.bias
    clean = watched.main_grad.clone()
    rank, group = parallel_state.get_tensor_model_parallel_rank(), parallel_state.get_tensor_model_parallel_group()
    for parameter in whole:
        parameter.register_hook(lambda gradient: gradient + rank * NOISE)
    apart = offset = 0.0
    for step in range(STEPS):
        accumulate(wrapped, batches, loss)
        if step == 0:
            offset = float((watched.main_grad - clean).mean()) / len(batches)
        assert optimizer.step()[0]
        for parameter in whole:
            first = parameter.detach().clone()
            dist.broadcast(
                first, dist.get_global_rank(group := parallel_state.get_tensor_model_parallel_group(), 0), group
            )
            apart = max(apart, float((first - parameter.detach()).abs().max()))
    return {"apart": apart, "offset": offset}


def main() -> None:
    """Runs the rank."""
    torch.set_num_threads(1)
    models, out = Path(sys.argv[1]), Path(sys.argv[2])
    for layout in sys.argv[3:]:
        name, model, tensor, pipeline, dtype = layout.split(":")
        model_dir = models / model
        initialize(int(tensor), int(pipeline))
        assert broadcast_bytes(b"seen" if is_rank_zero() else None) == b"seen"
        check_slices()
        (out / name).mkdir(exist_ok=True)
        train(model_dir, out / name, getattr(torch, dtype))
        if name == "tp2":
            seen = {str(on): drift(model_dir, sequence_parallel=on) for on in (True, False)}
            every: list[dict[str, dict[str, float]]] = [{}] * dist.get_world_size()
            dist.all_gather_object(every, seen)
            (out / name / "drift.json").write_text(json.dumps(every))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
