"""A mesh of this machine (vLLM, Megatron-core, Redis), for benchmarks that run short jobs of the toy model on it."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from earwitness.client import TERMINAL, Mesh, state_name
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import MeshState
from earwitness.probe.write import write_probe
from earwitness.recipe.schema import ProbeData

TOY = {
    "hidden_size": 64, "layers": 1, "heads": 2, "kv_heads": 2, "intermediate_size": 128, "vocab_size": 512,
    "max_positions": 256, "encoder_size": 64, "encoder_layers": 1, "encoder_heads": 2, "adapter_size": 64,
}  # fmt: skip
OPTIMIZER = {"learning_rate": 1.0e-3}
TUNE = {"type": "sft", "tune": {"steps": 5, "batch_size": 8, "micro_batch_size": 8, "optimizer": OPTIMIZER}}


def rl(steps: int, staleness: int = 0) -> dict[str, Any]:
    """A stage of short steps."""
    return {
        "type": "rl", "steps": steps, "groups_per_step": 4, "sampling": {"samples": 4, "max_tokens": 24},
        "optimizer": OPTIMIZER, "dynamic_filter": False, "checkpoint_every": 1000, "max_staleness": staleness,
    }  # fmt: skip


@dataclass
class ToyMesh:
    """A mesh that is up, and a scratch folder for its jobs."""

    folder: Path
    """Of the mesh itself."""
    scratch: Path
    state: MeshState
    client: Mesh

    def probe(self) -> dict[str, str]:
        """A few clips: manifests by split, written once."""
        return write_probe(str(self.scratch / "data"), ProbeData(lessons=1, cold_start=32, train=24, eval=8, seed=3))

    def done(self, name: str, stages: list[dict[str, Any]], model: dict[str, Any], **given: Any) -> Any:
        """A job of these stages at its good end, on the probe unless `given`, the rest of its recipe, has data."""
        path = self.scratch / f"{name}.yaml"
        recipe = {"name": name, "output": str(self.scratch / "out"), "model": model, "data": self.probe()}
        path.write_text(yaml.safe_dump(recipe | {"stages": stages} | given))
        job = self.client.submit(path, request_id=uuid.uuid4().hex)
        while job.state not in TERMINAL:
            time.sleep(0.5)
            job = self.client.get(job.job_id)
        if state_name(job.state) != "succeeded":
            raise SystemExit(f"{name}: {state_name(job.state)}: {job.reason}")
        return job


@contextmanager
def toy_mesh(environment: Mapping[str, str] | None = None) -> Iterator[ToyMesh]:
    """A mesh that is started with these variables beside our own, as long as the block runs."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        with patch.dict(os.environ, environment or {}):
            state = control.start_detached(Options(scratch / "mesh"), lambda line: None)
        try:
            with Mesh.connect(state.address, state.token) as client:
                yield ToyMesh(scratch / "mesh", scratch, state, client)
        finally:
            control.stop(scratch / "mesh")
