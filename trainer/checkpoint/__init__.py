"""Checkpoints of a phase: what a run needs to go on bit by bit, at any layout of the ranks.

folder.py: the folders on disk, and when one counts. pieces.py: the files in it, cut and put together again.
state.py: a learner's tensors as pieces. writer.py: the thread that writes. checkpoints.py: all ranks together.
"""

from trainer.checkpoint.checkpoints import Checkpoint, Checkpoints
from trainer.checkpoint.folder import MANIFEST, Progress, verify, weights_of

__all__ = ["MANIFEST", "Checkpoint", "Checkpoints", "Progress", "verify", "weights_of"]
