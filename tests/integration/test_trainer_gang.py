"""A trainer of two pods, each a torchrun as the chart starts it: when one dies, both start again together."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import write_data, write_recipe

from earwitness.local.ports import free_ports
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from tests.integration.process_kit import PATIENCE

ROOT = Path(__file__).parents[2]
STEPS = 200
CHECKPOINTED = 20
"""Steps after which one of the checkpoints, written every two steps beside the training, is whole."""


class Pod:
    """One of the gang, started again whenever it ends, as the kubelet does it."""

    def __init__(self, index: int, rendezvous: int, listen: int, folder: Path) -> None:
        self._command = [
            sys.executable, "-m", "services.trainer.node", "--nnodes", "2", "--nproc-per-node", "1",
            "--rdzv-id", "ew", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{rendezvous}",
            "--rdzv-conf", f"join_timeout=120,is_host={int(index == 0)}", "--max-restarts", "100",
            # Pods have addresses of their own, which also put their ranks in order.
            "--local-addr", f"127.0.0.{index + 1}", "-m", "services.trainer",
        ]  # fmt: skip
        self._environment = {
            **os.environ, "OMP_NUM_THREADS": "1", "EW_TRAINER_THREADS": "1", "EW_NAME": f"trainer-{index}",
            "EW_LISTEN": f"127.0.0.1:{listen}", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.log = folder / f"pod-{index}.log"
        self._starting, self._ended = threading.Lock(), False
        self._ranks: list[psutil.Process] = []
        self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def kill(self) -> None:
        """SIGKILL for all its processes: torchrun gives each rank a session of its own."""
        with suppress(psutil.NoSuchProcess):
            agent = psutil.Process(self._process.pid)
            agent.suspend()  # it starts no other meanwhile
            self._ranks = agent.children(recursive=True)
            agent.kill()
        for rank in self._ranks:
            with suppress(psutil.NoSuchProcess):
                rank.kill()

    def close(self) -> None:
        with self._starting:
            self._ended = True
        self.kill()
        self._keeper.join()

    def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def _keep(self) -> None:
        while True:
            self._process.wait()
            time.sleep(0.2)
            with self._starting:
                if self._ended:
                    return
                self._start()


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[tuple[list[Pod], trainer_pb2_grpc.TrainerServiceStub]]:
    rendezvous, listen = free_ports(2)
    pods = [Pod(index, rendezvous, listen, tmp_path) for index in (0, 1)]
    options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]
    with grpc.insecure_channel(f"127.0.0.1:{listen}", options) as channel:
        yield pods, trainer_pb2_grpc.TrainerServiceStub(channel)
    for pod in pods:
        pod.close()


def until(stub, pods: list[Pod], what: str, condition) -> wire.GetStatusResponse:
    """The status that is as wanted; a trainer that does not answer is waited for."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(grpc.RpcError):
            status = stub.GetStatus(wire.GetStatusRequest(), timeout=30)
            if condition(status):
                return status
        time.sleep(0.05)
    logs = "\n".join(pod.log.read_text()[-3000:] for pod in pods)
    raise AssertionError(f"waited {PATIENCE} s for {what}\n{logs}")


def test_a_pod_that_dies_brings_the_gang_back_to_the_last_checkpoint(tmp_path: Path, gang) -> None:
    pods, stub = gang
    recipe = write_recipe(tmp_path, write_data(tmp_path)).replace(b"steps: 5", b"steps: %d" % STEPS)
    idle = until(stub, pods, "both pods to meet", lambda s: s.state == wire.PHASE_STATE_IDLE)
    assert idle.ranks == 2
    model = stub.PrepareModel(wire.PrepareModelRequest(job_id="gang", recipe_yaml=recipe)).model_uri
    start = wire.StartPhaseRequest(
        job_id="gang", recipe_yaml=recipe, stage_index=0, phase="tune", model_uri=model,
        manifest_uri=str(tmp_path / "cold_start.jsonl"), checkpoint_uri=str(tmp_path / "checkpoints"),
    )  # fmt: skip
    stub.StartPhase(start)
    resumed = 0
    for victim in (1, 0):  # a pod, then the one where all pods meet
        until(stub, pods, "some checkpoints", lambda s, after=resumed: s.step >= after + CHECKPOINTED)
        pods[victim].kill()
        back = until(stub, pods, "the gang to be back", lambda s: s.state == wire.PHASE_STATE_IDLE)
        assert back.ranks == 2
        stub.StartPhase(start)
        taken = until(stub, pods, "a step", lambda s: s.steps_done).steps_done
        before, resumed = resumed, min(step.step for step in taken) - 1
        assert resumed > before, "the phase began anew"
    done = until(stub, pods, "the end of the phase", lambda s: s.state == wire.PHASE_STATE_DONE)
    assert done.step == STEPS
    assert done.lineage == 2
