"""How much of a GPU's arithmetic a supervised step uses: model FLOPs utilisation (MFU), and where the rest goes.

    python benchmarks/trainer_gpu.py [--model qwen2-audio-7b] [--layers 12] [--tokens 8192 16384] [--json]
    python benchmarks/trainer_gpu.py --size tiny      # anywhere: the same path through a toy, no figure of use

The step is the trainer's own: forward, loss, backward, gradient check, clipping and Adam in fp32 on a bf16 decoder of
the model's published width, one row of so many tokens, random weights. Depth is cut, because one GPU does not
hold 18 bytes (weight 2, gradient 4, master copy and Adam's moments 12) for each of 7 billion weights; layers are alike,
so MFU hardly depends on how many there are. Nothing is recomputed but the logits.

    MFU = (6 N T + 6 L H T²) / (seconds · peak)

N: weights that multiply (all but embeddings, norms and biases), each used in 2 operations forward and 4 backward.
T: tokens. L: layers. H: heads · head size. The second term is attention, 12 L H T² (https://arxiv.org/abs/2204.02311,
appendix B), of which causality needs half. What is computed twice counts once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

if __name__ == "__main__":  # this file's folder holds a module of the trainer package's name
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np
import torch

from earwitness.families.architecture import PUBLISHED, Architecture, read_architecture
from earwitness.families.dims import DecoderDims
from earwitness.recipe.schema import Optimizer
from trainer.batches import Row, collate
from trainer.learner import Learner
from trainer.model.attention import TRANSFORMER_ENGINE
from trainer.model.policy import PolicyModel
from trainer.ranks import parallel
from trainer.tuning.supervised import supervised_loss

PEAKS = {"H200": 989e12, "H100 80GB HBM3": 989e12, "H100 PCIe": 756e12, "H100 NVL": 835e12, "A100": 312e12}
"""Dense bf16 FLOP/s by a part of the GPU's name, from NVIDIA's data sheets, which print twice that, with sparsity."""
TINY = DecoderDims(
    hidden_size=64, intermediate_size=96, layers=2, heads=4, kv_heads=2, vocab_size=512, max_positions=256,
    norm_eps=1e-5, rope_theta=10_000.0,
)  # fmt: skip
WEIGHT_STD = 0.02
"""Of the random weights: activations then stay in the range of a trained model's."""
WARM_UP = 3
"""Steps before any is timed: kernels are chosen and compiled, Adam's state is made."""
PROFILE_ROWS = 25


@dataclass(frozen=True)
class Run:
    """What was measured at one length."""

    tokens: int
    step_seconds: float
    tokens_per_second: float
    model_flops: float
    mfu: float | None
    """None where the peak is not known."""
    peak_bytes: int | None
    """Most GPU memory that tensors took; None without a GPU."""


def main() -> None:
    """The program."""
    arguments = _arguments()
    parallel.initialize(1, 1)
    device = parallel.device()
    tiny = arguments.size == "tiny"
    if not tiny and device.type == "cpu":
        raise SystemExit("no GPU here: --size tiny goes through the same path on a CPU")
    architecture = read_architecture(PUBLISHED / f"{arguments.model}.json")
    dims = TINY if tiny else replace(architecture.decoder, layers=arguments.layers)
    learner = Learner(_model(architecture, dims), Optimizer(learning_rate=1e-6), planned=1_000)
    peak = None if arguments.peak_tflops is None else arguments.peak_tflops * 1e12
    peak = peak or next((flops for part, flops in PEAKS.items() if part in _name(device)), None)
    if not arguments.json:
        spec = "Transformer Engine's" if TRANSFORMER_ENGINE and device.type == "cuda" else "local"
        name = "a toy" if tiny else arguments.model
        print(
            f"{_name(device)}, {dims.layers} layers of {name} ({multiplying(dims) / 1e9:.2f}e9 weights that multiply)"
        )
        print(f"torch {torch.__version__}, {spec} layer spec")
    runs = [measure(learner, dims, tokens, arguments.steps, peak) for tokens in arguments.tokens or (64, 128)]
    if arguments.json:
        print(json.dumps({"device": _name(device), "runs": [asdict(run) for run in runs]}))
        return
    for run in runs:
        print(_line(run, dims, peak))
    print(profile(learner, dims, runs[-1].tokens))


def measure(learner: Learner, dims: DecoderDims, tokens: int, steps: int, peak: float | None) -> Run:
    """Steps on one row of `tokens` tokens: the median's time."""
    device = parallel.device()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds = [_step(learner, dims, tokens) for _ in range(WARM_UP + steps)][WARM_UP:]
    median = statistics.median(seconds)
    flops = model_flops(dims, tokens)
    return Run(
        tokens=tokens,
        step_seconds=median,
        tokens_per_second=tokens / median,
        model_flops=flops,
        mfu=None if peak is None else flops / (median * peak),
        peak_bytes=torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    )


def profile(learner: Learner, dims: DecoderDims, tokens: int) -> str:
    """A table of the operations of one step, those that take longest first."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    order = "self_cpu_time_total"
    if parallel.device().type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
        order = "self_device_time_total"
    with torch.profiler.profile(activities=activities) as seen:
        _step(learner, dims, tokens)
    table: str = seen.key_averages().table(sort_by=order, row_limit=PROFILE_ROWS, max_name_column_width=70)
    return table


def multiplying(dims: DecoderDims) -> int:
    """Weights of the decoder that are multiplied with each token: the matrices of the layers, and lm_head."""
    attention = 2 * dims.hidden_size * (dims.queries + dims.keys)
    return (
        dims.layers * (attention + 3 * dims.hidden_size * dims.intermediate_size) + dims.hidden_size * dims.vocab_size
    )


def model_flops(dims: DecoderDims, tokens: int) -> float:
    """Operations that a step on one row of `tokens` tokens needs: see the top of the file."""
    return 6.0 * multiplying(dims) * tokens + 6.0 * dims.layers * dims.queries * tokens**2


def _model(architecture: Architecture, dims: DecoderDims) -> PolicyModel:
    """A decoder with random weights. Its listener has one layer and nothing to hear."""
    small = Architecture(architecture.family, dims, replace(architecture.audio, layers=1))
    dtype = torch.bfloat16 if parallel.device().type == "cuda" else torch.float32
    module = PolicyModel(small, audio_patch_id=dims.vocab_size, value_head=False, dtype=dtype)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, WEIGHT_STD)
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    if module.audio is not None:
        module.audio.requires_grad_(False)
    return module


def _step(learner: Learner, dims: DecoderDims, tokens: int) -> float:
    """Seconds of one update; making the batch is not part of it, as it happens beside the step before."""
    numbers = np.random.default_rng(tokens).integers(dims.vocab_size, size=tokens)
    batch = collate([(0, Row(numbers, prompt_tokens=1, name="row"))], {}, parallel.device())
    _wait()
    started = time.perf_counter()
    learner.update([batch], supervised_loss(tokens - 1), ["row"])
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    """Until the GPU has done what it was told."""
    if parallel.device().type == "cuda":
        torch.cuda.synchronize()


def _line(run: Run, dims: DecoderDims, peak: float | None) -> str:
    line = f"{run.tokens:>6} tokens: {run.step_seconds:.3f} s a step, {run.tokens_per_second:,.0f} tokens/s"
    if run.peak_bytes is not None:
        line += f", {run.peak_bytes / 2**30:.1f} GiB at most"
    if run.mfu is None or peak is None:
        return f"{line}; the peak of this device is not known, see --peak-tflops"
    return (
        f"{line}, MFU {100 * run.mfu:.1f} % = (6 · {multiplying(dims):.3e} · {run.tokens} + 6 · {dims.layers} · "
        f"{dims.hidden_size} · {run.tokens}²) / ({run.step_seconds:.3f} s · {peak:.3g} FLOP/s)"
    )


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2-audio-7b", choices=sorted(p.stem for p in PUBLISHED.glob("*.json")))
    parser.add_argument("--layers", type=int, default=12, help="decoder layers")
    parser.add_argument("--tokens", type=int, nargs="+", help="row lengths; 8192 and 16384 unless told")
    parser.add_argument("--steps", type=int, default=5, help="timed steps at each length")
    parser.add_argument("--peak-tflops", type=float, help="dense bf16 TFLOP/s of a GPU that is not in the list")
    parser.add_argument(
        "--size", choices=("published", "tiny"), default="published", help="tiny: a toy, on any machine"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON, without the profile")
    arguments = parser.parse_args()
    if arguments.tokens is None and arguments.size == "published":
        arguments.tokens = [8_192, 16_384]
    return arguments


if __name__ == "__main__":
    main()
