"""How far trainer and rollout are apart by rounding alone, by number type: what the bounds of the parity gate rest on.

    python -m benchmarks.precision [--only shipped 2 12 24] [--json]

vLLM samples responses to questions about clips of noise and tones, and the trainer's model gives the log-probs of the
same tokens: in fp32, and in bf16 with logits in bf16 and in fp32 on either side. Models: the shipped listener, and
random ones of hidden 1,024 with so many layers, their output sharpened, so that they have favourites. "12-sharp" has
layers four times as large as a model starts with, which make much of every rounding: no model to train, a worst case.

TF32 is emulated: a tensor core rounds both operands of a product to TF32_BITS explicit bits of the mantissa and sums
in fp32. "layers" rounds in the listener and the decoder's layers, as Transformer Engine multiplies; "all" the output
layer too. Both sides in TF32: the trainer's model once more, its products summed in fp64, since other kernels
sum in another order. It needs no GPU, and a GPU's own products are not what it measures.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch.utils._python_dispatch import TorchDispatchMode

ROOT = Path(__file__).parents[1]
TEXTS = ["the pitch climbs from about 220 to 440 Hz, so it is rising", "two beeps, then silence; the second is louder"]
GROUPS, SAMPLES, RESPONSE = 6, 4, 32
TEMPERATURE = 1.0
CLIP = 0.2
"""A ratio further from 1 than this is clipped in PPO."""
TF32_BITS, FP32_BITS = 10, 23
HIDDEN, HEADS, KV_HEADS, INTERMEDIATE, VOCAB = 1024, 16, 4, 2816, 4096
SHARPER = 4.0
"""The output of a random model is multiplied by this, so that it has favourites; so are its layers if it is SHARP."""
SHARP = "-sharp"
BF16 = ("bf16", "bf16, fp32 logits")
MODELS = ("shipped", "2", "12", "24", f"12{SHARP}")

Rows = list[dict[str, Any]]
Mode = Callable[[], Any]


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=MODELS, default=MODELS, help="shipped, or layers of a random model"
    )
    parser.add_argument(
        "--rollout", choices=("vllm", "transformers"), default="vllm", help="transformers: text alone, no engine"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--sample", nargs=4, metavar=("FOLDER", "DTYPE", "HEAD", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sample:
        asyncio.run(sample(Path(chosen.sample[0]), *chosen.sample[1:]))
        return 0
    if not chosen.json:
        print(
            f"| model | trainer | rollout | tokens | mean gap | largest gap | KL | clipped at {CLIP} |\n"
            + "|---" * 8
            + "|"
        )
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            model(name, folder)
            ways = {"vllm": functools.partial(sampled, folder), "transformers": functools.partial(of_peer, folder)}
            for row in compared(folder, ways[chosen.rollout]):
                row = {"model": name if name == "shipped" else f"{name} layers", **row}
                print(json.dumps(row) if chosen.json else line(row), flush=True)
    return 0


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    figures = " | ".join(f"{row[name]:.2g}" for name in ("mean", "largest", "kl"))
    return (
        f"| {row['model']} | {row['trainer']} | {row['rollout']} | {row['tokens']:,} | {figures} "
        f"| {100 * row['clipped']:.2g} % |"
    )


def compared(folder: Path, rollout: Callable[[str, str], Rows]) -> Iterator[dict[str, Any]]:
    """The rows of one model; `rollout` samples in a type, with logits in another."""
    fp32 = rollout("float32", "model")
    policy = side(folder, torch.float32)
    other = functools.partial(Tf32, torch.float64)
    (exact,) = logprobs(policy, fp32)
    layers, everything = logprobs(policy, fp32, nullcontext, Tf32, layers=Tf32)
    (theirs,) = logprobs(policy, fp32, other, layers=other)
    told = np.concatenate([row["logprobs"] for row in fp32])
    yield figures("fp32", "fp32", exact, told)
    yield figures("TF32, layers", "fp32", layers, told)
    yield figures("TF32, all", "fp32", everything, told)
    yield figures("TF32, all", "TF32, all", everything, theirs)
    policy = side(folder, torch.bfloat16)
    for head, name in zip(("model", "float32"), BF16, strict=True):
        rows = rollout("bfloat16", head)
        told = np.concatenate([row["logprobs"] for row in rows])
        for trainer, ours in zip(BF16, logprobs(policy, rows, rounded_logits, nullcontext), strict=True):
            yield figures(trainer, name, ours, told)


def figures(trainer: str, rollout: str, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """What is told of the log-probs of the same tokens, which were drawn from `theirs`. KL is k3's estimate."""
    apart = ours - theirs
    return {
        "trainer": trainer,
        "rollout": rollout,
        "tokens": len(apart),
        "mean": float(np.abs(apart).mean()),
        "largest": float(np.abs(apart).max()),
        "kl": float((np.expm1(apart) - apart).mean()),
        "clipped": float((np.abs(np.expm1(apart)) > CLIP).mean()),
    }


class Tf32(TorchDispatchMode):
    """Matrix products within round their operands to TF32 and sum in `sums`. Other ways to multiply are errors."""

    def __init__(self, sums: torch.dtype = torch.float32) -> None:
        super().__init__()
        self._sums = sums

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if "attention" in name:
            raise NotImplementedError(f"{name}: its products are out of reach; only rows of at most 1,024 tokens")
        first = {"mm": 0, "bmm": 0, "convolution": 0, "addmm": 1, "baddbmm": 1, "linear": 0, "matmul": 0}.get(name)
        if first is None:
            return func(*args, **(kwargs or {}))
        given = [
            argument
            if not isinstance(argument, torch.Tensor)
            else (to_tf32(argument) if first <= place <= first + 1 else argument).to(self._sums)
            for place, argument in enumerate(args)
        ]
        return func(*given, **(kwargs or {})).float()


def to_tf32(values: torch.Tensor) -> torch.Tensor:
    """fp32 rounded to the nearest number of TF32_BITS bits of mantissa, ties to even; still fp32."""
    dropped = FP32_BITS - TF32_BITS
    bits = values.float().contiguous().view(torch.int32)
    half = (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1)
    return ((bits + half) & -(1 << dropped)).view(torch.float32)


@contextmanager
def rounded_logits() -> Iterator[None]:
    """The output layer's logits are rounded to the type of its weight."""
    from trainer.model import logprobs as module

    exact = module._logits

    def rounded(hidden: torch.Tensor, weight: torch.Tensor, temperature: float) -> torch.Tensor:
        return torch.nn.functional.linear(hidden, weight).float() / temperature

    module._logits = rounded
    try:
        yield
    finally:
        module._logits = exact


def side(folder: Path, dtype: torch.dtype) -> Any:
    """The trainer's model."""
    from trainer.model.build import build_policy
    from trainer.ranks import parallel

    if not torch.distributed.is_initialized():
        torch.set_num_threads(1)  # beside other work threads that wait for one another are slower than one
        parallel.initialize(1, 1)
    return build_policy(folder / "model", dtype=dtype).eval()


def logprobs(policy: Any, rows: Rows, *heads: Mode, layers: Mode = nullcontext) -> list[np.ndarray]:
    """The trainer's, of all responses one after another, with its output layer in each of `heads`, by default as it is.

    `layers`: in what its model runs.
    """
    heads = heads or (nullcontext,)
    from earwitness.hearing import read_segments
    from earwitness.logmel import log_mel
    from trainer.model.audio import AudioBatch
    from trainer.model.logprobs import response_logprobs

    found: list[list[np.ndarray]] = [[] for _ in heads]
    with torch.no_grad():
        for row in rows:
            tokens = torch.tensor([row["prompt"] + row["response"]])
            heard: tuple[Any, ...] = ()
            if row["clip"]:
                (segment,) = read_segments(row["clip"], policy.architecture.family)
                mel = torch.from_numpy(log_mel(segment, policy.architecture.audio.n_mels))[None]
                heard = AudioBatch(mel, torch.tensor([mel.shape[-1]])), torch.tensor([[0]])
            with layers():
                states = policy(tokens, *heard)
            for head, told in zip(heads, found, strict=True):
                with head():
                    told.append(response_logprobs(states, tokens, TEMPERATURE)[0, len(row["prompt"]) :].numpy())
    return [np.concatenate(told).astype(np.float64) for told in found]


def sampled(folder: Path, dtype: str, head: str) -> Rows:
    """What vLLM samples in a process of its own: Megatron and vLLM take different words for there being no GPU."""
    file, log = folder / "rows.json", folder / "vllm.log"
    command = [sys.executable, "-m", "benchmarks.precision", "--sample", str(folder), dtype, head, str(file)]
    with log.open("wb") as out:
        if subprocess.run(command, cwd=ROOT, stdout=out, stderr=out, check=False).returncode:
            raise SystemExit(f"vLLM ended:\n{log.read_text(errors='replace')[-3000:]}")
    rows: Rows = json.loads(file.read_text())
    return rows


def of_peer(folder: Path, dtype: str, head: str) -> Rows:
    """The same of transformers, asked without clips."""
    from benchmarks.precision_peer import sampled as peer_sampled

    asked = [f"{number}: what happens to the pitch?" for number in range(GROUPS)]
    return peer_sampled(folder / "model", asked, SAMPLES, RESPONSE, dtype, head)


async def sample(folder: Path, dtype: str, head: str, file: str) -> None:
    """Writes rows {prompt, response (token ids), logprobs, clip}. `head`: type of the logits, as vLLM calls it."""
    from rollout.arguments import arguments, environment
    from rollout.contract import EngineConfig

    config = EngineConfig(str(folder / "model"), dtype=dtype, max_model_len=256)
    os.environ.update(environment(config))
    from vllm.v1.engine.async_llm import AsyncLLM

    from earwitness.wire.trajectory.v1 import trajectory_pb2
    from rollout.config import as_ours
    from rollout.engine import RolloutEngine

    def with_head(read: Any) -> Any:
        ours = as_ours(read)
        ours.update({"head_dtype": head})
        return ours

    told = dataclasses.replace(arguments(config), hf_overrides=with_head)
    engine = RolloutEngine(config, AsyncLLM.from_engine_args(told))
    how = trajectory_pb2.Sampling(samples=SAMPLES, temperature=TEMPERATURE, top_p=1.0, max_tokens=RESPONSE, seed=11)
    clips = list(make_clips(folder))
    asked = [
        trajectory_pb2.Prompt(
            id=f"p{number}", question=f"{number}: what happens to the pitch?", choices=["it rises", "it falls"],
            answer="it rises", verifier=trajectory_pb2.VERIFIER_CHOICE, audio_uri=clip,
        )
        for number, clip in enumerate(clips)
    ]  # fmt: skip
    try:
        groups = await asyncio.gather(*[engine.generate(p, how, ordinal=i) for i, p in enumerate(asked)])
    finally:
        engine.stop()
    rows = [
        {"prompt": prompt, "response": list(t.token_ids), "logprobs": list(t.logprobs), "clip": clip}
        for clip, (prompt, trajectories) in zip(clips, groups, strict=True)
        for t in trajectories
    ]
    Path(file).write_text(json.dumps(rows))


def make_clips(folder: Path) -> Iterator[str]:
    """A noisy tone for each group, about a second long."""
    numbers = np.random.default_rng(7)
    for group in range(GROUPS):
        at = np.arange(14_000 + 700 * group) / 16_000
        clip = 0.3 * np.sin(2 * np.pi * (200 + 90 * group) * at) + 0.05 * numbers.standard_normal(at.size)
        path = folder / f"{group}.wav"
        soundfile.write(path, clip.astype(np.float32), 16_000)
        yield str(path)


def model(name: str, folder: Path) -> None:
    """Puts the model `name` of MODELS into folder/model."""
    target = folder / "model"
    if name == "shipped":
        target.symlink_to(ROOT / "models" / "listener")
        return
    from safetensors.torch import save_file

    from earwitness.families.toy import toy_files
    from earwitness.recipe.schema import ToyModel
    from trainer.model.toy import random_weights, toy_architecture, train_tokenizer

    toy = ToyModel.model_construct(
        **ToyModel().model_dump()
        | {"hidden_size": HIDDEN, "layers": int(name.removesuffix(SHARP)), "heads": HEADS, "kv_heads": KV_HEADS,
           "intermediate_size": INTERMEDIATE}
    )  # fmt: skip
    target.mkdir()
    train_tokenizer(TEXTS * 20, VOCAB).save(str(target / "tokenizer.json"))
    architecture = toy_architecture(toy, VOCAB)
    for file, content in toy_files(architecture).items():
        (target / file).write_text(json.dumps(content))
    weights = random_weights(architecture, seed=1)
    sharpen(weights, ("lm_head", "model.layers") if name.endswith(SHARP) else ("lm_head",))
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})


def sharpen(weights: dict[str, torch.Tensor], parts: tuple[str, ...]) -> None:
    """The matrices of `parts`, in place."""
    for name, tensor in weights.items():
        if tensor.dim() > 1 and name.startswith(parts):
            tensor.mul_(SHARPER)


if __name__ == "__main__":
    sys.exit(main())
