"""Which of the paper's jobs is next, where several meshes take them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

Job = TypeVar("Job", bound=Hashable)


class Agenda(Generic[Job]):
    """Hands out each job once, to any thread, when the one that it goes on from has ended, well or not.

    `begin` says of a job which one it goes on from, itself if none, and behind how many of its stages.
    """

    def __init__(self, jobs: Iterable[Job], begin: Callable[[Job], tuple[Job, int]]) -> None:
        self._waiting = list(jobs)
        self._running: set[Job] = set()
        self._begin = begin
        self._changed = threading.Condition()

    def take(self, before: Job | None = None) -> Job | None:
        """The next job, or None where no other will come; waits while each that is left goes on from one that runs.
        Best is one that begins with the same checkpoint as that `before`, whose engine is kept."""
        with self._changed:
            while self._waiting:
                if ready := [job for job in self._waiting if self._begin(job)[0] not in {*self.left()} - {job}]:
                    alike = [job for job in ready if before is not None and self._begin(job) == self._begin(before)]
                    job = (alike or ready)[0]
                    self._waiting.remove(job)
                    self._running.add(job)
                    return job
                self._changed.wait()
        return None

    def ended(self, job: Job) -> None:
        """One that was handed out has come to its end."""
        with self._changed:
            self._running.discard(job)
            self._changed.notify_all()

    def left(self) -> list[Job]:
        """Those that have not ended."""
        with self._changed:
            return [*self._running, *self._waiting]
