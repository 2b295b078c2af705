"""Where the time of a reinforcement-learning step goes, on the mesh of this machine with real processes.

    python benchmarks/mesh_step.py [--steps 12] [--rollout 1] [--trainer-ranks 1] [--reference] [--json]

`wait`, `logprob`, `train`, `publish` and `checkpoint` are the trainer's and add up to `step`. `generate`, `score` and
`reference` are means over groups in the other processes and `load` is the rollout workers' time for a new version:
with staleness 0 the trainer spends them in `wait`. Rates count trained response tokens.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from earwitness.client import Mesh, state_name
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import MeshState
from earwitness.queue import Queue
from earwitness.redis_client import connect
from earwitness.wire.jobs.v1 import jobs_pb2

WARM_UP_STEPS = 2
"""First steps pay for what is done once: memory, caches, the engine's first batch."""

TRAINER_PARTS = ("wait", "logprob", "train", "publish", "checkpoint")
OTHER_PARTS = ("generate", "score", "reference", "load")

RECIPE = """\
name: step-benchmark
output: {output}
model:
  toy: {{hidden_size: 128, layers: 3, heads: 4, kv_heads: 2, intermediate_size: 384, max_positions: 256}}
probe: {{lessons: 64, cold_start: 512, train: 256, eval: 32}}
stages:
  - type: sft
    tune: {{steps: 20, batch_size: 16, micro_batch_size: 16, optimizer: {{learning_rate: 1.0e-3}}}}
  - type: rl
    steps: {steps}
    groups_per_step: 8
    sampling: {{samples: 16, max_tokens: 64}}
    micro_batch_size: 64
    optimizer: {{learning_rate: 1.0e-5}}
    kl_coef: {kl_coef}
    dynamic_filter: false  # a policy of twenty updates is mostly wrong, and every step shall have all its groups
    checkpoint_every: {steps}
"""


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12, help="steps, the first two of which are not counted")
    parser.add_argument("--rollout", type=int, default=1, help="rollout workers")
    parser.add_argument("--trainer-ranks", type=int, default=1, help="trainer processes")
    parser.add_argument("--reference", action="store_true", help="with reference log-probs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = folder / "recipe.yaml"
        kl_coef = 0.001 if chosen.reference else 0.0
        recipe.write_text(RECIPE.format(output=folder / "run", steps=chosen.steps, kl_coef=kl_coef))
        options = Options(folder / "mesh", rollout=chosen.rollout, trainer_ranks=chosen.trainer_ranks)
        state = control.start_detached(options, lambda line: print(line, file=sys.stderr))
        try:
            steps = list(run(state, options.folder, recipe))
        finally:
            control.stop(options.folder)
    result = summary(steps[WARM_UP_STEPS:])
    if chosen.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0


def run(state: MeshState, folder: Path, recipe: Path) -> Iterator[dict[str, float]]:
    """The figures of each RL step, with `seconds.load` of the rollout workers as they are then."""
    queue = Queue(connect(state.queue_url))
    with Mesh.connect(state=folder) as mesh:
        job = mesh.submit(recipe)
        for event in mesh.watch(job.job_id):
            if event.kind == "step" and event.job.stage_type == "rl":
                loads = [float(w.fields.get("load_seconds", 0)) for w in queue.workers() if w.role == "rollout"]
                yield {m.name: m.value for m in event.metrics} | {"seconds.load": sum(loads) / max(len(loads), 1)}
        job = mesh.get(job.job_id)
    if job.state != jobs_pb2.JOB_STATE_SUCCEEDED:
        raise SystemExit(f"job {state_name(job.state)}: {job.reason}")


def summary(steps: list[dict[str, float]]) -> dict[str, float]:
    """Means over steps: `seconds.*` and `tokens_per_second`."""
    means = {
        f"seconds.{part}": sum(s.get(f"seconds.{part}", 0.0) for s in steps) / len(steps)
        for part in (*TRAINER_PARTS, *OTHER_PARTS)
    }
    means["seconds.step"] = sum(means[f"seconds.{part}"] for part in TRAINER_PARTS)
    tokens = sum(s.get("tokens", 0.0) for s in steps) / len(steps)
    return means | {"tokens_per_step": tokens, "tokens_per_second": tokens / means["seconds.step"], "steps": len(steps)}


def show(result: dict[str, float]) -> None:
    """The result as a table."""
    for part in (*TRAINER_PARTS, "step"):
        seconds = result[f"seconds.{part}"]
        print(f"{part:12} {seconds:8.3f} s  {100 * seconds / result['seconds.step']:5.1f} %")
    print("inside wait, in other processes:")
    for part in OTHER_PARTS:
        print(f"{part:12} {result[f'seconds.{part}']:8.3f} s")
    print(f"{result['tokens_per_second']:.0f} trained tokens/s, {result['tokens_per_step']:.0f} tokens a step")


if __name__ == "__main__":
    sys.exit(main())
