"""A node of the trainer answers its probes from the start, and says that it is ready only while its ranks do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from earwitness.local.ports import free_ports
from services.trainer.node import end_when_moved
from tests.integration.process_kit import PATIENCE, ROOT, wait_for

RANK = """
import sys, time
from pathlib import Path
from earwitness.rpc.server import serve_health
from earwitness.settings import Settings

folder = Path(sys.argv[1])
(folder / "begun").touch()
while not (folder / "met").exists():
    time.sleep(0.02)
server = serve_health("trainer", Settings.from_env())
time.sleep(600)
"""
"""A rank that has met the others once a file is there, and then answers for its node as the trainer's do."""

DROPPED = """
import os, signal, sys, types, weakref
from services.trainer import node

class Thing: ...

def called_back(reference):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass

def run(arguments):
    thing = Thing()
    reference = weakref.ref(thing, called_back)
    del thing
    sys.exit("the node went on")

sys.modules["torch.distributed.run"] = types.SimpleNamespace(main=run)
sys.exit(node.main([]))
"""
"""A node that is asked to end while Python calls back, whose exceptions are dropped."""


class Node:
    """The process, and what a kubelet hears from it."""

    def __init__(self, folder: Path, *torchrun: str) -> None:
        (port,) = free_ports(1)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "EW_HEALTH_PORT": str(port)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.trainer.node", *torchrun],
            env=environment, cwd=folder, stdout=(folder / "log").open("wb"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        self._stub = health_pb2_grpc.HealthStub(self._channel)

    def says(self, service: str) -> str:
        """Health of a service; NOBODY if nobody answers."""
        try:
            answer = self._stub.Check(health_pb2.HealthCheckRequest(service=service))
        except grpc.RpcError:
            return "NOBODY"
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def until(self, service: str, wanted: str) -> None:
        wait_for(f"{service or 'the node'} to be {wanted}", lambda: self.says(service) == wanted)

    def end(self) -> None:
        if self.process.poll() is None:
            for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
                process.kill()
        self.process.wait()
        self._channel.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(*torchrun: str) -> Node:
        nodes.append(Node(tmp_path, *torchrun))
        return nodes[-1]

    yield make
    for node in nodes:
        node.end()


def test_a_node_lives_while_it_waits_and_is_ready_while_its_ranks_are(
    start: Callable[..., Node], tmp_path: Path
) -> None:
    (tmp_path / "rank.py").write_text(RANK)
    node = start("--standalone", "--nproc-per-node", "1", "--max-restarts", "1", "rank.py", str(tmp_path))
    node.until("", "SERVING")
    assert node.says("trainer") == "NOT_SERVING"
    wait_for("the rank", (tmp_path / "begun").exists)
    assert (node.says(""), node.says("trainer")) == ("SERVING", "NOT_SERVING")
    (tmp_path / "met").touch()
    node.until("trainer", "SERVING")

    (tmp_path / "met").unlink()
    (rank,) = [p for p in psutil.Process(node.process.pid).children(recursive=True) if "rank.py" in p.cmdline()]
    rank.kill()  # torchrun starts all ranks again, and they wait for each other
    node.until("trainer", "NOT_SERVING")
    assert node.says("") == "SERVING"
    (tmp_path / "met").touch()
    node.until("trainer", "SERVING")

    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(PATIENCE) == 0
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in (p.info["cmdline"] or [])]


def test_a_node_that_meets_nobody_lives_until_it_is_asked_to_end(start: Callable[..., Node]) -> None:
    (rendezvous,) = free_ports(1)
    node = start(
        "--nnodes", "2", "--nproc-per-node", "1", "--rdzv-id", "ew", "--rdzv-backend", "c10d", "--rdzv-endpoint",
        f"127.0.0.1:{rendezvous}", "--rdzv-conf", "join_timeout=1800", "-m", "services.trainer",
    )  # fmt: skip
    node.until("", "SERVING")
    assert node.says("trainer") == "NOT_SERVING"
    assert node.process.poll() is None
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(PATIENCE) == 0


def test_a_node_ends_wherever_the_word_reaches_it() -> None:
    """An exception would be dropped here, as one was once in some thousand times during an import."""
    done = subprocess.run(
        [sys.executable, "-c", DROPPED], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_node_ends_when_the_nodes_meet_at_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while the name is unknown, nor when it has one address more or less."""
    seen = [set(), {"10.0.0.1"}, set(), {"10.0.0.1", "fd00::1"}, {"10.0.0.1"}, {"10.0.0.2"}]
    monkeypatch.setattr("services.trainer.node.addresses", lambda host: seen.pop(0))
    monkeypatch.setattr("services.trainer.node.LOOK_SECONDS", 0.0)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="1"):
        end_when_moved("ew-trainer-0.ew-trainer.ew.svc")
    assert not seen


def test_a_setting_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.trainer.node"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "EW_HEALTH_PORT": "many"}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 78
    assert "EW_HEALTH_PORT" in done.stdout + done.stderr
