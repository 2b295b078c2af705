"""A training step beside TRL's: GRPOTrainer and SFTTrainer and ours, on the same text-only toy, samples and updates.

    python benchmarks/peers.py [--rounds 7] [--environment FOLDER] [--json]

TRL lives in an environment of its own, which is made at the first run, with the torch that is installed here. Both
have one process with one thread, a Qwen2 of the same dimensions in fp32, the same tokens, rewards and micro-batches,
one update a step, and take turns. Ours packs its rows, as the recipes of real models do; TRL can do so only with
FlashAttention, which is for GPUs. What is compared is the training of a step whose samples are there: what a rollout
engine costs, and that ours runs beside the training, is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # this file's folder holds modules of the names of packages
    sys.path[0] = str(Path(__file__).parents[1])

PEER = "trl==1.16.0"
GROUPS, SAMPLES, MICRO_BATCH, SUPERVISED_BATCH = 12, 16, 64, 16
PROMPT, SHORTEST, LONGEST = 39, 15, 31
"""Tokens of a prompt and of responses, as in the quickstart."""
LEARNING_RATE = 1e-5
WARM_UP = 2
KINDS = {"grpo": 1, "sft": 8}
"""How many steps a round has: a supervised one takes a tenth of the time, in which a busy machine does anything."""
ALONE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
"""Our ranks set them; the peer shall not take them for its own."""


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count: a step of GRPO, eight of SFT")
    parser.add_argument("--environment", type=Path, default=Path(tempfile.gettempdir()) / "earwitness-peer")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--peer", nargs=2, metavar=("KIND", "WORK"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peer:
        return peer(chosen.peer[0], json.loads(Path(chosen.peer[1]).read_text()))
    python = environment(chosen.environment)
    with tempfile.TemporaryDirectory() as scratch:
        result = {kind: compare(kind, python, Path(scratch), chosen.rounds * steps) for kind, steps in KINDS.items()}
    if chosen.json:
        print(json.dumps(result))
    else:
        show(result)
    return 0


def environment(folder: Path) -> Path:
    """The Python of an environment that has the peer."""
    python = folder / "bin" / "python"
    made = folder / PEER
    if not made.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PEER, f"torch=={version('torch')}"], check=True)
        made.touch()
    return python


def compare(kind: str, python: Path, folder: Path, steps: int) -> dict[str, Any]:
    """Medians of a step of each, in seconds, and how many trained tokens that is a second."""
    work = make_work(kind, folder, steps + WARM_UP)
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(work))
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "peer": []}
    our_step = ours(kind, work)
    with peer_process(kind, python, path) as peer_step:
        for turn in range(steps + WARM_UP):
            for side, step in (("ours", our_step), ("peer", peer_step)):
                spent = step(turn)
                if turn >= WARM_UP:
                    times[side].append(spent)
    tokens = statistics.mean(sum(len(row[1]) for row in step) for step in work["steps"][WARM_UP:])
    result: dict[str, Any] = {}
    for side, spent in times.items():
        wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
        result[side] = {"seconds": wall, "cpu_seconds": cpu, "tokens_per_second": tokens / wall}
    for name in ("seconds", "cpu_seconds"):
        result[f"{name}_ratio"] = result["ours"][name] / result["peer"][name]
    return result


def make_work(kind: str, folder: Path, steps: int) -> dict[str, Any]:
    """The model, and each step's rows: prompt tokens, response tokens, reward."""
    import numpy as np

    from earwitness.families.architecture import read_architecture
    from earwitness.recipe.schema import ToyModel
    from trainer.model.toy import make_toy

    model = folder / "model"
    make_toy(str(model), ToyModel(max_positions=256), ["the pitch climbs from about 220 to 440 Hz"] * 4, seed=3)
    random = np.random.default_rng(7)
    made = []
    for _ in range(steps):
        rows: list[tuple[list[int], list[int], float]] = []
        for _ in range(GROUPS if kind == "grpo" else SUPERVISED_BATCH):
            prompt = random.integers(20, 300, PROMPT).tolist()
            for _ in range(SAMPLES if kind == "grpo" else 1):
                response = random.integers(20, 300, random.integers(SHORTEST, LONGEST + 1)).tolist()
                rows.append((prompt, response, float(random.integers(2))))
        made.append(rows)
    dims = read_architecture(model).decoder
    qwen2 = {
        "vocab_size": dims.vocab_size, "hidden_size": dims.hidden_size, "intermediate_size": dims.intermediate_size,
        "num_hidden_layers": dims.layers, "num_attention_heads": dims.heads, "num_key_value_heads": dims.kv_heads,
        "max_position_embeddings": dims.max_positions, "rms_norm_eps": dims.norm_eps, "tie_word_embeddings": False,
        "use_cache": False,
    }  # fmt: skip
    return {"model": str(model), "qwen2": qwen2, "steps": made}


def ours(kind: str, work: dict[str, Any]) -> Callable[[int], tuple[float, float]]:
    """Does a step; its seconds and CPU seconds."""
    import numpy as np
    import torch

    from earwitness.recipe.schema import Optimizer, SamplingConfig, Tune
    from earwitness.recipe.stages import RlStage
    from trainer.batches import Row
    from trainer.learner import Learner
    from trainer.model.build import build_policy
    from trainer.ranks import parallel
    from trainer.rl.experience import names_of, updates_of
    from trainer.rl.groups import Sample
    from trainer.rl.learn import learn
    from trainer.rl.recall import recall
    from trainer.tuning.supervised import work_of

    torch.set_num_threads(1)
    parallel.initialize(1, 1)
    optimizer = Optimizer(learning_rate=LEARNING_RATE)
    learner = Learner(build_policy(work["model"], freeze_encoder=True), optimizer, 1000)
    tune = Tune(
        steps=1000,
        batch_size=SUPERVISED_BATCH,
        micro_batch_size=SUPERVISED_BATCH,
        packed=True,
        optimizer=optimizer,
    )
    stage = RlStage(
        algorithm="grpo",
        steps=1000,
        groups_per_step=GROUPS,
        sampling=SamplingConfig(samples=SAMPLES, temperature=1.0),
        micro_batch_size=MICRO_BATCH,
        packed=True,
        optimizer=optimizer,
    )

    def train(turn: int) -> None:
        told = work["steps"][turn]
        rows = [Row(np.array(p + r, dtype=np.int64), len(p), name=f"row {n}") for n, (p, r, _) in enumerate(told)]
        if kind == "sft":
            update = work_of(rows, {}, tune)
            learner.update(update.micro_batches, update.loss, update.names)
            return
        samples = [
            Sample(n // SAMPLES, row, told[n][2], np.full(row.response_tokens, -5.7, dtype=np.float32), None)
            for n, row in enumerate(rows)
        ]
        groups = [samples[at : at + SAMPLES] for at in range(0, len(samples), SAMPLES)]
        updates, names = updates_of(groups, stage, {}, seed=1, step=turn + 1), names_of(groups, seed=1, step=turn + 1)
        found = recall(learner, None, updates, stage, names, first=False)
        learn(learner, None, updates, stage, turn + 1, names, found)

    def step(turn: int) -> tuple[float, float]:
        started, cpu = time.perf_counter(), time.process_time()
        train(turn)
        return time.perf_counter() - started, time.process_time() - cpu

    return step


@contextmanager
def peer_process(kind: str, python: Path, work: Path) -> Iterator[Callable[[int], tuple[float, float]]]:
    """TRL's trainer in its environment; gives what lets it take a step."""
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1", "PYTHONPATH": ""}
    process = subprocess.Popen(
        [python, __file__, "--peer", kind, work],
        env={name: value for name, value in os.environ.items() if name not in ALONE} | settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    told, heard = process.stdin, process.stdout

    def step(_: int) -> tuple[float, float]:
        told.write("go\n")
        told.flush()
        for line in heard:
            if line.startswith("step "):  # it prints its logs, too
                wall, cpu = line.split()[1:]
                return float(wall), float(cpu)
        raise SystemExit(f"the peer's {kind} trainer ended with status {process.wait()}")

    try:
        yield step
    finally:
        process.kill()
        process.wait()


def peer(kind: str, work: dict[str, Any]) -> int:
    """In the peer's environment: trains, a step for each line of stdin."""
    import torch
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, TrainerCallback

    torch.set_num_threads(1)

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            sys.stdin.readline()
            self.began = time.perf_counter(), time.process_time()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            print(f"step {time.perf_counter() - self.began[0]} {time.process_time() - self.began[1]}", flush=True)

    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{work['model']}/tokenizer.json")
    tokenizer.pad_token, tokenizer.eos_token = "<pad>", "<eos>"
    tokenizer.add_special_tokens({"pad_token": tokenizer.convert_ids_to_tokens(0)})
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(2)
    steps = work["steps"]
    config = {
        "output_dir": tempfile.mkdtemp(), "max_steps": len(steps), "learning_rate": LEARNING_RATE, "use_cpu": True,
        "report_to": [], "save_strategy": "no", "logging_strategy": "no", "gradient_checkpointing": False,
        "bf16": False, "lr_scheduler_type": "constant", "optim": "adamw_torch_fused", "disable_tqdm": True,
        "shuffle_dataset": False,
    }  # fmt: skip
    made = {"model": Qwen2ForCausalLM(Qwen2Config(**work["qwen2"])), "processing_class": tokenizer}
    trainer = (supervised if kind == "sft" else grouped)(steps, config, made | {"callbacks": [Turns()]})
    trainer.train()
    return 0


def supervised(steps: list[Any], config: dict[str, Any], made: dict[str, Any]) -> Any:
    """TRL's SFTTrainer on `steps` of (prompt, response, reward)."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [
        {"input_ids": prompt + response, "completion_mask": [0] * len(prompt) + [1] * len(response)}
        for step in steps
        for prompt, response, _ in step
    ]
    args = SFTConfig(per_device_train_batch_size=SUPERVISED_BATCH, completion_only_loss=True, **config)
    return SFTTrainer(args=args, train_dataset=Dataset.from_list(rows), **made)


def grouped(steps: list[Any], config: dict[str, Any], made: dict[str, Any]) -> Any:
    """TRL's GRPOTrainer, given the samples and rewards of `steps` instead of its own."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    args = GRPOConfig(
        per_device_train_batch_size=MICRO_BATCH,
        gradient_accumulation_steps=GROUPS * SAMPLES // MICRO_BATCH,
        num_generations=SAMPLES,
        max_completion_length=LONGEST,
        beta=0.0,
        temperature=1.0,
        **config,
    )
    turn = iter(steps)

    def sampled(*_: Any) -> dict[str, Any]:
        rows = next(turn)
        return {
            "prompt_ids": [row[0] for row in rows],
            "completion_ids": [row[1] for row in rows],
            "logprobs": [[-5.7] * len(response) for _, response, _ in rows],
            "given": [row[2] for row in rows],
        }

    def reward(completions: Any, given: list[float], **_: Any) -> list[float]:
        return given

    prompts = Dataset.from_list([{"prompt": str(n)} for n in range(GROUPS)])
    return GRPOTrainer(args=args, reward_funcs=reward, train_dataset=prompts, rollout_func=sampled, **made)


def show(result: dict[str, Any]) -> None:
    """The result as a table."""
    for kind, found in result.items():
        for side in ("ours", "peer"):
            figures = found[side]
            print(
                f"{kind:5} {side:5} {1000 * figures['seconds']:7.0f} ms a step {1000 * figures['cpu_seconds']:7.0f} ms "
                f"of CPU {figures['tokens_per_second']:7.0f} trained tokens/s"
            )
        print(f"{kind:5} ratio {found['seconds_ratio']:6.2f} of its time {found['cpu_seconds_ratio']:6.2f} of its CPU")


if __name__ == "__main__":
    sys.exit(main())
