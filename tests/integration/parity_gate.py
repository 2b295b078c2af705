"""The trainer's side of the parity gate, on groups that a rollout engine generated.

    parity_gate.py MODEL_DIR GROUPS BOUND

GROUPS holds serialised groups, each with its length in front (4 bytes). Prints what the gate says: nothing if it lets
them pass. A process of its own: Megatron maps CUDA away on the CPU, vLLM must not see that.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from earwitness.wire.trajectory.v1 import trajectory_pb2

ROOT = Path(__file__).resolve().parents[2]


def gate(model_dir: Path, groups: Sequence[trajectory_pb2.Group], folder: Path, bound: float | None = None) -> str:
    """What the gate says to these groups; `bound` as in the recipe."""
    path = folder / "groups"
    contents = [group.SerializeToString() for group in groups]
    path.write_bytes(b"".join(struct.pack("<I", len(content)) + content for content in contents))
    command = [sys.executable, __file__, str(model_dir), str(path), str(bound or "")]
    return subprocess.run(command, cwd=ROOT, check=True, timeout=300, stdout=subprocess.PIPE, text=True).stdout.strip()


def main(model_dir: str, path: str, bound: str) -> None:
    import torch

    from earwitness.recipe.schema import Optimizer, SamplingConfig
    from earwitness.recipe.stages import RlStage
    from trainer.learner import Learner
    from trainer.mels import MelCache
    from trainer.model.build import build_policy
    from trainer.ranks.parallel import initialize
    from trainer.rl.experience import names_of, updates_of
    from trainer.rl.groups import samples_of
    from trainer.rl.parity import GAP_BOUNDS, ParityError, check_parity
    from trainer.rl.recall import recall, recalled
    from trainer.tuning.examples import load_tokenizer

    torch.set_num_threads(1)
    initialize(1, 1)
    content, groups = Path(path).read_bytes(), []
    while content:
        (length,) = struct.unpack_from("<I", content)
        groups.append(trajectory_pb2.Group.FromString(content[4 : 4 + length]))
        content = content[4 + length :]
    optimizer = Optimizer(learning_rate=1e-3)
    sampling = SamplingConfig(samples=len(groups[0].trajectories), temperature=0.7)
    stage = RlStage(algorithm="rloo", steps=1, groups_per_step=len(groups), sampling=sampling, optimizer=optimizer)
    samples = [samples_of(group, vocab_size=10_000, max_positions=10_000) for group in groups]
    policy = Learner(build_policy(model_dir), optimizer, 1)
    updates = updates_of(samples, stage, MelCache(128), seed=1, step=1)
    names = names_of(samples, seed=1, step=1)
    gap = recalled(recall(policy, None, updates, stage, names), sum(u.tokens for u in updates))["logprob_gap.mean"]
    probe = [experience for update in updates for experience in update.micro_batches]
    limit = float(bound) if bound else GAP_BOUNDS[torch.float32]
    tokenizer = load_tokenizer(model_dir)
    try:
        check_parity(probe, gap, limit, names, lambda token: tokenizer.decode([token], skip_special_tokens=False))
    except ParityError as error:
        print(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # a thread of torch's that is still there when the interpreter is taken down may abort the process
