"""Starts `services.trainer` as a process and calls it; for the trainer's integration tests."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc

from earwitness.metrics import metric_of
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from tests.integration.process_kit import PATIENCE, said_in, wait_for

ROOT = Path(__file__).parent.parent.parent


class TrainerService:
    """One trainer process of `ranks` ranks."""

    def __init__(self, folder: Path, queue_url: str = "", weights_url: str = "", ranks: int = 1) -> None:
        self._folder = folder
        self._environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "EW_TRAINER_THREADS": "1",
            "EW_LISTEN": "127.0.0.1:0",
            "EW_NAME": "trainer",
            "EW_QUEUE_URL": queue_url,
            "EW_WEIGHTS_URLS": weights_url,
            "PYTHONPATH": str(ROOT),
        }
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
        self._command = [sys.executable, *launcher, "-m", "services.trainer"]
        self._starts = 0

    def __enter__(self) -> TrainerService:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._channel.close()

    def start(self) -> None:
        """Starts the process and waits until it listens."""
        self._starts += 1
        self.log = self._folder / f"trainer-{self._starts}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stderr=log, stdout=log)

        def address() -> str:
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            return self._address()

        self._channel = grpc.insecure_channel(wait_for("the trainer to listen", address))
        self._stub = trainer_pb2_grpc.TrainerServiceStub(self._channel)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self._channel.close()

    def call(self, method: str, **fields: object):
        """One call; the request's fields by name."""
        request = getattr(wire, f"{method}Request")(**fields)
        return getattr(self._stub, method)(request)

    def cut_short(self, phase: dict[str, object]) -> dict[str, object]:
        """Starts a phase, kills the process behind its first checkpoint and starts it again; the phase as it was asked.

        If it was over by then, as on a machine that stalls, this begins again as another job in another folder.
        """
        for attempt in itertools.count():
            cut = {**phase, "job_id": f"cut-{attempt}", "checkpoint_uri": f"{phase['checkpoint_uri']}-{attempt}"}
            self.call("StartPhase", **cut)
            steps = self.wait(saved=True).steps
            self.kill()
            self.start()
            if not Path(str(cut["checkpoint_uri"]), f"step-{steps:08d}").exists():
                break
        return cut

    def wait(self, *, step: int = 0, state: int = 0, saved: bool = False) -> wire.GetStatusResponse:
        """The status once `step` is done, `state` is reached or, with `saved`, there is a whole checkpoint."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status = self.call("GetStatus")
            if (step and status.step >= step) or (state and status.state == state) or (saved and status.checkpoint_uri):
                return status
            failed = status.state == wire.PHASE_STATE_FAILED
            assert not failed, f"{status.reason}\n{self.log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"waited {PATIENCE} s for step {step}, state {state}; is {status}"
            time.sleep(0.02)

    def _address(self) -> str:
        said = said_in(self.log.read_text(errors="replace"))
        return next((line["address"] for line in said if line["event"] == "listening"), "")


def losses(status: wire.GetStatusResponse, name: str = "loss") -> dict[int, float]:
    """A figure by step; that of every step is one that people are told how to read."""
    assert all(metric_of(m.name) for s in status.steps_done for m in s.metrics)
    return {s.step: next(m.value for m in s.metrics if m.name == name) for s in status.steps_done}
