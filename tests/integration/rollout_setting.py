"""A vLLM engine of the toy model that takes its weights from a weight plane, and the trainer's word on what it says."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from earwitness.errors import InfrastructureError
from earwitness.redis_server import RedisServer
from earwitness.weights import WeightPublisher
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import EngineConfig, FetchError, Served
from rollout.engine import RolloutEngine
from tests.integration.process_kit import PATIENCE
from tests.integration.rollout_toy import (
    LOOK_INTO_CORE,
    make_clips,
    make_model,
    prompt,
    sampling,
    weight_tensors,
)
from tests.integration.trainer_side import trainer_logprobs

LINEAGE = "job/0"
GAP_BOUND = 1e-3
"""Mean |rollout - trainer log-prob| in fp32."""
LARGEST_GAP = 1e-2

Sampled = tuple[list[int], list[trajectory_pb2.Trajectory]]


@dataclass
class Setting:
    """A running engine, and what it is fed with."""

    engine: RolloutEngine
    urls: list[str]
    publisher: WeightPublisher
    model_dir: Path
    clips: list[str]
    folder: Path

    async def generate(self, number: int, audio: str, ordinal: int | None = None, **how: float) -> Sampled:
        """One group."""
        ordinal = number if ordinal is None else ordinal
        return await self.engine.generate(prompt(number, audio), sampling(**how), ordinal=ordinal)

    async def generate_all(self, **how: float) -> list[Sampled]:
        """A group for each clip, and a text-only one, side by side."""
        return await asyncio.gather(*[self.generate(i, clip, **how) for i, clip in enumerate([*self.clips, ""])])

    def gaps(self, groups: list[Sampled], temperature: float, model_dir: Path, audio: Sequence[str] = ()) -> np.ndarray:
        """|rollout - trainer log-prob| of every token of groups about `audio`; without it, of `generate_all`."""
        rows, found = [], []
        for clip, (prompt_ids, trajectories) in zip(audio or [*self.clips, ""], groups, strict=True):
            for trajectory in trajectories:
                tokens = [*prompt_ids, *trajectory.token_ids]
                rows.append(
                    {"tokens": tokens, "prompt_tokens": len(prompt_ids), "audio": clip, "temperature": temperature}
                )
                found.extend(trajectory.logprobs)
        wanted = [p for row in trainer_logprobs(model_dir, rows) for p in row]
        assert len(wanted) == len(found)
        return np.abs(np.array(wanted) - np.array(found))

    def check_agreement(self, what: str, groups: list[Sampled], model_dir: Path, temperature: float = 0.7) -> None:
        """The trainer's model gives every token of `generate_all` the log-prob that it was sampled with."""
        gaps = self.gaps(groups, temperature, model_dir)
        print(f"log-prob gap after {what}: mean {gaps.mean():.2e}, largest {gaps.max():.2e}")
        assert gaps.mean() <= GAP_BOUND
        assert gaps.max() <= LARGEST_GAP

    async def check_served(self, lineage: str, version: int, model_dir: Path, before: list[Sampled]) -> list[Sampled]:
        """Loads a version of `model_dir`'s weights: what is generated changes, and is what the trainer says."""
        await self.serve(lineage, version)
        assert self.engine.served == Served(lineage, version)
        after = await self.generate_all()
        assert {span.version for _, ts in after for t in ts for span in t.versions} == {version}
        assert [list(t.token_ids) for t in before[0][1]] != [list(t.token_ids) for t in after[0][1]]
        self.check_agreement(f"version {version} of {lineage}", after, model_dir)
        return after

    async def serve(self, lineage: str, version: int) -> None:
        await serve(self.engine, lineage, version)

    def other_model(self) -> Path:
        """Other weights for the same tokenizer."""
        new = make_model(self.folder / "toy2", seed=2)
        shutil.copy(self.model_dir / "tokenizer.json", new / "tokenizer.json")
        return new


async def serve(engine: RolloutEngine, lineage: str, version: int) -> None:
    """As the service does: shards that are silent for seconds, as on a crowded machine, are asked again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await engine.serve(lineage, version)
            except FetchError as error:
                if error.kind != InfrastructureError.__name__:
                    raise


def change_some(model_dir: Path, numbers: np.random.Generator) -> None:
    """One weight in twenty grows by a half."""
    weights = load_file(model_dir / "model.safetensors")
    for name, tensor in weights.items():
        weights[name] = np.where(numbers.random(tensor.shape) < 0.05, tensor * 1.5, tensor).astype(np.float32)
    save_file(weights, model_dir / "model.safetensors")


@asynccontextmanager
async def serving_first_weights(folder: Path, tensor_parallel: int = 1) -> AsyncIterator[Setting]:
    """An engine that serves version 1."""
    model_dir = make_model(folder / "toy")
    with RedisServer("weights", folder / "redis") as redis, pytest.MonkeyPatch.context() as patch:
        patch.setenv(*LOOK_INTO_CORE)
        publisher = WeightPublisher([redis.url], LINEAGE)
        publisher.publish_anchor(1, weight_tensors(model_dir))
        config = EngineConfig(str(model_dir), weight_urls=(redis.url,), tensor_parallel=tensor_parallel)
        engine = await RolloutEngine.start(config)
        try:
            await serve(engine, LINEAGE, 1)
            yield Setting(engine, [redis.url], publisher, model_dir, make_clips(folder), folder)
        finally:
            engine.stop()
