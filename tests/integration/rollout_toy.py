"""A toy model, clips of several lengths and a weight plane, for the tests of the rollout worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from earwitness.families.step_audio import EOT, SPECIAL_TOKENS
from earwitness.recipe.schema import ToyModel
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import PATIENCE

TOY = ToyModel(
    hidden_size=128,
    layers=2,
    heads=4,
    kv_heads=2,
    intermediate_size=192,
    vocab_size=400,
    max_positions=512,
    encoder_size=32,
    encoder_layers=2,
    encoder_heads=4,
    adapter_size=48,
    n_mels=128,
)
TEXTS = ["the pitch climbs from about 220 to 440 Hz, so it is rising", "two beeps, then silence; the second is louder"]
CLIP_SECONDS = [0.02, 0.4, 1.0, 1.613, 7.3, 29.98]
"""From one frame or two up to the longest clip, odd numbers of frames among them."""


LOOK_INTO_CORE = ("VLLM_ALLOW_INSECURE_SERIALIZATION", "1")
"""For what runs in vLLM's process: vLLM sends functions to its own process only with this in the environment."""

STEP_SECONDS = 0.1
"""Of a step that is slowed: hundreds of tokens take longer than any machine stalls."""


def tokens_in_core(worker: Any) -> dict[str, int]:
    """Runs in vLLM's process: tokens that its model runner has sampled for each request it still has."""
    requests = worker.model_runner.requests
    return {name: request.num_tokens - request.num_prompt_tokens for name, request in requests.items()}


def wait_in_steps(worker: Any, seconds: float) -> None:
    """Runs in vLLM's process: from here on each step of its model runner takes so long; 0: as long as it takes."""
    runner = worker.model_runner
    step = type(runner).execute_model.__get__(runner)

    def late(*arguments: Any, **more: Any) -> Any:
        time.sleep(seconds)
        return step(*arguments, **more)

    runner.execute_model = late if seconds else step


@asynccontextmanager
async def slowed(engine: Any) -> AsyncIterator[None]:
    """What is in flight goes on, for longer than a test can be kept from its next line."""
    await engine._llm.collective_rpc(wait_in_steps, args=(STEP_SECONDS,))
    try:
        yield
    finally:
        await engine._llm.collective_rpc(wait_in_steps, args=(0.0,))


async def until_begun(engine: Any, tokens: int) -> None:
    """Returns once what is in flight has so many tokens: a pause would mean more or less on another machine."""
    async with asyncio.timeout(PATIENCE):
        while sum((await engine._llm.collective_rpc(tokens_in_core))[0].values()) < tokens:
            pass  # vLLM answers between two steps


def make_model(path: Path, seed: int = 1) -> Path:
    """A toy whose weights matter: fresh biases are 0 and logits nearly flat, which would hide mistakes."""
    import torch
    from safetensors.torch import load_file, save_file

    from trainer.model.toy import make_toy

    make_toy(str(path), TOY, TEXTS * 20, seed)
    weights = load_file(path / "model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in weights.items():
        if tensor.dim() == 1:
            tensor.add_(0.2 * torch.randn(tensor.shape, generator=generator))
        elif name == "lm_head.weight":
            tensor.mul_(8.0)  # a distribution with favourites,
            tensor[SPECIAL_TOKENS.index(EOT)] = 0.0  # in which a turn ends now and then, whatever stands before
        elif name.startswith("model.layers"):
            tensor.mul_(4.0)
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    return path


def make_clips(folder: Path) -> list[str]:
    """One noisy tone for each of CLIP_SECONDS."""
    rng = np.random.default_rng(7)
    paths = []
    for index, seconds in enumerate(CLIP_SECONDS):
        at = np.arange(int(seconds * 16_000)) / 16_000
        clip = 0.3 * np.sin(2 * np.pi * (200 + 90 * index) * at) + 0.05 * rng.standard_normal(at.size)
        paths.append(str(folder / f"{index}.wav"))
        soundfile.write(paths[-1], clip.astype(np.float32), 16_000)
    return paths


def prompt(number: int, audio_uri: str) -> trajectory_pb2.Prompt:
    """A question about a clip, or a text-only one if there is none."""
    return trajectory_pb2.Prompt(
        id=f"p{number}",
        question=f"Question {number}: what happens to the pitch?",
        choices=["it rises", "it falls"],
        answer="it rises",
        verifier=trajectory_pb2.VERIFIER_CHOICE,
        audio_uri=audio_uri,
    )


def comparison(first: str, second: str) -> Any:
    """A question about two clips that stand among its words."""
    asked = prompt(0, "")
    asked.question = "Clip A: Clip B: Which is higher?"
    asked.clips.add(audio_uri=first, at=8)
    asked.clips.add(audio_uri=second, at=16)
    return asked


def sampling(samples: int = 2, temperature: float = 0.7, max_tokens: int = 24, seed: int = 11, **more: Any) -> Any:
    """How to sample."""
    return trajectory_pb2.Sampling(
        samples=samples, temperature=temperature, top_p=1.0, max_tokens=max_tokens, seed=seed, **more
    )


def weight_tensors(model_dir: Path) -> Iterator[tuple[str, str, tuple[int, ...], Any]]:
    """The weights of a model directory as the weight plane takes them."""
    from safetensors.numpy import load_file

    for name, tensor in load_file(model_dir / "model.safetensors").items():
        yield name, "float32", tensor.shape, np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)
