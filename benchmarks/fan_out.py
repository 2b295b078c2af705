"""Sixty-four rollout workers without a model: what the queue carries, and how long until all of them hold a version.

    python benchmarks/fan_out.py [--workers 64] [--tokens 1024] [--seconds 10] [--millions 8] [--shards 1 2] [--json]

Real Redis servers and the real protocol on one machine. Queue: workers take tasks and hand groups of 16 trajectories
of so many tokens to the reward station, four scorers hand them on, a trainer uses 32 a step, and tasks are issued as
fast as they are used: nobody generates, so what is counted is the most that the queue can carry. `queue_busy` is the
share of one core that its Redis used. Weights: workers lease, fetch, apply and verify each version as it is announced,
whole ones and deltas of which 1 % changed. `last` is the time from the publisher's call until the last worker holds it,
`gigabytes_per_second` what the shards gave out until then, `shards_busy` the share of one core that each used. Workers
share this machine's cores, and with them the time: rates are those of the servers and of the workers' work together.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.queues import Queue as ProcessQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])  # else files beside this one would hide our packages

from benchmarks.weights import changed, make_bits, tensors  # noqa: E402
from earwitness.queue import READY, ROLLOUTS, TASKS, AsyncQueue, Queue  # noqa: E402
from earwitness.redis_client import connect, connect_async  # noqa: E402
from earwitness.redis_server import RedisServer  # noqa: E402
from earwitness.weights import HostCopy, MissingVersion, WeightPublisher, WeightReader  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402

PROCESSES = 2
"""Among which the workers are divided: Python runs one thread a process."""
SAMPLES, GROUPS_PER_STEP, SCORERS = 16, 32, 4
RUN, LINEAGE = "fan/0-train/1", "fan/1"
START_SECONDS, LIMIT_SECONDS = 60.0, 300.0
"""Longest waits: for processes to connect, and for a measurement to end."""
WARMED_UP = 2
"""Versions before those that count: the first is whole and pays for fresh memory."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--workers", type=int, default=64)
    options.add_argument("--tokens", type=int, default=1024, help="of a trajectory")
    options.add_argument("--seconds", type=float, default=10.0, help="for which the queue is measured")
    options.add_argument("--millions", type=int, default=8, help="parameters, 10^6; every worker holds them")
    options.add_argument("--shards", type=int, nargs="*", default=[1, 2], help="Redis servers of the weight plane")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    result: dict[str, Any] = {"workers": arguments.workers}
    result["queue"] = measured_queue(arguments.workers, arguments.tokens, arguments.seconds)
    result["weights"] = [
        row for shards in arguments.shards for row in measured_weights(arguments.workers, arguments.millions, shards)
    ]
    if arguments.json:
        print(json.dumps(result))
        return
    for row in (result["queue"], *result["weights"]):
        print("  ".join(f"{name} {value}" for name, value in row.items()))


def measured_queue(workers: int, tokens: int, seconds: float) -> dict[str, Any]:
    """Groups and bytes a second, and how long workers waited for an answer."""
    with tempfile.TemporaryDirectory() as folder, RedisServer("queue", folder) as server:
        client = connect(server.url)
        queue = Queue(client)
        queue.open_run(RUN)
        issued = 0
        while issued < 2 * workers + GROUPS_PER_STEP:
            queue.issue(task(issued))
            issued += 1
        with at_work(work, server.url, workers, tokens) as (reports, stop):
            for _ in range(PROCESSES):
                reports.get(timeout=START_SECONDS)  # connected
            step = used = nbytes = 0
            busy, started = None, time.perf_counter()
            while time.perf_counter() - started < seconds:
                taken = []
                while len(taken) < GROUPS_PER_STEP:
                    taken += queue.take(READY, "trainer", GROUPS_PER_STEP - len(taken), 1000)
                step += 1
                ordinals = [trajectory_pb2.Group.FromString(entry.data).task.ordinal for entry in taken]
                queue.use(RUN, step, [(e.message_id, o) for e, o in zip(taken, ordinals, strict=True)])
                for _ in taken:
                    queue.issue(task(issued))
                    issued += 1
                if step == 1:  # everybody is at work
                    busy, started = cpu_seconds(client), time.perf_counter()
                    continue
                used += len(taken)
                nbytes += sum(len(entry.data) for entry in taken)
            elapsed = time.perf_counter() - started
            busy = cpu_seconds(client) - (busy or 0.0)
            stop.set()
            waits = np.concatenate([reports.get(timeout=LIMIT_SECONDS) for _ in range(PROCESSES)])
            ledger = queue.ledger(RUN)
    states = {str(o): state for o, state in ledger.items()}
    assert len(states) == issued and sum(s.startswith("used:") for s in states.values()) == step * GROUPS_PER_STEP
    return {
        "groups_per_second": round(used / elapsed, 1),
        "tokens_per_second": round(used * SAMPLES * tokens / elapsed),
        "kilobytes_per_group": round(nbytes / used / 1000, 1),
        "queue_busy": round(busy / elapsed, 2),
        **{f"hand_off_p{p}_ms": round(float(np.quantile(waits, p / 100)) * 1000, 2) for p in (50, 99)},
    }


@contextmanager
def at_work(
    target: Callable[..., None], where: str | list[str], workers: int, *more: int
) -> Iterator[tuple[ProcessQueue[Any], Event]]:
    """Processes among which the workers are divided, until they are told to stop: their reports, what tells them."""
    context = multiprocessing.get_context("spawn")
    reports, stop = context.Queue(), context.Event()
    processes = [
        context.Process(target=target, args=(where, number, workers // PROCESSES, *more, reports, stop))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    try:
        yield reports, stop
    finally:
        stop.set()
        for process in processes:
            process.join(10)


def work(url: str, number: int, workers: int, tokens: int, reports: ProcessQueue[Any], stop: Any) -> None:
    """Some of the workers, and the scorers of this process; reports how long their hand-offs took."""
    asyncio.run(work_all(url, number, workers, tokens, reports, stop))


async def work_all(url: str, number: int, workers: int, tokens: int, reports: ProcessQueue[Any], stop: Any) -> None:
    random = np.random.default_rng(number)
    trajectories = [
        trajectory_pb2.Trajectory(
            index=index,
            token_ids=random.integers(0, 150_000, tokens).tolist(),
            logprobs=(-random.exponential(1.0, tokens)).tolist(),
            versions=[trajectory_pb2.VersionSpan(version=1, tokens=tokens)],
            finish_reason=trajectory_pb2.FINISH_REASON_STOP,
        )
        for index in range(SAMPLES)
    ]
    seconds: list[float] = []

    async def station(name: str, source: str, target: str) -> None:
        queue = AsyncQueue(await connect_async(url))
        while not stop.is_set():
            for message_id, data in await queue.take(source, name, 1, 500):
                if source == TASKS:
                    group = trajectory_pb2.Group(task=trajectory_pb2.GroupTask.FromString(data), worker=name)
                    group.trajectories.extend(trajectories)
                else:
                    group = trajectory_pb2.Group.FromString(data)
                started = time.perf_counter()
                await queue.hand_off(source, message_id, group, target)
                seconds.append(time.perf_counter() - started)

    stations = [station(f"rollout-{number}-{index}", TASKS, ROLLOUTS) for index in range(workers)]
    stations += [station(f"reward-{number}-{index}", ROLLOUTS, READY) for index in range(SCORERS // PROCESSES)]
    reports.put("connected")
    await asyncio.gather(*stations)
    reports.put(np.array(seconds))


def measured_weights(workers: int, millions: int, shards: int) -> list[dict[str, Any]]:
    """A row for anchors and one for deltas."""
    rows = []
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(shards)]
        servers = [stack.enter_context(RedisServer("weights", folder)) for folder in folders]
        urls = [server.url for server in servers]
        clients = [connect(url) for url in urls]
        publisher = WeightPublisher(urls, LINEAGE, anchor_every=10**9)
        bits = make_bits(millions * 1_000_000)
        with at_work(follow_all, urls, workers) as (reports, _):
            for _ in range(workers):
                reports.get(timeout=START_SECONDS)  # connected
            version = -1
            for kind, publish in (("anchor", publisher.publish_anchor), ("delta", publisher.publish)):
                last, sizes, used = [], [], []
                for _ in range(WARMED_UP + 3):
                    version += 1
                    bits = changed(bits, 0.01)
                    before = sum(cpu_seconds(client) for client in clients)
                    seconds, nbytes = one_version(publish, version, bits, workers, reports)
                    last.append(seconds)
                    sizes.append(nbytes)
                    used.append(sum(cpu_seconds(client) for client in clients) - before)
                best = min(last[WARMED_UP:])
                rows.append(
                    {
                        "shards": shards,
                        "kind": kind,
                        "megabytes": round(sizes[-1] / 1e6, 3),
                        "last": round(best, 3),
                        "gigabytes_per_second": round(workers * sizes[-1] / best / 1e9, 2),
                        "shards_busy": round(min(used[WARMED_UP:]) / best / shards, 2),
                        "gigabytes_per_busy_second": round(workers * sizes[-1] / min(used[WARMED_UP:]) / 1e9, 2),
                    }
                )
    return rows


def one_version(
    publish: Callable[..., Any], version: int, bits: dict[str, np.ndarray], workers: int, reports: ProcessQueue[Any]
) -> tuple[float, int]:
    """Seconds until every worker holds the version, and its bytes."""
    started = time.perf_counter()
    manifest = publish(version, tensors(bits))
    for _ in range(workers):
        held = None
        while held != version:  # one that was late reports an older one first
            held = reports.get(timeout=LIMIT_SECONDS)
    return time.perf_counter() - started, sum(chunk.nbytes for chunk in manifest.chunks)


def follow_all(urls: list[str], number: int, workers: int, reports: ProcessQueue[Any], stop: Any) -> None:
    """Some of the workers, each with connections, memory and a lease of its own."""
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda index: follow(urls, f"{number}-{index}", reports, stop), range(workers)))


def follow(urls: list[str], name: str, reports: ProcessQueue[Any], stop: Any) -> None:
    """One worker: every version as soon as it is there."""
    reader, copy, pause = WeightReader(urls), HostCopy(), threading.Event()
    reports.put("connected")
    while not stop.is_set():
        latest = reader.latest()
        if latest is None or latest == copy.held:
            pause.wait(0.02)
            continue
        try:
            reader.lease(name, *latest)
            copy.catch_up(reader, *latest)
        except MissingVersion:
            continue
        reports.put(latest[1])


def task(ordinal: int) -> trajectory_pb2.GroupTask:
    """A prompt of the usual length."""
    return trajectory_pb2.GroupTask(
        run_id=RUN,
        ordinal=ordinal,
        prompt=trajectory_pb2.Prompt(id=f"p{ordinal}", question="How many beeps are there? " * 4, audio_uri="clip.wav"),
        sampling=trajectory_pb2.Sampling(samples=SAMPLES, max_tokens=1024, temperature=1.0),
    )


def cpu_seconds(client: Any) -> float:
    """That the server has used so far."""
    usage = client.info("cpu")
    return float(usage["used_cpu_user"]) + float(usage["used_cpu_sys"])


if __name__ == "__main__":
    main()
