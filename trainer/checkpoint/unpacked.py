"""A checkpoint in the middle of a phase as a Hugging Face directory, in one process: the last one has its own."""

from __future__ import annotations

from pathlib import Path

import torch

from earwitness.errors import InputError
from trainer.checkpoint.folder import verify
from trainer.checkpoint.pieces import Pieces
from trainer.checkpoint.state import WEIGHT, piece_name
from trainer.model.build import build_policy
from trainer.model.huggingface import save_pretrained
from trainer.model.names import slots
from trainer.ranks.parallel import initialize

POLICY = "policy"


def unpack(checkpoint: Path, base: Path, out: Path) -> None:
    """Writes the policy of `checkpoint` to `out`, in the types and files of `base`, the directory that its phase began
    with, from which comes what does not learn. The whole model is in memory once, in fp32.

    Raises InputError, or CheckpointError if the checkpoint is damaged or of another model.
    """
    if out.exists():
        raise InputError(str(out), "is there already", "a new directory")
    verify(checkpoint, 0, 1)
    initialize(1, 1)
    module = build_policy(base)
    with Pieces(checkpoint) as pieces:
        if any(".lora_" in name for name in pieces.names()):
            raise InputError(
                str(checkpoint), "holds an adapter alone", "the last checkpoint of its phase, which has hf/"
            )
        with torch.no_grad():
            for slot in slots(module):
                name = piece_name(POLICY, WEIGHT, slot)
                if name in pieces:
                    slot.parameter.copy_(pieces.shard(name, slot, 0, 1))
    save_pretrained(module, base, out)
