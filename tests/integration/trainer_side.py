"""The trainer's word on what a rollout engine generated.

It is spoken in a process of its own (Megatron maps CUDA away on the CPU, vLLM must not see that), which has imported
Megatron once and ends with the tests that ask it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np

from earwitness.families.registry import MADE
from earwitness.wire.trajectory.v1 import trajectory_pb2


def trainer_logprobs(model_dir: Path, rows: list[dict[str, Any]]) -> list[list[float]]:
    """Log-probs of the response in each row {tokens, prompt_tokens, audio (a clip or
    several), temperature} under the trainer's model."""
    return _side().submit(_logprobs, model_dir, rows).result()


def gate(model_dir: Path, groups: Sequence[trajectory_pb2.Group], bound: float | None = None) -> str:
    """What the parity gate says to these groups, nothing if it lets them pass; `bound` as in the recipe."""
    return _side().submit(_gate, model_dir, [group.SerializeToString() for group in groups], bound).result()


@cache
def _side() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    import torch

    from trainer.ranks.parallel import initialize

    torch.set_num_threads(1)
    initialize(1, 1)
    # A thread of torch's that is still there when the interpreter is taken down may abort the process.
    Finalize(None, os._exit, (0,), exitpriority=0)


def _logprobs(model_dir: Path, rows: list[dict[str, Any]]) -> list[list[float]]:
    import torch

    from earwitness.hearing import read_segments
    from earwitness.logmel import log_mel
    from trainer.model.audio import AudioBatch
    from trainer.model.build import build_policy
    from trainer.model.logprobs import response_logprobs

    policy = build_policy(model_dir).eval()
    n_mels = policy.architecture.audio.n_mels
    results = []
    for row in rows:
        tokens = torch.tensor([row["tokens"]])
        audio = index = None
        uris = [row["audio"]] if isinstance(row["audio"], str) else row["audio"]
        mels = [log_mel(part, n_mels) for uri in uris if uri for part in read_segments(uri, policy.architecture.family)]
        if mels:
            batch = np.zeros((len(mels), n_mels, max(mel.shape[-1] for mel in mels)), dtype=np.float32)
            for padded, mel in zip(batch, mels, strict=True):
                padded[:, : mel.shape[-1]] = mel
            audio = AudioBatch(torch.from_numpy(batch), torch.tensor([mel.shape[-1] for mel in mels]))
            index = torch.arange(len(mels))[None]
        with torch.no_grad():
            found = response_logprobs(policy(tokens, audio, index), tokens, row["temperature"])
        results.append(found[0, row["prompt_tokens"] :].tolist())
    return results


def _gate(model_dir: Path, contents: list[bytes], bound: float | None) -> str:
    import torch

    from earwitness.recipe.schema import Optimizer, SamplingConfig
    from earwitness.recipe.stages import RlStage
    from trainer.learner import Learner
    from trainer.mels import MelCache
    from trainer.model.build import build_policy
    from trainer.rl.experience import names_of, updates_of
    from trainer.rl.groups import samples_of
    from trainer.rl.parity import GAP_BOUNDS, ParityError, check_parity
    from trainer.rl.recall import recall, recalled
    from trainer.tuning.examples import load_tokenizer

    groups = [trajectory_pb2.Group.FromString(content) for content in contents]
    optimizer = Optimizer(learning_rate=1e-3)
    sampling = SamplingConfig(samples=len(groups[0].trajectories), temperature=0.7)
    stage = RlStage(algorithm="rloo", steps=1, groups_per_step=len(groups), sampling=sampling, optimizer=optimizer)
    samples = [samples_of(group, vocab_size=10_000, max_positions=10_000) for group in groups]
    policy = Learner(build_policy(model_dir), optimizer, 1)
    updates = updates_of(samples, stage, MelCache(128, MADE), seed=1, step=1)
    names = names_of(samples, seed=1, step=1)
    gap = recalled(recall(policy, None, updates, stage, names), sum(u.tokens for u in updates))["logprob_gap.mean"]
    probe = [experience for update in updates for experience in update.micro_batches]
    tokenizer = load_tokenizer(model_dir)
    try:
        check_parity(
            probe, gap, bound or GAP_BOUNDS[torch.float32], names,
            lambda token: tokenizer.decode([token], skip_special_tokens=False),
        )  # fmt: skip
    except ParityError as error:
        return str(error)
    return ""
