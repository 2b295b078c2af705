"""What the trainer's own steps cost beside a bare Megatron loop, and how much of the logits is ever in memory.

    python benchmarks/trainer.py [--repetitions 5] [--json]

The bare loop is Megatron's GPTModel with its own cross-entropy over all tokens, its data parallelism and optimizer: one
forward and backward pass over the same layers, weights and micro-batches, made beforehand, and an optimizer step.

    sft_ratio = seconds of the bare loop / seconds of our supervised step, which makes its batches too
    ppo_ratio = 8/3 · seconds of the bare loop / seconds of our PPO step

since with a forward pass as one unit of work and a backward pass as two, the bare loop does 3 and a PPO step 8: old
log-probs and old values (1 each), then the policy's and the critic's update (3 each). Repetitions are interleaved, and
medians compared: a busy machine slows all alike.

`logits_peak_bytes` is the largest sum of bytes, at any moment of a supervised update on 10,240 tokens, of all tensors
that have the vocabulary (158,720) as a dimension and are no parameter or gradient of one: what a dispatch mode saw
allocated and not yet freed. Logits of all tokens in fp32 alone would be 6.5 GB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # this file's folder holds a module of the trainer package's name
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np
import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig, finalize_model_grads
from megatron.core.models.gpt import GPTModel
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from earwitness.families.architecture import Architecture
from earwitness.recipe.schema import Optimizer, SamplingConfig, ToyModel, Tune
from earwitness.recipe.stages import RlStage
from trainer.batches import Row, collate
from trainer.learner import Learner
from trainer.model.decoder import layer_spec, transformer_config
from trainer.model.optimizer import ADAM_EPS, accumulate
from trainer.model.policy import PolicyModel
from trainer.model.toy import toy_architecture
from trainer.ranks import parallel
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.learn import learn
from trainer.rl.recall import recall
from trainer.tuning.supervised import supervised_loss, work_of

SIZE = ToyModel(
    hidden_size=320, layers=6, heads=5, kv_heads=5, intermediate_size=896, max_positions=10_240,
    encoder_size=8, encoder_layers=1, encoder_heads=1, adapter_size=8, n_mels=8,
)  # fmt: skip
"""About 13 million parameters with the vocabulary below. Rows have no audio, so the listener is nearly nothing."""
VOCABULARY = 8_192
ROWS, MICRO_BATCH = 8, 4
PROMPT, RESPONSE = (40, 64), (64, 128)
"""Shortest and longest, tokens."""
OPTIMIZER = Optimizer(learning_rate=1e-5)
PPO_UNITS, BARE_UNITS = 8, 3
LONG_TOKENS, LARGE_VOCABULARY = 10_240, 158_720
"""The paper's longest sequence, and the vocabulary of Step-Audio."""
INIT_STD = 0.02
WARM_UPS = 1


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5, help="of each kind of step")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    parallel.initialize(1, 1)
    torch.set_num_threads(1)
    result = compare(chosen.repetitions) | {"logits_peak_bytes": logits_peak_bytes()}
    if chosen.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0


def compare(repetitions: int) -> dict[str, float]:
    """Tokens/s of each kind of step, and the two ratios."""
    rows = [sample.row for group in groups() for sample in group]
    tokens = sum(len(row.tokens) for row in rows)
    steps = {"bare": bare_steps(rows), "sft": sft_steps(rows), "ppo": ppo_steps()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(WARM_UPS + repetitions):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    median = {name: statistics.median(taken[WARM_UPS:]) for name, taken in seconds.items()}
    return {
        **{f"{name}_tokens_per_second": tokens / taken for name, taken in median.items()},
        "sft_ratio": median["bare"] / median["sft"],
        "ppo_ratio": PPO_UNITS / BARE_UNITS * median["bare"] / median["ppo"],
    }


def groups() -> list[list[Sample]]:
    """One group of made-up answers to each of two prompts."""
    random = np.random.default_rng(3)
    made = []
    for ordinal in range(2):
        prompt = random.integers(0, VOCABULARY, random.integers(*PROMPT))
        group = []
        for index in range(ROWS // 2):
            answer = random.integers(0, VOCABULARY, random.integers(*RESPONSE))
            row = Row(np.concatenate([prompt, answer]), len(prompt), name=f"ordinal {ordinal}, trajectory {index}")
            logprobs = np.full(len(answer), -np.log(VOCABULARY), dtype=np.float32)
            group.append(Sample(ordinal, row, float(index % 2), logprobs, None))
        made.append(group)
    return made


def model(architecture: Architecture, *, value_head: bool = False) -> PolicyModel:
    """Random weights, the same each time."""
    module = PolicyModel(architecture, audio_patch_id=-1, value_head=value_head, dtype=torch.float32)
    return filled(module)


def filled(module: Any) -> Any:
    """The module with random matrices and no biases; norms are made as ones."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, INIT_STD)
            elif name.endswith("bias"):
                parameter.zero_()
    return module


def sft_steps(rows: list[Row]) -> Callable[[], None]:
    """Our supervised step: batches, update, figures."""
    config = Tune(steps=1, batch_size=ROWS, micro_batch_size=MICRO_BATCH, optimizer=OPTIMIZER)
    learner = Learner(model(toy_architecture(SIZE, VOCABULARY)), OPTIMIZER, 1)

    def step() -> None:
        work = work_of(rows, {}, config)
        learner.update(work.micro_batches, work.loss, work.names)

    return step


def ppo_steps() -> Callable[[], None]:
    """Our PPO step: batches, old log-probs and values, advantages, both updates, figures."""
    stage = RlStage(
        steps=1,
        groups_per_step=2,
        sampling=SamplingConfig(samples=ROWS // 2, temperature=1.0),
        micro_batch_size=MICRO_BATCH,
        optimizer=OPTIMIZER,
    )
    architecture = toy_architecture(SIZE, VOCABULARY)
    policy, critic = (Learner(model(architecture, value_head=v), OPTIMIZER, 1) for v in (False, True))
    made = groups()

    def step() -> None:
        updates = updates_of(made, stage, {}, seed=1, step=1)
        names = names_of(made, seed=1, step=1)
        found = recall(policy, critic, updates, stage, names)
        learn(policy, critic, updates, stage, 1, names, found)

    return step


def bare_steps(rows: Sequence[Row]) -> Callable[[], None]:
    """Megatron's own: GPTModel, cross-entropy, schedule, DDP, Adam (fused, as ours)."""
    dims = toy_architecture(SIZE, VOCABULARY).decoder
    config = transformer_config(dims, torch.float32)
    config.finalize_model_grads_func = finalize_model_grads
    config.calculate_per_token_loss = False
    gpt = GPTModel(
        config=config,
        transformer_layer_spec=layer_spec(config),
        vocab_size=dims.vocab_size,
        max_sequence_length=dims.max_positions,
        position_embedding_type="rope",
        rotary_base=dims.rope_theta,
    )
    wrapped = DistributedDataParallel(config, DistributedDataParallelConfig(grad_reduce_in_fp32=True), filled(gpt))
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=OPTIMIZER.learning_rate,
            weight_decay=0.0,
            adam_eps=ADAM_EPS,
            params_dtype=torch.float32,
        ),
        [wrapped],
    )
    for group in optimizer.param_groups:
        group["fused"] = True
    parts = [padded(rows[start : start + MICRO_BATCH]) for start in range(0, len(rows), MICRO_BATCH)]

    def forward(batches: Iterator[tuple[Tensor, Tensor, Tensor]], module: Any) -> tuple[Tensor, Any]:
        tokens, labels, mask = next(batches)
        losses = module(tokens, None, None, labels=labels)
        return losses, lambda output: ((output * mask).sum() / mask.sum(), {})

    def step() -> None:
        wrapped.zero_grad_buffer()
        optimizer.zero_grad()
        get_forward_backward_func()(
            forward_step_func=forward,
            data_iterator=iter(parts),
            model=[wrapped],
            num_microbatches=len(parts),
            seq_length=parts[0][0].shape[1],
            micro_batch_size=MICRO_BATCH,
            forward_only=False,
        )
        optimizer.step()

    return step


def padded(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, labels and the mask of the tokens whose successor is of a response, each [batch, seq]."""
    tokens = collate(list(enumerate(rows)), {}, parallel.device()).tokens
    mask = torch.zeros(tokens.shape)
    for index, row in enumerate(rows):
        mask[index, row.prompt_tokens - 1 : len(row.tokens) - 1] = 1.0
    return tokens, tokens.roll(-1, dims=1), mask


def logits_peak_bytes() -> int:
    """The most that a supervised update on one long row holds of the logits at a time."""
    size = ToyModel(
        hidden_size=64, layers=2, heads=2, kv_heads=2, intermediate_size=128, max_positions=LONG_TOKENS,
        encoder_size=8, encoder_layers=1, encoder_heads=1, adapter_size=8, n_mels=8,
    )  # fmt: skip
    learner = Learner(model(toy_architecture(size, LARGE_VOCABULARY)), OPTIMIZER, 1)
    row = Row(np.random.default_rng(1).integers(0, LARGE_VOCABULARY, LONG_TOKENS), 1)
    batch = collate([(0, row)], {}, parallel.device())
    held = {parameter.untyped_storage()._cdata for parameter in learner.model.parameters()}
    held |= {buffer.grad_data.untyped_storage()._cdata for buffer in learner.model.buffers}
    with Watch(LARGE_VOCABULARY, held) as watch:
        accumulate(learner.model, [batch], supervised_loss(row.response_tokens))
    return watch.peak


class Watch(TorchDispatchMode):
    """Sums the bytes of live storages behind tensors that have a dimension of the given size."""

    def __init__(self, dimension: int, ignored: set[int]) -> None:
        super().__init__()
        self.peak = 0
        self._dimension = dimension
        self._ignored = ignored
        self._live: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor) and self._dimension in tensor.shape:
                self._see(tensor.untyped_storage())
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._ignored or key in self._live:
            return
        self._live[key] = storage.nbytes()
        weakref.finalize(storage, self._live.pop, key, None)
        self.peak = max(self.peak, sum(self._live.values()))


def show(result: dict[str, float]) -> None:
    """The result as a table."""
    for name in ("bare", "sft", "ppo"):
        print(f"{name:5} {result[f'{name}_tokens_per_second']:10.0f} tokens/s")
    print(f"sft over bare {result['sft_ratio']:.3f}, ppo over bare for the same work {result['ppo_ratio']:.3f}")
    print(f"logits: at most {result['logits_peak_bytes'] / 1e9:.2f} GB at a time")


if __name__ == "__main__":
    sys.exit(main())
