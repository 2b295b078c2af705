"""What a new user meets, in figures: installation, quickstart, memory, tests, the command line's answers.

    python benchmarks/first_run.py [--json] [--install] [--quickstart] [--seeds 17 18 19] [--test]

`install_s`: `make install` with its doctor, into an environment of its own (without --install: what it took here).
`quickstart_s`: from `earwitness up` to `earwitness down`; `gain_points`: its gain in accuracy over the cold start.
`peak_memory_gb`: the proportional memory (PSS) of all the mesh's processes meanwhile, looked at twice a second.
`--seeds` runs it once each, with other clips and samples; its figures are then lists, one by seed.
`rl_gain_points` is what RL adds to the distilled policy, with its interval (95 %).
`test_s`: `make test`. What is long is done only when it is asked for, and null otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cli
import yaml

from earwitness.client import Mesh, state_name
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import MeshState
from earwitness.local.sweep import tagged
from earwitness.wire.jobs.v1 import jobs_pb2

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes/quickstart.yaml"
QUICKSTART = ("quickstart_s", "gain_points", "rl_gain_points", "peak_memory_gb")
"""Figures of the quickstart."""
LOOK_SECONDS = 0.5
"""Between two looks at the memory."""


def main() -> None:
    """Print the figures, as lines or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for part in ("install", "quickstart", "test"):
        parser.add_argument(f"--{part}", action="store_true", help=f"run the {part}, which is long")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the quickstart, in place of the recipe's")
    chosen = parser.parse_args()
    figures: dict[str, Any] = {
        "install_s": install_seconds() if chosen.install else installed_in(),
        **(quickstarts(chosen.seeds) if chosen.quickstart or chosen.seeds else dict.fromkeys(QUICKSTART)),
        "test_s": make("test", f"VENV={sys.prefix}") if chosen.test else None,
        **cli.measured(),
    }
    if chosen.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:16} {figure}")


def make(*arguments: str) -> float:
    """Seconds of a target of the Makefile, whose output goes to stderr."""
    started = time.monotonic()
    subprocess.run(["make", "-C", str(ROOT), *arguments], stdout=sys.stderr, check=True)
    return round(time.monotonic() - started, 1)


def install_seconds() -> float:
    """Of an installation into a new environment."""
    with tempfile.TemporaryDirectory() as folder:
        return make("install", f"VENV={folder}/venv")


def installed_in() -> float | None:
    """What the installer noted of the environment in use."""
    try:
        return float((Path(sys.prefix) / ".install-seconds").read_text())
    except FileNotFoundError:
        return None


def quickstarts(seeds: Sequence[int] | None) -> dict[str, Any]:
    """The figures of the quickstart, by seed where some are named."""
    recipe = yaml.safe_load(RECIPE.read_text())
    if not seeds:
        return quickstart(recipe)
    probe, began = recipe["probe"], recipe["seed"]
    seeded = [{"seed": seed, "probe": probe | {"seed": probe["seed"] + seed - began}} for seed in seeds]
    runs = [quickstart(recipe | of) for of in seeded]
    return {name: [run[name] for run in runs] for name in QUICKSTART}


def quickstart(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Runs the recipe on a mesh of this machine; fails if the job does."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, started = Path(scratch), time.monotonic()
        file = folder / "recipe.yaml"
        file.write_text(yaml.safe_dump({**recipe, "output": str(folder / "run")}))
        state = control.start_detached(Options(folder / "mesh"), lambda line: print(line, file=sys.stderr))
        memory = Memory(state)
        try:
            with memory, Mesh.connect(state=folder / "mesh") as mesh:
                job = mesh.submit(file, base=str(ROOT))
                for event in mesh.watch(job.job_id):
                    print(event.message, file=sys.stderr)
                job = mesh.get(job.job_id)
        finally:
            control.stop(folder / "mesh")
        if job.state != jobs_pb2.JOB_STATE_SUCCEEDED:
            raise SystemExit(f"job {state_name(job.state)}: {job.reason}")
        seconds = time.monotonic() - started
        (report,) = (folder / "run").glob("*/report.json")
        accuracy = json.loads(report.read_text())["accuracy"]
    return {
        "quickstart_s": round(seconds, 1),
        "gain_points": points(accuracy["gain"]),
        "rl_gain_points": [points(share) for share in (accuracy["rl_gain"], *accuracy["interval"]["rl_gain"])],
        "peak_memory_gb": round(memory.peak_bytes / 1e9, 2),
    }


def points(share: float) -> float:
    """Of a hundred, to a tenth."""
    return round(100 * share, 1)


class Memory:
    """Looks at the memory of a mesh's processes on a thread, from entering to leaving."""

    def __init__(self, state: MeshState) -> None:
        self.peak_bytes = 0
        """The largest sum so far."""
        self._mesh = state.mesh
        self._untagged = {state.pid, *(process.pid for process in state.processes)}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            processes = {*tagged(self._mesh), *self._untagged}
            self.peak_bytes = max(self.peak_bytes, sum(map(proportional_bytes, processes)))


def proportional_bytes(pid: int) -> int:
    """PSS of a process: a page that n processes share counts one n-th. 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
