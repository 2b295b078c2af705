"""Run by `test_learner_state_layouts.py`: learners of every kind are written, restored and trained on at every layout.

Imports torch and Megatron once and forks the ranks, which share the work as under torchrun. Arguments: a model
directory, a folder for checkpoints. Prints, a line each, what was wrong.
"""

from __future__ import annotations

import faulthandler
import hashlib
import itertools
import json
import os
import signal
import socket
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from earwitness.recipe.schema import Optimizer
from trainer.checkpoint.pieces import Pieces, file_of, write_pieces
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.model.names import slots
from trainer.model.policy import unwrap
from trainer.ranks import parallel

CONFIG = Optimizer(learning_rate=1e-2, weight_decay=0.1, warmup_steps=4)
LAYOUTS = {1: [1], 2: [1, 2], 4: [2]}
"""Tensor-parallel sizes by number of ranks: data-parallel 1 and 2 with tensor-parallel 1 and 2."""
KINDS = list(itertools.product([torch.float32, torch.bfloat16], [False, True], [False, True]))
"""Type, value head, distributed optimizer."""

STUCK_SECONDS = 500
"""A rank that is not through by then shows where it stands and ends."""


def update(learner: Learner, seed: int) -> None:
    """A step on gradients that the seed and a parameter's name give: replicas have the same."""
    for slot in slots(unwrap(learner.model)):
        if not slot.parameter.requires_grad:
            continue
        shard = 0 if slot.cut == "whole" else parallel.parallel_state.get_tensor_model_parallel_rank()
        words = hashlib.sha256(f"{seed}/{slot.names[0]}/{shard}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(words[:4]))
        slot.parameter.main_grad.copy_(torch.randn(slot.parameter.shape, generator=generator))
    learner._optimizer.step()
    learner.updates += 1


def problems(model: str, folder: Path, dtype: torch.dtype, value_head: bool, distributed: bool) -> list[str]:
    """What this rank finds wrong with one kind of learner; empty if nothing."""

    def fresh() -> Learner:
        module = build_policy(model, value_head=value_head, dtype=dtype)
        return Learner(module, CONFIG, 10, distributed_optimizer=distributed)

    one, other, wrong = fresh(), fresh(), []
    update(one, 1)
    update(one, 2)
    update(other, 9)
    if parallel.is_rank_zero():
        folder.mkdir(parents=True)
    dist.barrier()
    written = {piece.name: piece for piece in one.pieces("critic")}
    write_pieces(folder / file_of(dist.get_rank()), list(written.values()), lambda nbytes: None)
    dist.barrier()
    with Pieces(folder) as pieces:
        try:
            other.restore("critic", pieces)
        except Exception as error:  # noqa: BLE001 - the test shows it
            return [f"restore: {error}"]
    again = {piece.name: piece for piece in other.pieces("critic")}
    if again.keys() != written.keys() or other.updates != 2:
        wrong.append(f"writes {len(again)} pieces after {other.updates} updates, not {len(written)} after 2")
    wrong += [name for name in written if not torch.equal(again[name].tensor, written[name].tensor)]
    for learner in (one, other):
        update(learner, 3)
    named = zip(one.model.named_parameters(), other.model.parameters(), strict=True)
    return wrong + [f"trained on: {name}" for (name, a), b in named if not torch.equal(a, b)]


def rank(model: str, folder: Path, number: int, ranks: int, meeting: socket.socket) -> None:
    """One rank through all layouts of so many."""
    faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
    port = meeting.getsockname()[1]
    if number == 0:
        _store = dist.TCPStore(  # it answers as long as it is held
            "127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=meeting.detach()
        )
    os.environ |= {"RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(ranks)}
    if ranks > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for tensor in LAYOUTS[ranks]:
        parallel.initialize(tensor, 1)
        for dtype, value_head, distributed in KINDS:
            name = f"{dtype} value_head={value_head} distributed={distributed} DP {ranks // tensor} TP {tensor}"
            found = problems(model, folder / name.replace(" ", "-"), dtype, value_head, distributed)
            sys.stdout.write(json.dumps({name: found}) + "\n")  # in one piece: ranks share the pipe
            sys.stdout.flush()
    assert torch.version.cuda or "torch._dynamo" not in sys.modules, "0.4 s of CPU for what nothing here uses"
    dist.barrier()


def main() -> None:
    """Each number of ranks in turn; the exit status is that of the first rank that failed."""
    model, folder = sys.argv[1:]
    torch.set_num_threads(1)
    for ranks in LAYOUTS:
        # Where the ranks meet is bound here, before they start: a port that is only free now may be another's then. The
        # store behind it is rank 0's: it has a thread, and what a thread holds at a fork is held for ever in the child.
        with socket.create_server(("127.0.0.1", 0)) as meeting:
            children = {fork_rank(model, Path(folder), number, ranks, meeting) for number in range(ranks)}
        while children:
            child, status = os.wait()
            children.discard(child)
            if status:
                for other in children:  # they would wait for the one that is gone
                    os.kill(other, signal.SIGKILL)
                sys.exit(1)


def fork_rank(model: str, folder: Path, number: int, ranks: int, meeting: socket.socket) -> int:
    """The process of a rank; its exit status is 0 if it came to its end."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        rank(model, folder, number, ranks, meeting)
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
