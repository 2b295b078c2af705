"""Full syncs and deltas through the weight plane: bytes and seconds, part by part.

    python benchmarks/weights.py [--millions 100 1000] [--changed 0.001 0.01 0.03 0.1] [--shards 2] [--ppo-steps 4]
        [--json]

One sync is everything between the trainer's tensors and the worker's parameters: diff, encode, publish, fetch, apply,
verify, load. Publisher and reader follow one another in one process. `load` copies whole tensors into parameters, as a
loader of vLLM does; what vLLM does to them afterwards (repacking on the CPU) is left out of both sides. So is the
trainer's snapshot, which both need (`snapshot`: one copy of the tensors). Figures are the best of several, except over
the held link. GB = 10^9 bytes. A billion parameters take 16 GB of memory.

`bytes_over_full`, `time_over_full`: of the delta over a full sync of the same tensors. `time_over_full_1gbit`: the
same with both directions held to 1 Gbit/s. `full_over_ceiling`: the slower of publish and fetch of a full sync, as a
share of the rate at which the same servers take and give as many bytes over bare sockets. `full_over_plain`: publish
and fetch, over the same through redis-py as it comes. `encode_over_floor`: diff and encode over one pass that reads old
and new; `apply_over_floor`: apply and verify over one pass that reads the copy. A pass is xxh3-128, the fastest reader
of memory here. `load` is one pass itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else files beside this one would hide our packages

from benchmarks.ppo_updates import LEARNING_RATE  # noqa: E402
from benchmarks.ppo_updates import versions as ppo_versions  # noqa: E402
from benchmarks.redis_links import HeldClient, Link, Nowhere, Raw, best, plain_seconds  # noqa: E402
from earwitness.redis_bulk import BulkClient  # noqa: E402
from earwitness.redis_server import RedisServer  # noqa: E402
from earwitness.weights import HostCopy, WeightPart, WeightPublisher, WeightReader  # noqa: E402
from earwitness.weights.tensors import Tensor  # noqa: E402

MATRIX = 4_000_000
"""Elements of a matrix; between two lies a vector."""
VECTOR = 3584

GIGABIT = 125_000_000
"""Bytes per second."""

REPEATS, LARGE_REPEATS, LARGE_BYTES = 5, 3, 1_000_000_000
"""The best of so many, as noise only ever slows things down; fewer of versions that are large."""

Bits = dict[str, np.ndarray]
"""bfloat16 bits, uint16 [elements], by name."""

COLUMNS = (
    "millions", "changed", "megabytes", "delta_megabytes", "bytes_over_full", "time_over_full", "time_over_full_1gbit",
    "full_over_ceiling", "full_over_plain", "raw_set", "raw_get", "full_publish", "full_fetch", "full_load", "snapshot",
    "encode", "publish", "fetch", "apply", "load", "encode_over_floor", "apply_over_floor", "bit_equal",
)  # fmt: skip


class Sync:
    """A publisher, a reader and the worker's parameters."""

    def __init__(self, shards: Sequence[str | BulkClient], lineage: str, bits: Bits) -> None:
        self.publisher = WeightPublisher(shards, lineage, anchor_every=1_000_000)
        self.reader = WeightReader(shards)
        self.copy = HostCopy()
        self.parameters = {name: torch.zeros(b.size, dtype=torch.bfloat16) for name, b in bits.items()}
        self.lineage = lineage
        self.version = -1
        self.bit_equal = True

    def full(self, bits: Bits) -> dict[str, float]:
        """Seconds by part."""
        return self._sync(self.publisher.publish_anchor, bits)

    def delta(self, bits: Bits) -> dict[str, float]:
        """Seconds by part; the first one is an anchor."""
        return self._sync(self.publisher.publish, bits)

    @property
    def delta_bytes(self) -> int:
        """Of the newest version."""
        return sum(chunk.nbytes for chunk in self.reader.manifest(self.lineage, self.version).chunks)

    def fetch_only(self) -> None:
        """Draws the newest version's records, and drops them."""
        for _ in self.reader.records(self.reader.manifest(self.lineage, self.version)):
            pass

    def _sync(self, publish: Callable[[int, Iterator[Tensor]], Any], bits: Bits) -> dict[str, float]:
        self.version += 1
        times = [time.perf_counter()]
        publish(self.version, tensors(bits))
        times.append(time.perf_counter())
        self.copy.catch_up(self.reader, self.lineage, self.version)
        times.append(time.perf_counter())
        for name, held in self.copy.tensors.items():
            self.parameters[name].copy_(torch.from_numpy(held.data).view(torch.bfloat16))
        times.append(time.perf_counter())
        self.bit_equal &= all(
            np.array_equal(self.copy.tensors[name].elements, b)
            and np.array_equal(self.parameters[name].view(torch.int16).numpy().view(np.uint16), b)
            for name, b in bits.items()
        )
        return dict(zip(("publish", "fetch", "load"), np.diff(times).tolist(), strict=True))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--millions", type=int, nargs="*", default=[100, 1000], help="parameters, 10^6")
    options.add_argument("--changed", type=float, nargs="*", default=[0.001, 0.01, 0.03, 0.1], help="changed shares")
    options.add_argument("--shards", type=int, default=2, help="Redis servers")
    options.add_argument("--ppo-steps", type=int, default=4, help="real PPO updates of 50 million parameters")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    rows = []
    for row in measured(arguments.millions, arguments.changed, arguments.shards, arguments.ppo_steps):
        rows.append(row)
        if not arguments.json:
            print("  ".join(f"{name} {row[name]}" for name in COLUMNS), flush=True)
    if arguments.json:
        print(json.dumps({"shards": arguments.shards, "rows": rows}))


def measured(millions: list[int], shares: list[float], shards: int, ppo_steps: int) -> Iterator[dict[str, Any]]:
    """The rows."""
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(shards)]
        urls = [stack.enter_context(RedisServer("weights", folder)).url for folder in folders]
        for number in millions:
            bits = make_bits(number * 1_000_000)
            for share in shares:
                yield measure(urls, f"{number}m", [bits, changed(bits, share)], share)
        if ppo_steps:
            bits, *later = ppo_versions(ppo_steps)
            share = float(np.mean([share_changed(old, new) for old, new in zip([bits, *later], later, strict=False)]))
            yield measure(urls, "ppo", [bits, *later], share) | {"learning_rate": LEARNING_RATE}


def measure(urls: list[str], name: str, history: list[Bits], share: float) -> dict[str, Any]:
    """One row: the versions of `history` in turn, over and over, full and as deltas."""
    total = sum(b.nbytes for b in history[0].values())
    repeats = LARGE_REPEATS if total > LARGE_BYTES else REPEATS
    link = Link()
    shards = [HeldClient(url, link) for url in urls]
    sync = Sync(shards, f"{name}-{share}/0", history[0])
    raw = Raw(urls, total)
    fulls = []
    for number in range(repeats + 1):  # the first pays for fresh memory
        raw.measure()
        fulls.append(sync.full(history[number % len(history)]))
    raw.close()
    full = lowest(fulls[1:])
    plain = plain_seconds(urls, total)
    sync.delta(history[0])
    later = [history[number % len(history)] for number in range(1, max(repeats + 1, len(history)))]
    deltas, fetches, nbytes = [], [], []
    for bits in later:
        deltas.append(sync.delta(bits))
        fetches.append(best(sync.fetch_only, 1))
        nbytes.append(sync.delta_bytes)
    part, fetch = lowest(deltas), min(fetches)
    link.bytes_per_second = GIGABIT
    at = (len(later)) % len(history)
    held = min(sum(sync.delta(history[(at + number) % len(history)]).values()) for number in range(1, repeats + 1))
    held_full = sum(sync.full(history[0]).values())
    for shard in shards:
        shard.flushall()
    encode = encode_seconds(urls[0], history[0], history[1], repeats)
    read = best(lambda: [xxhash.xxh3_128_digest(bits.data) for bits in history[0].values()], repeats)
    return {
        "parameters": total // 2,
        "millions": total // 2_000_000,
        "changed": round(share, 5),
        "megabytes": round(total / 1e6, 1),
        "delta_megabytes": round(float(np.mean(nbytes)) / 1e6, 3),
        "bytes_over_full": round(float(np.mean(nbytes)) / total, 5),
        "time_over_full": round(sum(part.values()) / sum(full.values()), 3),
        "time_over_full_1gbit": round(held / held_full, 4),
        "full_over_ceiling": round(min(raw.set_seconds / full["publish"], raw.get_seconds / full["fetch"]), 2),
        "full_over_plain": round((full["publish"] + full["fetch"]) / plain, 2),
        "full_publish": round(full["publish"], 4),
        "full_fetch": round(full["fetch"], 4),
        "full_load": round(full["load"], 4),
        "raw_set": round(raw.set_seconds, 4),
        "raw_get": round(raw.get_seconds, 4),
        "snapshot": round(best(lambda: [b.copy() for b in history[0].values()], repeats), 4),
        "encode": round(encode, 4),
        "publish": round(part["publish"], 4),
        "fetch": round(fetch, 4),
        "apply": round(max(0.0, part["fetch"] - fetch), 4),
        "load": round(part["load"], 4),
        "encode_over_floor": round(encode / (2 * read), 2),
        "apply_over_floor": round((part["fetch"] - fetch) / read, 2),
        "bit_equal": bool(sync.bit_equal),
    }


def encode_seconds(url: str, old: Bits, new: Bits, repeats: int) -> float:
    """Seconds of diff and encode, without a server."""
    part = WeightPart([Nowhere(url)], "encode/0")
    part.whole(0, tensors(old), keep=True)
    part.settle(committed=True)
    return best(lambda: part.delta(1, tensors(new)), repeats)


def lowest(parts: list[dict[str, float]]) -> dict[str, float]:
    """Each part's best."""
    return {name: min(part[name] for part in parts) for name in parts[0]}


def tensors(bits: Bits) -> Iterator[Tensor]:
    """As the publisher takes them."""
    return ((name, "bfloat16", (b.size,), b) for name, b in bits.items())


def make_bits(elements: int) -> Bits:
    """Normal weights of standard deviation 0.02, in matrices with a vector after each."""
    random = np.random.default_rng(0)
    bits: Bits = {}
    while elements > 0:
        for size in (min(elements, MATRIX), VECTOR):
            values = random.standard_normal(size, np.float32) * np.float32(0.02)
            bits[f"tensor.{len(bits)}"] = (values.view(np.uint32) >> 16).astype(np.uint16)
            elements -= size
    return bits


def changed(bits: Bits, share: float) -> Bits:
    """Another version, in which so many elements are one step away from those of `bits`."""
    random = np.random.default_rng(1)
    new = {}
    for name, b in bits.items():
        new[name] = b.copy()
        new[name][random.random(b.size, np.float32) < share] ^= 1
    return new


def share_changed(old: Bits, new: Bits) -> float:
    """Elements whose bits differ."""
    return sum(int(np.count_nonzero(old[name] != new[name])) for name in old) / sum(b.size for b in old.values())


if __name__ == "__main__":
    main()
