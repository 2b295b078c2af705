"""One rank's writing of one checkpoint, on a thread of its own, while the next step runs on the main thread.

Ranks meet through files in the checkpoint's folder, not through collectives: those belong to the main thread. Each
leaves `rank-00003.done` with its checksums, or `.failed` with the reason; the lead waits for all, then commits.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trainer.checkpoint.folder import write_durably
from trainer.checkpoint.pieces import Piece, file_of, write_pieces
from trainer.errors import CheckpointError

POLL_SECONDS = 0.02
"""Between two looks of the lead for the others' files."""
PATIENCE_SECONDS = 1800.0
"""Longest wait of the lead for the slowest rank: as long as a collective may take."""


class Write:
    """Begins at once."""

    def __init__(
        self,
        partial: Path,
        step: int,
        rank: int,
        pieces: Sequence[Piece],
        commit: Callable[[Mapping[str, str]], None] | None,
        ranks: int,
    ) -> None:
        """`commit`, on the lead alone, is called with the checksums of all `ranks`."""
        self.step = step
        self.bytes = sum(piece.tensor.nbytes for piece in pieces)
        """Of this rank's tensors."""
        self.bytes_written = 0
        """So far; a little more than `bytes` in the end, for the file has a header."""
        self.seconds = 0.0
        """From the start to the commit; 0 before it."""
        self._partial, self._rank, self._ranks, self._commit = partial, rank, ranks, commit
        self._started = time.monotonic()
        self._abandoned = threading.Event()
        pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._running = pool.submit(self._run, pieces)
        pool.shutdown(wait=False)

    @property
    def done(self) -> bool:
        """True once it has ended, well or not."""
        return self._running.done()

    def result(self) -> None:
        """Waits for the end. Raises CheckpointError if it failed."""
        self._running.result()

    def abandon(self) -> None:
        """The others will not come: the lead need not wait for them. Returns once the thread has ended."""
        self._abandoned.set()
        self._running.exception()

    def _run(self, pieces: Sequence[Piece]) -> None:
        name = file_of(self._rank)
        try:
            digest = write_pieces(self._partial / name, pieces, self._count)
            write_durably(self._of(self._rank, "done"), json.dumps({name: digest}).encode())
            if self._commit is not None:
                self._commit(self._gathered())
        except OSError as error:
            problem = f"rank {self._rank} cannot write it ({error})"
            self._confess(problem)
            raise CheckpointError(str(self._partial), problem) from error
        self.seconds = time.monotonic() - self._started

    def _count(self, nbytes: int) -> None:
        self.bytes_written += nbytes

    def _of(self, rank: int, ending: str) -> Path:
        return self._partial / f"rank-{rank:05d}.{ending}"

    def _confess(self, problem: str) -> None:
        """Tells the lead, if the disk lets it; if not, the lead hears it at the next step."""
        try:
            self._of(self._rank, "failed").write_text(problem)
        except OSError:
            return

    def _gathered(self) -> dict[str, str]:
        """The checksums of all ranks' files."""
        digests: dict[str, str] = {}
        give_up = time.monotonic() + PATIENCE_SECONDS
        for rank in range(self._ranks):
            while not (done := self._of(rank, "done")).exists():
                if (failed := self._of(rank, "failed")).exists():
                    raise CheckpointError(str(self._partial), failed.read_text())
                if self._abandoned.is_set():
                    raise CheckpointError(str(self._partial), f"was given up before rank {rank} had written its part")
                if time.monotonic() > give_up:
                    raise CheckpointError(
                        str(self._partial), f"waited {PATIENCE_SECONDS:.0f} s for rank {rank} to write its part"
                    )
                time.sleep(POLL_SECONDS)
            digests |= json.loads(done.read_text())
            done.unlink()
        return digests
