"""What a request in flight sees of a weight sync: the pause, beside the seconds that fetching and loading take.

    python benchmarks/pause.py [--syncs 20] [--model toy large] [--json]

A real vLLM engine generates one request after another; their tokens are streamed, and the gap between two of them is
timed. Meanwhile versions are published and served in turn, as anchors and as deltas of which 1 % changed, over loopback
and over a link held to 1 Gbit/s. `pause` is the gap that a sync's load falls into, less an ordinary gap; `load` is what
the engine itself measured between pausing and going on. If the transfer were part of the pause, the held link would
show it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else files beside this one would hide our packages

from benchmarks.redis_links import HeldPath, Link  # noqa: E402
from benchmarks.rollout import SIZES, make_model  # noqa: E402
from earwitness.redis_server import RedisServer  # noqa: E402
from earwitness.weights import Tensor, WeightPublisher  # noqa: E402
from rollout.contract import EngineConfig  # noqa: E402
from rollout.engine import RolloutEngine  # noqa: E402

GIGABIT = 125_000_000
"""Bytes per second."""
CHANGED = 0.01
"""Share of the elements that a delta changes."""
TOKENS = 400
"""Of one request: with the toy a fraction of a second."""
SETTLE_SECONDS = 0.3
"""Of ordinary generation between two syncs."""
COLUMNS = (
    "model", "parameters", "link", "kind", "syncs", "transfer_p50", "load_p50", "load_p99", "pause_p50", "pause_p99",
    "gap_p50", "gap_p99",
)  # fmt: skip


class Stream:
    """A request in flight at all times; when its tokens came."""

    def __init__(self, engine: RolloutEngine) -> None:
        self._llm = engine._llm
        self._numbers = iter(range(10**9))
        self.times: list[float] = []

    async def run(self) -> None:
        """Until cancelled."""
        params = SamplingParams(
            temperature=1.0, max_tokens=TOKENS, ignore_eos=True, detokenize=False, output_kind=RequestOutputKind.DELTA
        )
        while True:
            prompt = {"prompt_token_ids": [5, 6, 7, 8]}
            async for _ in self._llm.generate(prompt, params, f"stream-{next(self._numbers)}"):
                self.times.append(time.perf_counter())

    def gaps(self, since: float, until: float) -> np.ndarray:
        """Seconds between two tokens, of those gaps that meet the time between."""
        times = np.array(self.times)
        meets = (times[1:] >= since) & (times[:-1] <= until)
        return np.diff(times)[meets]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--syncs", type=int, default=20, help="of each kind over each link")
    options.add_argument("--model", nargs="*", default=["toy"], choices=[size.name for size in SIZES])
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    rows = []
    for name in arguments.model:
        for row in asyncio.run(measured(name, arguments.syncs)):
            rows.append(row)
            if not arguments.json:
                print("  ".join(f"{column} {row[column]}" for column in COLUMNS), flush=True)
    if arguments.json:
        print(json.dumps({"rows": rows}))


async def measured(name: str, syncs: int) -> list[dict[str, Any]]:
    """The rows of one model."""
    size = next(size for size in SIZES if size.name == name)
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model_dir, parameters = make_model(size.model, folder / "model")
        server = stack.enter_context(RedisServer("weights", folder / "weights"))
        link = Link()
        held = stack.enter_context(HeldPath(server.url, link))
        publisher = WeightPublisher([server.url], "pause/0", anchor_every=10**9)
        versions = history(load_file(model_dir / "model.safetensors"))
        publisher.publish(0, next(versions))
        config = EngineConfig(str(model_dir), max_model_len=TOKENS + 16, weight_urls=(held.url,))
        engine = await RolloutEngine.start(config)
        try:
            await engine.serve("pause/0", 0)
            stream = Stream(engine)
            running = asyncio.create_task(stream.run())
            version = 0
            for wire, rate in (("loopback", float("inf")), ("1 Gbit/s", GIGABIT)):
                for kind in ("anchor", "delta"):
                    link.bytes_per_second = rate
                    found = []
                    for _ in range(syncs):
                        version += 1
                        tensors = next(versions)
                        if kind == "anchor":
                            await asyncio.to_thread(publisher.publish_anchor, version, tensors)
                        else:
                            await asyncio.to_thread(publisher.publish, version, tensors)
                        await asyncio.sleep(SETTLE_SECONDS)
                        found.append(await one_sync(engine, stream, version))
                        assert not running.done(), running
                    # the next deltas need an anchor that was published to be built upon
                    version += 1
                    await asyncio.to_thread(publisher.publish, version, next(versions))
                    await engine.serve("pause/0", version)
                    rows.append(row(found) | {"model": name, "parameters": parameters, "link": wire, "kind": kind})
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        finally:
            engine.stop()
    return rows


async def one_sync(engine: RolloutEngine, stream: Stream, version: int) -> dict[str, Any]:
    """Serves a version; seconds of its parts and of the gaps around."""
    marks: dict[str, float] = {}
    llm = engine._llm
    pause, resume = llm.pause_generation, llm.resume_generation
    llm.pause_generation = marked(pause, marks, "paused")
    llm.resume_generation = marked(resume, marks, "resumed")
    started = time.perf_counter()
    try:
        await engine.serve("pause/0", version)
    finally:
        llm.pause_generation, llm.resume_generation = pause, resume
    await asyncio.sleep(SETTLE_SECONDS)
    ordinary = stream.gaps(started - SETTLE_SECONDS, marks["paused"] - 0.001)
    return {
        "transfer": marks["paused"] - started,
        "load": marks["resumed"] - marks["paused"],
        "pause": float(stream.gaps(marks["paused"], marks["resumed"]).max() - np.median(ordinary)),
        "ordinary": ordinary[:-1],
    }


def marked(call: Callable[..., Awaitable[Any]], marks: dict[str, float], name: str) -> Callable[..., Awaitable[Any]]:
    """The call, with the time it was made."""

    async def made(*arguments: Any, **options: Any) -> Any:
        marks[name] = time.perf_counter()
        return await call(*arguments, **options)

    return made


def row(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Quantiles in seconds."""
    gaps = np.concatenate([one["ordinary"] for one in found])
    quantiles = {
        "transfer_p50": np.median([one["transfer"] for one in found]),
        "gap_p50": np.median(gaps),
        "gap_p99": np.quantile(gaps, 0.99),
    }
    for name in ("load", "pause"):
        for percent in (50, 99):
            quantiles[f"{name}_p{percent}"] = np.quantile([one[name] for one in found], percent / 100)
    return {"syncs": len(found)} | {name: round(float(value), 4) for name, value in quantiles.items()}


def history(weights: dict[str, np.ndarray]) -> Iterator[list[Tensor]]:
    """Versions without end, each with a share of the elements one step away from those before."""
    numbers = np.random.default_rng(2)
    bits = {name: value.view(np.uint32) for name, value in weights.items()}
    while True:
        yield [(name, "float32", b.shape, b) for name, b in bits.items()]
        bits = {name: b ^ (numbers.random(b.shape, np.float32) < CHANGED) for name, b in bits.items()}


if __name__ == "__main__":
    main()
