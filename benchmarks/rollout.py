"""Tokens per second through the mesh, beside a bare `LLM.generate` of the same prompts.

    python benchmarks/rollout.py [--rounds 5] [--json]

Mesh: tasks are put in a real Redis, a real rollout worker takes them, and the clock stops when the last group is in
Redis again. Bare: vLLM alone in a process, with the same arguments, given the same prompts ready made, all at once. A
model of more than 50 million parameters and the toy of the recipes, each with text prompts and with clips; the two take
turns, and medians over rounds are compared. Both must have sampled the same tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earwitness.active import ActiveJob, write_active
from earwitness.queue import READY, ROLLOUTS, Queue
from earwitness.recipe.schema import ToyModel
from earwitness.redis_client import connect
from earwitness.redis_server import RedisServer
from earwitness.weights import WeightPublisher
from earwitness.wire.trajectory.v1 import trajectory_pb2

ROOT = Path(__file__).parents[1]
SAMPLES = 16
CLIP_SECONDS = 2.0
MAX_MODEL_LEN = 512
THREADS = "1"
"""Of both engines. torch reads it once, when a process loads it, so it is in the environment from the start."""
START_SECONDS = 300.0
"""Longest wait for the worker to serve the model: vLLM imports for tens of seconds on busy cores."""
ROUND_SECONDS = 600.0
"""Longest wait for the groups of a round."""
TEXTS = ["the pitch climbs from about 220 to 440 Hz, so it is rising", "two beeps, then silence; the second is louder"]


@dataclass(frozen=True)
class Size:
    """A model and as much work for it as takes some seconds on one core."""

    name: str
    model: ToyModel
    groups: int
    max_tokens: int


SIZES = (
    Size(
        "large",
        ToyModel(hidden_size=512, layers=12, heads=8, kv_heads=8, intermediate_size=2048, vocab_size=2048),
        groups=16,
        max_tokens=32,
    ),
    Size("toy", ToyModel(), groups=32, max_tokens=64),
)


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="times that each of the two generates, by turns")
    parser.add_argument("--only", choices=[size.name for size in SIZES], help="one model instead of both")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--bare", metavar="FOLDER", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        return bare(Path(chosen.bare))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the worker is ended too
    rows = []
    for size in SIZES:
        if chosen.only in (None, size.name):
            with tempfile.TemporaryDirectory() as scratch:
                rows += measure(size, Path(scratch), chosen.rounds)
    result: dict[str, Any] = {"rows": rows}
    for size, name in zip(SIZES, ("mesh_over_bare", "mesh_over_bare_toy"), strict=True):
        ratios = [row["ratio"] for row in rows if row["model"] == size.name]
        if ratios:
            result[name] = min(ratios)
    if chosen.json:
        print(json.dumps(result))
    else:
        show(rows)
    return 0


def measure(size: Size, folder: Path, rounds: int) -> list[dict[str, Any]]:
    """One row for text prompts and one for clips."""
    model_dir, parameters = make_model(size.model, folder / "model")
    kinds = {"text": "", "audio": make_clips(folder, size, rounds)}
    (folder / "work.json").write_text(
        json.dumps({"groups": size.groups, "max_tokens": size.max_tokens, "kinds": kinds, "model": str(model_dir)})
    )
    times: dict[tuple[str, str], list[float]] = {}
    tokens: dict[tuple[str, str], list[list[int]]] = {}
    with mesh(model_dir, folder) as generate, bare_process(folder) as ask:
        for turn in range(rounds + 1):
            for kind, audio in kinds.items():
                for side in ("mesh", "bare") if turn % 2 else ("bare", "mesh"):
                    if side == "mesh":
                        seconds, found = generate(size, kind, audio, turn)
                    else:
                        seconds, found = ask(kind, turn)
                    print(f"{size.name} {kind} round {turn} {side}: {seconds:.2f} s", file=sys.stderr)
                    if turn:  # the first warms both up
                        times.setdefault((side, kind), []).append(seconds)
                        tokens[side, kind] = found
    rows = []
    for kind in kinds:
        count = sum(map(len, tokens["bare", kind]))
        rates = {side: count / statistics.median(times[side, kind]) for side in ("mesh", "bare")}
        rows.append(
            {
                "model": size.name,
                "parameters": parameters,
                "prompts": kind,
                "tokens": count,
                "mesh_tokens_per_second": rates["mesh"],
                "bare_tokens_per_second": rates["bare"],
                "ratio": rates["mesh"] / rates["bare"],
                "same_tokens": tokens["mesh", kind] == tokens["bare", kind],
            }
        )
    return rows


@contextmanager
def mesh(model_dir: Path, folder: Path) -> Iterator[Any]:
    """A rollout worker between two Redis servers; gives what generates the groups of a round through it."""
    with RedisServer("queue", folder / "queue") as queue_server, RedisServer("weights", folder / "weights") as weights:
        client = connect(queue_server.url)
        queue = Queue(client)
        WeightPublisher([weights.url], "bench/0").publish_anchor(1, weight_tensors(model_dir))
        write_active(client, ActiveJob("bench", str(model_dir), max_model_len=MAX_MODEL_LEN))
        environment = {
            **os.environ, "EW_QUEUE_URL": queue_server.url, "EW_WEIGHTS_URLS": weights.url, "EW_NAME": "bench",
            "EW_ROLLOUT_THREADS": THREADS,
        }  # fmt: skip
        with (folder / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "services.rollout"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

        def wait(what: str, there: Any, seconds: float, pause: float) -> None:
            deadline = time.monotonic() + seconds
            while not there():
                if worker.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"waited {seconds} s for {what}:\n{(folder / 'worker.log').read_text()[-3000:]}")
                time.sleep(pause)

        def generate(size: Size, kind: str, audio: str, turn: int) -> tuple[float, list[list[int]]]:
            run_id = f"bench/{kind}/{turn}"
            queue.open_run(run_id)
            started = time.perf_counter()
            for ordinal in range(size.groups):
                queue.issue(task(run_id, ordinal, size.max_tokens, audio, turn))
            wait("groups", lambda: client.xlen(ROLLOUTS) == size.groups, ROUND_SECONDS, 0.01)
            seconds = time.perf_counter() - started
            groups: dict[int, trajectory_pb2.Group] = {}
            while len(groups) < size.groups:
                for taken in queue.take(ROLLOUTS, "bench", count=8, block_ms=0):
                    group = trajectory_pb2.Group.FromString(taken.data)
                    groups[group.task.ordinal] = group
                    queue.hand_off(ROLLOUTS, taken.message_id, group, READY)
            return seconds, [list(t.token_ids) for ordinal in sorted(groups) for t in groups[ordinal].trajectories]

        try:
            served = lambda: any(w.fields.get("version") == "1" for w in queue.workers())  # noqa: E731
            wait("the worker to serve the model", served, START_SECONDS, 0.5)
            yield generate
        finally:
            worker.terminate()
            worker.wait(60)


@contextmanager
def bare_process(folder: Path) -> Iterator[Any]:
    """`bare` in a process of its own, asked line by line. As a module: a script's folder would hide package rollout."""
    with (folder / "bare.log").open("wb") as log:
        command = [sys.executable, "-m", "benchmarks.rollout", "--bare", str(folder)]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": THREADS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def ask(kind: str, turn: int) -> tuple[float, list[list[int]]]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{kind} {turn}\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith('{"seconds"'):  # vLLM may print lines of its own
                answer = json.loads(line)
                return answer["seconds"], answer["tokens"]
        raise SystemExit(f"vLLM alone ended:\n{(folder / 'bare.log').read_text()[-3000:]}")

    try:
        yield ask
    finally:
        process.kill()
        process.wait()


def bare(folder: Path) -> int:
    """vLLM alone: loads the model, then generates what each line of stdin asks for and says how long it took."""
    import dataclasses

    from rollout.arguments import arguments, environment
    from rollout.contract import EngineConfig
    from rollout.engine import sample_seed
    from rollout.prompts import PromptCodec

    work = json.loads((folder / "work.json").read_text())
    config = EngineConfig(work["model"], max_model_len=MAX_MODEL_LEN)
    os.environ.update(environment(config))
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import RequestOutputKind

    made = arguments(config)
    named = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    defaults = type(made)(model=made.model)
    llm = LLM(**{k: v for k, v in named.items() if k in ("model",) or v != getattr(defaults, k)})
    codec = PromptCodec(config.model_dir)
    for line in sys.stdin:
        kind, turn = line.split()
        prompts: list[Any] = []
        params = []
        for ordinal in range(work["groups"]):
            asked = task("", ordinal, work["max_tokens"], work["kinds"][kind], int(turn))
            encoded = codec.encode(asked.prompt)
            prompt: dict[str, Any] = {"prompt_token_ids": encoded.token_ids, "cache_salt": "all"}
            if encoded.segments:
                prompt["multi_modal_data"] = {"audio": encoded.segments}
                prompt["multi_modal_uuids"] = {"audio": encoded.segment_ids}
            prompts.append(prompt)
            params.append(
                SamplingParams(
                    n=asked.sampling.samples,
                    temperature=asked.sampling.temperature,
                    top_p=1.0,
                    seed=sample_seed(asked.sampling.seed, ordinal),
                    max_tokens=asked.sampling.max_tokens,
                    stop_token_ids=codec.stop_tokens(asked.sampling),
                    logprobs=0,
                    flat_logprobs=True,
                    detokenize=False,
                    output_kind=RequestOutputKind.FINAL_ONLY,
                )
            )
        started = time.perf_counter()
        outputs = llm.generate(prompts, params, use_tqdm=False)
        seconds = time.perf_counter() - started
        tokens = [list(sample.token_ids) for output in outputs for sample in output.outputs]
        print(json.dumps({"seconds": seconds, "tokens": tokens}), flush=True)
    return 0


def task(run_id: str, ordinal: int, max_tokens: int, audio: str, turn: int) -> trajectory_pb2.GroupTask:
    """A question that no round before has asked, so that no cache knows it."""
    return trajectory_pb2.GroupTask(
        run_id=run_id,
        ordinal=ordinal,
        prompt=trajectory_pb2.Prompt(
            id=f"p{ordinal}",
            question=f"Round {turn}, question {ordinal}: what happens to the pitch?",
            choices=["it rises", "it falls"],
            answer="it rises",
            verifier=trajectory_pb2.VERIFIER_CHOICE,
            audio_uri=audio and audio.format(turn, ordinal),
        ),
        sampling=trajectory_pb2.Sampling(
            samples=SAMPLES, temperature=0.7, top_p=1.0, max_tokens=max_tokens, seed=1000 + turn
        ),
        min_version=1,
    )


def make_model(model: ToyModel, path: Path) -> tuple[Path, int]:
    """A Hugging Face directory with random weights, in a process of its own; and its number of parameters."""
    code = (
        "import sys; from earwitness.recipe.schema import ToyModel; from trainer.model.toy import make_toy; "
        "make_toy(sys.argv[1], ToyModel.model_validate_json(sys.argv[2]), sys.argv[3:] * 40, 1)"
    )
    command = [sys.executable, "-c", code, str(path), model.model_dump_json(), *TEXTS]
    subprocess.run(command, cwd=ROOT, check=True)
    return path, sum(int(np.prod(shape)) for _, _, shape, _ in weight_tensors(path))


def weight_tensors(model_dir: Path) -> Iterator[tuple[str, str, Sequence[int], np.ndarray]]:
    """The weights as the weight plane takes them."""
    from safetensors.numpy import load_file

    for name, tensor in load_file(model_dir / "model.safetensors").items():
        yield name, "float32", tensor.shape, np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)


def make_clips(folder: Path, size: Size, rounds: int) -> str:
    """A clip for each group of each round; their path, with braces in the place of round and group."""
    seconds = np.arange(int(CLIP_SECONDS * 16_000)) / 16_000
    pattern = str(folder / "{}-{}.wav")
    for turn in range(rounds + 1):
        for ordinal in range(size.groups):
            tone = 0.3 * np.sin(2 * np.pi * (200 + 20 * ordinal + turn) * seconds)
            soundfile.write(pattern.format(turn, ordinal), tone.astype(np.float32), 16_000)
    return pattern


def show(rows: Sequence[dict[str, Any]]) -> None:
    """The rows as a table."""
    print(f"{'model':>6} {'parameters':>12} {'prompts':>8} {'tokens':>7} {'mesh tok/s':>11} {'bare tok/s':>11} "
          f"{'ratio':>6}  same tokens")  # fmt: skip
    for row in rows:
        print(
            f"{row['model']:>6} {row['parameters']:12,} {row['prompts']:>8} {row['tokens']:7} "
            f"{row['mesh_tokens_per_second']:11.0f} {row['bare_tokens_per_second']:11.0f} {row['ratio']:6.3f}  "
            f"{row['same_tokens']}"
        )


if __name__ == "__main__":
    sys.exit(main())
