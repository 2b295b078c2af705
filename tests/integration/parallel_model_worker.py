"""One rank of `test_parallel_model.py`: trains a toy for three steps in each layout; rank 0 writes down what it saw.

Arguments: model directory, output directory, then layouts `name:tensor:pipeline:type`. Starting Python costs more than
the training, so one process goes through several layouts.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from safetensors.torch import save_file
from torch import Tensor

from earwitness.recipe.schema import Optimizer
from trainer.huggingface import export_tensors, save_pretrained
from trainer.model.audio import AudioBatch
from trainer.model.logprobs import entropy, response_logprobs
from trainer.model.optimizer import accumulate, forward, wrap
from trainer.model.policy import build_policy, is_last_stage, unwrap
from trainer.parallel import all_reduce_sum, broadcast_bytes, data_parallel, initialize, is_rank_zero

ROWS, SEQ, FRAMES, PATCHES, FIRST = 4, 24, 81, 10, 13
"""Rows 0 and 1 share a clip, so do rows 2 and 3; tokens from FIRST on count."""
STEPS = 3


@dataclass(frozen=True)
class Rows:
    """A micro-batch."""

    tokens: Tensor
    audio: AudioBatch
    audio_index: Tensor


def micro_batches(audio_patch_id: int) -> list[Rows]:
    """This replica's rows of a fixed global batch, two to a micro-batch, of different length."""
    generator = torch.Generator().manual_seed(9)
    tokens = torch.randint(20, 300, (ROWS, SEQ), generator=generator)
    tokens[:, 2 : 2 + PATCHES] = audio_patch_id
    mels = torch.randn(2, 16, FRAMES, generator=generator)
    rank, ranks = data_parallel()
    parts = [
        Rows(
            tokens[2 * clip : 2 * clip + 2, : SEQ - 4 * clip],
            AudioBatch(mels[clip : clip + 1], torch.tensor([FRAMES])),
            torch.zeros(2, dtype=torch.int64),
        )
        for clip in (0, 1)
    ]
    return parts[rank::ranks]


def loss(output: Tensor, micro: Rows) -> tuple[Tensor, dict[str, Tensor]]:
    """-log p and a little entropy over the tokens of the global batch."""
    count = 2 * (SEQ - FIRST) + 2 * (SEQ - 4 - FIRST)
    logprobs = response_logprobs(output, micro.tokens, 0.7)[:, FIRST:]
    spread = entropy(output, 0.7)[:, FIRST:]
    value = -(logprobs + 0.1 * spread).sum() / count
    return value, {"loss": value.detach()}


def check_slices() -> None:
    """Log-probs and entropy of slices equal those of log_softmax on the whole, gradients too."""
    rank = parallel_state.get_tensor_model_parallel_rank()
    size = parallel_state.get_tensor_model_parallel_world_size()
    generator = torch.Generator().manual_seed(2)
    whole = (5 * torch.randn(2, 6, 8 * size, generator=generator)).requires_grad_()
    tokens = torch.randint(8 * size, (2, 6), generator=generator)
    own = whole.detach().chunk(size, dim=-1)[rank].clone().requires_grad_()
    ours = response_logprobs(own, tokens, 0.7) + 0.3 * entropy(own, 0.7)
    ours.sum().backward()
    logprobs = (whole / 0.7).log_softmax(-1)[:, :-1]
    chosen = logprobs.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    expected = chosen - 0.3 * (logprobs.exp() * logprobs).sum(-1)
    expected.sum().backward()
    torch.testing.assert_close(ours[:, 1:], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own.grad, whole.grad.chunk(size, dim=-1)[rank], atol=1e-5, rtol=1e-5)


def train(model_dir: Path, out: Path, dtype: torch.dtype) -> None:
    """Trains in the layout that is set and writes log-probs, gradient norms and weights."""
    wrapped, optimizer = wrap(build_policy(model_dir, dtype=dtype), Optimizer(learning_rate=1e-3))
    batches = micro_batches(unwrap(wrapped).audio_patch_id)
    answers = forward(wrapped, batches, lambda o, m: {"sum": response_logprobs(o, m.tokens)[:, FIRST:].sum()})
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
        norms.append(norm)
    tensors = {name: value.clone().contiguous() for name, value in export_tensors(wrapped)}
    assert is_rank_zero() or not tensors
    save_pretrained(wrapped, model_dir, out / "model")
    if is_rank_zero():
        save_file(tensors, out / "weights.safetensors")
        (out / "seen.json").write_text(json.dumps({"logprobs": float(total), "norms": norms}))


def main() -> None:
    """Runs the rank."""
    torch.set_num_threads(1)
    model_dir, out = Path(sys.argv[1]), Path(sys.argv[2])
    for layout in sys.argv[3:]:
        name, tensor, pipeline, dtype = layout.split(":")
        initialize(int(tensor), int(pipeline))
        assert broadcast_bytes(b"seen" if is_rank_zero() else None) == b"seen"
        check_slices()
        (out / name).mkdir(exist_ok=True)
        train(model_dir, out / name, getattr(torch, dtype))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
