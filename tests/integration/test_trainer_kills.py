"""kill -9 at random points of a run with a checkpoint at every step: in the end nothing shows that it happened.

The groups are recorded once and stand in a real queue; the run is killed by the clock, anywhere from its first
instruction on, and at random lines of the code that saves and resumes, also on the thread that writes.
"""

import json
import os
import random
import selectors
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import lineage_of, recipe_of, recorded_group, write_data, write_recipe

from earwitness.local.ports import free_ports
from earwitness.queue import READY, ROLLOUTS, TASKS, Queue
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import PATIENCE
from trainer.checkpoint import verify
from trainer.checkpoint.folder import checkpoints_in
from trainer.checkpoint.pieces import Pieces
from trainer.model.toy import make_toy
from trainer.tuning.examples import load_tokenizer

HERE = Path(__file__).parent
STEPS = 20
GROUPS = 2
SAMPLES = 2
FED = 3
"""Steps, beyond one for each kill before, that there are groups for when a run begins."""
LINES = 20_000
"""Lines of trainer/checkpoint/ that a run executes while it resumes and saves once or twice."""


def record(path: Path, model: str, manifest: str) -> None:
    """Every group of the run, each with its length before it."""
    tokenizer = load_tokenizer(model)
    with path.open("wb") as file:
        for ordinal in range(STEPS * GROUPS):
            group = recorded_group("", ordinal, tokenizer, manifest, version=ordinal // GROUPS, samples=SAMPLES)
            content = group.SerializeToString()
            file.write(len(content).to_bytes(4, "little") + content)


def recorded(path: Path) -> list[trajectory_pb2.Group]:
    content, groups, at = path.read_bytes(), [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "little")
        groups.append(trajectory_pb2.Group.FromString(content[at + 4 : at + 4 + size]))
        at += 4 + size
    return groups


class Replay:
    """Feeds each run, as it begins, the recorded groups that its policy has not learned from, in their order."""

    steps = STEPS
    """There are groups for so many: the next one waits."""

    def __init__(self, url: str, recording: Path) -> None:
        self._queue, self._groups = Queue(connect(url)), recorded(recording)
        self._stop, self._thread = threading.Event(), threading.Thread(target=self._run)
        self.error: BaseException | None = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        fed = ("", 0)
        try:
            while not self._stop.wait(0.02):
                run_id, steps = self._queue.current_run(), self.steps
                if run_id and (run_id, steps) != fed:
                    self._feed(run_id, steps)
                    fed = (run_id, steps)
        except BaseException as error:  # noqa: BLE001  (shown by the test's own thread)
            self.error = error

    def _feed(self, run_id: str, steps: int) -> None:
        known = self._queue.ledger(run_id)
        for ordinal, group in enumerate(self._groups[: steps * GROUPS]):
            if ordinal in known:
                continue
            group.task.run_id = run_id
            for trajectory in group.trajectories:
                trajectory.versions[0].lineage = lineage_of(run_id)
            self._queue.issue(group.task)
        for stream, following in ((TASKS, ROLLOUTS), (ROLLOUTS, READY)):
            for message_id, data in self._queue.take(stream, "replay", STEPS * GROUPS, 0):
                task = (trajectory_pb2.GroupTask if stream == TASKS else trajectory_pb2.Group).FromString(data)
                moved = self._groups[task.ordinal] if stream == TASKS else task
                self._queue.hand_off(stream, message_id, moved, following)


class Forks:
    """Trainers, forked from a process that has done the imports."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._environment, self.log = environment, folder / "trainers.log"
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "trainer_forks.py")],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # a line that was read ahead would not be waited for
            start_new_session=True,
        )

    def __enter__(self):
        assert self._said() == {"ready": True}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):  # trainers whose test has failed, too
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def start(self, request: wire.StartPhaseRequest, ranks: int, kill_at_line: int = 0) -> list[int]:
        """The ranks' process ids."""
        told = {
            "ranks": ranks,
            "port": free_ports(1)[0],
            "request": request.SerializeToString().hex(),
            "environment": self._environment,
            "kill_at_line": kill_at_line,
            "log": str(self.log),
        }
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        return self._said()["pids"]

    def over(self, seconds: float) -> bool:
        """True once they have ended, false after `seconds`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def ended(self) -> list[int]:
        """Waits for the exit status of each rank."""
        return self._said()["ended"]

    def _said(self) -> dict:
        assert self.over(PATIENCE), f"waited {PATIENCE} s: {self._tail()}"
        line = self._process.stdout.readline()
        assert line, self._tail()
        return json.loads(line)

    def _tail(self) -> str:
        return self.log.read_text()[-4000:] if self.log.exists() else "no trainer has said anything"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    manifest = write_data(folder)
    toy = recipe_of(write_recipe(folder, manifest)).model.toy
    make_toy(str(folder / "model"), toy, ["How many beeps? one two I hear a beep."], 1)
    record(folder / "recording", str(folder / "model"), manifest)
    with RedisServer("queue", folder / "queue") as queue, RedisServer("weights", folder / "weights") as weights:
        environment = {"EW_QUEUE_URL": queue.url, "EW_WEIGHTS_URLS": weights.url, "EW_NAME": "trainer"}
        with Forks(folder, environment) as forks, Replay(queue.url, folder / "recording") as replay:
            yield folder, manifest, forks, replay, Queue(connect(queue.url))


def request_of(folder: Path, manifest: str, job: str, tensor: int) -> wire.StartPhaseRequest:
    recipe = write_recipe(
        folder,
        manifest,
        tensor=tensor,
        steps=STEPS,
        groups_per_step=GROUPS,
        sampling={"samples": SAMPLES, "temperature": 0.7, "max_tokens": 16},
        updates_per_step=1,
        checkpoint_every=1,
    )
    return wire.StartPhaseRequest(
        job_id=job,
        recipe_yaml=recipe,
        stage_index=1,
        phase="train",
        model_uri=str(folder / "model"),
        checkpoint_uri=str(folder / job),
    )


@dataclass
class Pace:
    """Of a run that nobody kills, seconds."""

    start: float
    """Until its first checkpoint."""
    step: float


def kill_until_done(scene, job: str, ranks: int, kills: int, pace: Pace) -> list[int]:
    """Starts the phase again and again and kills it `kills` times; the steps that it had saved at each kill.

    It gets groups for a few steps at a time, so that it is not over before it has been killed often enough.
    """
    folder, manifest, forks, replay, _ = scene
    request = request_of(folder, manifest, job, tensor=ranks)
    chance = random.Random(20)
    newest: list[int] = []
    for attempt in range(kills):
        replay.steps = min(attempt + FED, STEPS - 1)
        by_line = attempt % 2 == 1
        pids = forks.start(request, ranks, chance.randint(1, LINES) if by_line else 0)
        if by_line:  # which it may not reach before it waits for groups
            if not forks.over(2 * pace.start + FED * pace.step):
                kill(chance.choice(pids))
        else:
            waits = newest[-1:] == [replay.steps]
            starts = waits or (chance.random() < 0.5 and attempt < kills - 2)
            kill_by_clock(folder / job, pids, chance, pace, starts)
        ended = forks.ended()
        assert -signal.SIGKILL in ended and set(ended) <= {0, -signal.SIGKILL}, (ended, forks._tail())
        there = checkpoints_in(folder / job)
        newest.append(max((verify(path).step for path in there), default=0))  # every one that is there is whole
        assert newest == sorted(newest), "a checkpoint that counted is gone"
    replay.steps = STEPS
    forks.start(request, ranks)
    assert forks.ended() == [0] * ranks, forks._tail()
    return newest


def kill_by_clock(checkpoints: Path, pids: list[int], chance: random.Random, pace: Pace, starts: bool) -> None:
    """Anywhere in the start, or within a step after the first checkpoint of this attempt."""
    before, limit = checkpoints_in(checkpoints)[-1:], time.monotonic() + PATIENCE
    if starts:  # a start may be faster than the one that was timed: not beyond its first checkpoint
        until = time.monotonic() + chance.uniform(0, pace.start)
        while time.monotonic() < until and checkpoints_in(checkpoints)[-1:] == before:
            time.sleep(0.002)
    else:
        while checkpoints_in(checkpoints)[-1:] == before:
            assert time.monotonic() < limit, f"waited {PATIENCE} s for a checkpoint after {before}"
            time.sleep(0.002)
        time.sleep(chance.uniform(0, pace.step))
    kill(chance.choice(pids))


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it has just killed itself
        os.kill(pid, signal.SIGKILL)


def same(one: Path, other: Path, ranks: int) -> None:
    """Weights, optimizer state, random states and the exported model are equal to the bit."""
    with Pieces(one) as first, Pieces(other) as second:
        files = [first._files[f"rank-{rank:05d}.safetensors"] for rank in range(ranks)]
        names = [(name, rank) for rank, file in enumerate(files) for name in file.keys()]  # noqa: SIM118
        assert len(names) > 200
        assert [n for n in names if not torch.equal(first.own(*n), second.own(*n))] == []
    for file in (one / "hf").iterdir():
        assert file.read_bytes() == (other / "hf" / file.name).read_bytes(), file


@pytest.mark.parametrize(("ranks", "kills"), [(1, 20), (2, 6)])
def test_killed_at_random_points_the_run_ends_as_if_never_killed(scene, ranks, kills):
    folder, manifest, forks, replay, queue = scene
    replay.steps = STEPS
    whole, cut = f"whole-{ranks}", f"cut-{ranks}"
    started = time.monotonic()
    forks.start(request_of(folder, manifest, whole, ranks), ranks)
    while not checkpoints_in(folder / whole):
        assert time.monotonic() < started + PATIENCE, f"waited {PATIENCE} s for a checkpoint: {forks._tail()}"
        time.sleep(0.01)
    first = time.monotonic() - started
    assert forks.ended() == [0] * ranks, forks._tail()
    seconds = time.monotonic() - started
    expected = queue.ledger(f"{whole}/1-train/0")

    newest = kill_until_done(scene, cut, ranks, kills, Pace(first, (seconds - first) / (STEPS - 1)))
    cost = time.monotonic() - started - seconds
    print(f"\n{ranks} ranks: {seconds:.1f} s whole; {cost:.1f} s with {len(newest)} kills, after checkpoints {newest}")
    assert newest[-1] > newest[0]  # it was killed here and there, not always at the start
    last = f"step-{STEPS:08d}"
    same(folder / whole / last, folder / cut / last, ranks)
    progress, other = verify(folder / whole / last), verify(folder / cut / last)
    assert (progress.used, progress.version) == (other.used, other.version)
    assert 0 < other.lineage <= kills
    ledger = queue.ledger(f"{cut}/1-train/{other.lineage}")
    assert ledger == expected and set(ledger) == set(range(STEPS * GROUPS))
