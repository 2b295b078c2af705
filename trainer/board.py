"""What rank 0's calls and the phase loop tell each other: one object, safe between threads."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from earwitness.errors import ConflictError
from earwitness.wire.errors.v1 import errors_pb2
from earwitness.wire.errors.v1.errors_pb2 import ErrorKind
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from trainer.checkpoint.writer import Write

STEPS_KEPT = 10_000
"""Steps whose figures are kept for callers that come late."""

STEPS_TOLD = 1_000
"""Most steps in one answer, as the proto says."""


class PhaseWish(Enum):
    """What somebody asked of the running phase."""

    NONE = b"n"
    SAVE = b"c"
    """Write a checkpoint now."""
    STOP = b"s"
    """Write a checkpoint and return."""


@dataclass
class Board:
    """The phase in hand and what is wished of it."""

    ranks: int
    """Ranks in the group."""
    started: queue.Queue[wire.StartPhaseRequest] = field(default_factory=queue.Queue)
    """Phases to run; the main thread takes them."""
    _status: wire.GetStatusResponse = field(default_factory=wire.GetStatusResponse)
    _steps: deque[wire.StepMetrics] = field(default_factory=lambda: deque(maxlen=STEPS_KEPT))
    _wish: PhaseWish = PhaseWish.NONE
    _wished_step: int = 0
    """Steps that were done when a checkpoint was wished."""
    _saved: int = -1
    """Step of the newest checkpoint; -1 if there is none."""
    _write: Write | None = None
    """The checkpoint begun last."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._status.state = wire.PHASE_STATE_IDLE
        self._status.ranks = self.ranks

    def start(self, request: wire.StartPhaseRequest, steps: int) -> int:
        """Hands a phase to the main thread unless it runs or is done; returns its steps done."""
        with self._changed:
            status = self._status
            same = (status.job_id, status.stage_index, status.phase) == (
                request.job_id,
                request.stage_index,
                request.phase,
            )
            if status.state == wire.PHASE_STATE_RUNNING and not same:
                running = f"{status.phase} of stage {status.stage_index} of job {status.job_id}"
                raise ConflictError(f"the trainer runs {running}; stop it first")
            if not (same and status.state in (wire.PHASE_STATE_RUNNING, wire.PHASE_STATE_DONE)):
                self._status = wire.GetStatusResponse(
                    job_id=request.job_id,
                    stage_index=request.stage_index,
                    phase=request.phase,
                    state=wire.PHASE_STATE_RUNNING,
                    steps=steps,
                    version=request.base_version,
                    ranks=self.ranks,
                )
                self._steps.clear()
                self._wish, self._saved, self._write = PhaseWish.NONE, -1, None
                self.started.put(request)
            return self._status.step

    def stop(self, job_id: str, seconds: float) -> int:
        """Wishes a stop and waits until the phase is over; returns its steps done. Nothing to do for another job."""
        with self._changed:
            if self._runs(job_id):
                self._wish = PhaseWish.STOP
                self._changed.wait_for(lambda: not self._runs(job_id), seconds)
            return self._status.step if self._status.job_id == job_id else 0

    def save(self, job_id: str, seconds: float) -> str:
        """Wishes a checkpoint of this step or a later one and waits until it counts; returns where it is.

        ConflictError if no phase of the job runs.
        """
        with self._changed:
            if not self._runs(job_id):
                raise ConflictError(f"no phase of job {job_id!r} runs")
            if self._wish is PhaseWish.NONE and not self._saved >= self._status.step > 0:
                self._wish, self._wished_step = PhaseWish.SAVE, self._status.step
            self._changed.wait_for(lambda: self._wish is PhaseWish.NONE or not self._runs(job_id), seconds)
            return self._status.checkpoint_uri

    def stop_any(self) -> None:
        """The process is to end."""
        with self._changed:
            self._wish = PhaseWish.STOP

    def wish(self) -> PhaseWish:
        """What is wished of the phase now."""
        with self._changed:
            return self._wish

    def saved(self, checkpoint: Path, step: int) -> None:
        """The checkpoint of `step` counts now."""
        with self._changed:
            self._status.checkpoint_uri = str(checkpoint)
            self._saved = step
            if self._wish is PhaseWish.SAVE and step >= self._wished_step:
                self._wish = PhaseWish.NONE
            self._changed.notify_all()

    def show(self, *, step: int, version: int, lineage: int, run_id: str) -> None:
        """Where the phase stands."""
        with self._changed:
            self._status.step, self._status.version = step, version
            self._status.lineage, self._status.run_id = lineage, run_id

    def saving(self, write: Write) -> None:
        """A checkpoint is being written."""
        with self._changed:
            self._write = write

    def passed_over(self, problems: Sequence[str]) -> None:
        """Checkpoints that were not resumed from, and why."""
        with self._changed:
            self._status.passed_over[:] = problems

    def step_done(self, step: int, version: int, metrics: dict[str, float]) -> None:
        """The figures of a step."""
        with self._changed:
            self._status.step, self._status.version = step, version
            self._steps.append(
                wire.StepMetrics(step=step, metrics=[Metric(name=n, value=v) for n, v in metrics.items()])
            )

    def ended(
        self, state: wire.PhaseState, reason: str = "", kind: ErrorKind = errors_pb2.ERROR_KIND_UNSPECIFIED
    ) -> None:
        """The phase is over."""
        with self._changed:
            self._status.state = state
            self._status.reason = reason
            self._status.reason_kind = kind
            self._changed.notify_all()

    def status(self, after_step: int = 0) -> wire.GetStatusResponse:
        """A copy, with the figures of steps after `after_step`."""
        with self._changed:
            answer = wire.GetStatusResponse()
            answer.CopyFrom(self._status)
            if self._write is not None:
                answer.saving.step = self._write.step
                answer.saving.bytes = self._write.bytes
                answer.saving.bytes_written = self._write.bytes_written
                answer.saving.seconds = self._write.seconds
            new = [step for step in self._steps if step.step > after_step]
            answer.steps_done.extend(new[:STEPS_TOLD])
            return answer

    def _runs(self, job_id: str) -> bool:
        return self._status.state == wire.PHASE_STATE_RUNNING and self._status.job_id == job_id
