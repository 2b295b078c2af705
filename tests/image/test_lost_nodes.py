"""Machines that vanish in the middle of a job: nothing that they send arrives, and no connection to them is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.image.conftest import node_of, rendered
from tests.image.pod_kit import Node, Running
from tests.integration.process_kit import ROOT, wait_for

RECIPE = ROOT / "tests" / "cluster" / "recipe.yaml"
TWO_NODES = {"trainer": {"nodes": 2}}
POLL_SECONDS = 2.0

pytestmark = pytest.mark.timeout(5400)


class Mesh:
    """The release with a trainer of two pods and two rollout workers, and what keeps its pods: a container that ends
    is started again where it was."""

    def __init__(self, machine: Node) -> None:
        self.machine = machine
        self.pods: dict[str, Running] = {pod: machine.start(pod) for pod in machine.pods if pod != "ew-test"}

    def submit(self) -> str:
        self.pods["ew-jobs-0"].wait_serving("jobs")
        return self.machine.ask("submit", str(RECIPE), "/data/lost-nodes")

    def lose(self, pod: str) -> None:
        """Its machine; nothing comes in its place."""
        self.machine.lose(pod)
        self.pods.pop(pod).kill()  # which nobody hears any more

    def place(self, pod: str) -> None:
        """As on another machine."""
        self.pods[pod] = self.machine.start(pod)

    def wait(self, what: str, job: str, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job, once it is as wanted."""

        def there() -> dict[str, Any] | None:
            for pod, running in self.pods.items():
                if running.process.poll() is not None:
                    print(f"{pod} ended with {running.process.returncode}: {running.said[-500:]}")
                    self.pods[pod] = self.machine.start(pod)
            seen = self.machine.ask("state", job)
            assert seen["state"] not in ("failed", "cancelled"), seen
            return seen if met(seen) else None

        return wait_for(what, there, poll_seconds=POLL_SECONDS)

    def wait_steps(self, job: str, least: int) -> int:
        """Steps of RL that are done, once there are so many."""
        return self.wait(f"step {least}", job, lambda seen: seen["at"] == "rl train" and seen["step"] >= least)["step"]


@pytest.fixture
def mesh(image: Path, with_cuda: bool, tmp_path: Path) -> Iterator[Mesh]:
    if with_cuda:
        pytest.skip("vLLM for CUDA generates nothing without a GPU")
    with node_of(rendered("cpu", TWO_NODES), image, tmp_path, {"ew-rollout": 2}) as machine:
        yield Mesh(machine)


def test_a_job_outlives_the_machines_of_a_rollout_worker_and_of_each_trainer_pod(mesh: Mesh) -> None:
    job = mesh.submit()
    step = mesh.wait_steps(job, 5)
    mesh.lose("ew-rollout-1")
    step = mesh.wait_steps(job, step + 10)
    print(f"step {step}: on with one rollout worker")
    for pod in ("ew-trainer-1", "ew-trainer-0"):  # the second is where the ranks meet
        lineage = mesh.machine.ask("state", job)["lineage"]
        mesh.lose(pod)
        (left,) = (running for name, running in mesh.pods.items() if name.startswith("ew-trainer"))
        left.wait_serving("")  # it lives, and no probe ends it
        mesh.place(pod)
        seen = mesh.wait("the gang", job, lambda seen, before=lineage: seen["lineage"] > before)
        step = mesh.wait_steps(job, seen["step"] + 1)
        print(f"step {step}: on without the machine of {pod}")
    done = mesh.wait("the end", job, lambda seen: seen["state"] == "succeeded")
    trained = next(stage for stage in yaml.safe_load(RECIPE.read_text())["stages"] if stage["type"] == "rl")
    ledgers = mesh.machine.ask("ledger", job)
    assert all(word.startswith(("used:", "dropped:")) for words in ledgers.values() for word in words), done
    used = mesh.machine.ask("groups", job)["groups.used"]
    assert used == trained["steps"] * trained["groups_per_step"], ledgers
