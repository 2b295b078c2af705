"""Whether two commits train alike, to the bit: figures of supervised, DPO and RL updates, and the weights after them.

python benchmarks/same.py COMMIT [COMMIT]

Each commit (the second: HEAD) is checked out beside the repository and trains a toy through its own trainer service,
which is asked over gRPC: so only the protocol and the recipe have to be those of today. Prints a line for each step and
each file of weights, and ends with status 1 if any differs. Commits need the packages that are installed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import grpc
import numpy as np
import soundfile

from earwitness.local.ports import free_ports
from earwitness.queue import READY, TASKS, Queue
from earwitness.redis_client import connect
from earwitness.redis_server import RedisServer
from earwitness.wire.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2

ROOT = Path(__file__).parents[1]
RL_STEPS, GROUPS, SAMPLES = 3, 4, 4
RECIPE = """
name: same
output: {out}
model: {{toy: {{hidden_size: 64, heads: 2, kv_heads: 1, layers: 2, encoder_size: 64, encoder_layers: 1}}}}
data: {{cold_start: {data}, pairs: {data}}}
stages:
  - {{type: sft, tune: {{steps: 6, batch_size: 4, optimizer: {{learning_rate: 0.001}}}}}}
  - {{type: dpo, data: pairs, tune: {{steps: 4, batch_size: 2, optimizer: {{learning_rate: 0.001}}}}}}
  - {{type: rl, algorithm: ppo, {rl}}}
  - {{type: rl, algorithm: grpo, {rl}}}
"""
RL = (
    f"data: pairs, steps: {RL_STEPS}, groups_per_step: {GROUPS}, sampling: {{samples: {SAMPLES}}}, "
    "updates_per_step: 2, max_staleness: 9, logprob_gap_bound: 1000000.0, optimizer: {learning_rate: 0.001}"
)
"""Groups are made up, so that the policy did not sample them and lies far from what they say of it."""
UNTIMED = ("loss", "grad_norm", "margin", "accuracy")
"""What the names of figures hold that do not depend on the machine's speed."""
STAGES = ("sft", "dpo", "ppo", "grpo")
"""Those of the recipe."""
ROLES: tuple[Literal["queue", "weights"], ...] = ("queue", "weights")
START_SECONDS = 300.0
"""Until a trainer answers: it imports torch and Megatron, on whatever else the machine does."""


def write_data(folder: Path) -> Path:
    """Questions about short tones, two answers each: the one and the other of a pair."""
    lines = []
    for number in range(8):
        clip = folder / f"{number}.wav"
        soundfile.write(clip, 0.3 * np.sin(2 * np.pi * (200 + 60 * number) * np.arange(8000) / 16000), 16000)
        for response in ("high", "low"):
            lines.append(
                {
                    "id": f"{number}-{response}",
                    "audio": str(clip),
                    "question": "Is the tone high or low?",
                    "choices": ["high", "low"],
                    "answer": "high" if number > 3 else "low",
                    "verifier": "choice",
                    "reasoning": f"It is near {200 + 60 * number} Hz.",
                    "response": response,
                }
            )
    manifest = folder / "data.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return manifest


def feed(queue: Queue, status: trainer_pb2.GetStatusResponse) -> None:
    """Puts the groups of all steps on `ready`, as if the first version had generated them."""
    rng = random.Random(5)
    for ordinal in range(RL_STEPS * GROUPS):
        task = trajectory_pb2.GroupTask(run_id=status.run_id, ordinal=ordinal)
        group = trajectory_pb2.Group(task=task, prompt_token_ids=[rng.randrange(300) for _ in range(9)])
        for index in range(SAMPLES):
            tokens = [rng.randrange(300) for _ in range(5 + index)]
            sample = group.trajectories.add(index=index, token_ids=tokens, logprobs=[-5.0] * len(tokens))
            sample.versions.add(version=status.version, tokens=len(tokens), lineage=f"same/{status.lineage}")
            sample.reward.total = sample.reward.correct = rng.random() < 0.5
        queue.issue(task)
        (taken,) = queue.take(TASKS, "same", 1, 0)
        queue.hand_off(TASKS, taken.message_id, group, READY)


def train(folder: Path, manifest: Path) -> Iterator[tuple[str, str]]:
    """Name and value of everything that is compared, by the code that is on the path."""
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    recipe = RECIPE.format(out=folder, data=manifest, rl=RL).encode()
    with ExitStack() as stack:
        queue_url, weights_url = (stack.enter_context(RedisServer(role, folder / role)).url for role in ROLES)
        settings = {"EW_LISTEN": address, "EW_NAME": "same", "EW_QUEUE_URL": queue_url, "EW_WEIGHTS_URLS": weights_url}
        threads = {"OMP_NUM_THREADS": "1", "EW_TRAINER_THREADS": "1"}
        log = stack.enter_context((folder / "log").open("w"))
        command = [sys.executable, "-m", "services.trainer"]
        process = subprocess.Popen(command, env=os.environ | settings | threads, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        channel = stack.enter_context(grpc.insecure_channel(address))
        grpc.channel_ready_future(channel).result(START_SECONDS)
        trainer = trainer_pb2_grpc.TrainerServiceStub(channel)
        prepare = trainer_pb2.PrepareModelRequest(job_id="same", recipe_yaml=recipe)
        model, status = trainer.PrepareModel(prepare).model_uri, trainer_pb2.GetStatusResponse()
        for index, stage in enumerate(STAGES):
            tunes = stage in ("sft", "dpo")
            request = trainer_pb2.StartPhaseRequest(
                job_id="same", recipe_yaml=recipe, stage_index=index, phase="tune" if tunes else "train",
                model_uri=model, init_uri=status.checkpoint_uri, manifest_uri=str(manifest) if tunes else "",
                checkpoint_uri=str(folder / stage), base_version=status.version, base_lineage=status.lineage,
            )  # fmt: skip
            status = finished(trainer, request, Queue(connect(queue_url)))
            for step in status.steps_done:
                figures = {m.name: m.value for m in step.metrics if any(word in m.name for word in UNTIMED)}
                yield f"{stage} step {step.step}", json.dumps(figures, sort_keys=True)
            for file in sorted(Path(status.checkpoint_uri).rglob("*.safetensors")):
                name = f"{stage} {file.relative_to(status.checkpoint_uri)}"
                yield name, hashlib.sha256(file.read_bytes()).hexdigest()


def finished(
    trainer: trainer_pb2_grpc.TrainerServiceStub, request: trainer_pb2.StartPhaseRequest, queue: Queue
) -> trainer_pb2.GetStatusResponse:
    """A phase from its start to its end; one that waits for groups gets them."""
    trainer.StartPhase(request)
    fed = False
    while (status := trainer.GetStatus(trainer_pb2.GetStatusRequest())).state == trainer_pb2.PHASE_STATE_RUNNING:
        if status.run_id and not fed and queue.current_run() == status.run_id:
            feed(queue, status)
            fed = True
        time.sleep(0.1)
    if status.state != trainer_pb2.PHASE_STATE_DONE:
        raise SystemExit(f"stage {request.stage_index}: {status.reason}")
    return status


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The files of a commit."""
    tree = folder / "tree"
    subprocess.run(["git", "-C", ROOT, "worktree", "add", "--detach", "--quiet", tree, commit], check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", tree], check=True)


def found_at(commit: str, manifest: Path) -> dict[str, str]:
    """What a commit's code comes to."""
    with tempfile.TemporaryDirectory() as name, checked_out(commit, Path(name)) as tree:
        command = [sys.executable, __file__, "--train", name, str(manifest)]
        environment = os.environ | {"PYTHONPATH": str(tree)}
        done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return found


def main(first: str, second: str = "HEAD") -> int:
    """Exit status: 1 if anything differs."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = write_data(Path(folder))
        before, after = found_at(first, manifest), found_at(second, manifest)
    for name in sorted(before.keys() | after.keys()):
        same = before.get(name) == after.get(name)
        print(f"{name}: {f'equal {after[name][:90]}' if same else f'{before.get(name)} and {after.get(name)}'}")
    return int(before != after)


if __name__ == "__main__":
    if sys.argv[1] == "--train":
        print(json.dumps(dict(train(Path(sys.argv[2]), Path(sys.argv[3])))))
    else:
        sys.exit(main(*sys.argv[1:3]))
