"""Killed workers, lost replies and a restarted Redis: after each, the ledger is exact and the work gets done."""

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from earwitness.admission import admit
from earwitness.queue import READY, ROLLOUTS, SCORED, TASKS, AsyncQueue, Queue, commands, scripts
from earwitness.redis_server import RedisServer, connect, connect_async
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import PATIENCE, ROOT, wait_for
from tests.integration.queue_kit import CLAIM_IDLE_MS as LONG_MS
from tests.integration.queue_kit import fall_silent
from tests.integration.queue_worker import CLAIM_IDLE_MS, POINTS, STATIONS
from tests.integration.resp_proxy import RespProxy

RUN = "job/1-train/0"
WORKER = (sys.executable, "-m", "tests.integration.queue_worker")
SCRIPTS = ("open_run", "close_run", "issue", "take", "hand_off", "drop", "use")


@pytest.fixture
def server(tmp_path):
    with RedisServer("queue", tmp_path) as running:
        yield running


@pytest.fixture
def queue(server):
    client = connect(server.url)
    for name in SCRIPTS:  # so that a fault hits the script itself and not the reply that it is unknown
        client.script_load(scripts.script_source(name)[0])
    return Queue(client, CLAIM_IDLE_MS)


@pytest.fixture
def proxy(server):
    with RespProxy(server.url) as running:
        yield running


def task(ordinal, run_id=RUN):
    return trajectory_pb2.GroupTask(run_id=run_id, ordinal=ordinal)


def group(ordinal, run_id=RUN):
    return trajectory_pb2.Group(task=task(ordinal, run_id))


def script(name):
    """Matches the calls of one script."""
    source, digest = scripts.script_source(name)
    return lambda command: command[1:2] in ([source.encode()], [digest.encode()])


def written(server):
    persistence = connect(server.url).info("persistence")
    return persistence["aof_buffer_length"] == persistence["aof_pending_bio_fsync"] == 0


@contextmanager
def process(url, *arguments):
    running = subprocess.Popen([*WORKER, url, *arguments], cwd=ROOT)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def assert_consistent(queue, run_id):
    ledger, counts = queue.ledger(run_id), queue.counts(run_id)
    kinds = Counter(state.split(":")[0] for state in ledger.values())
    assert {kind: getattr(counts, kind) for kind in kinds} == kinds
    assert counts.total == len(ledger)
    for lag in queue.lag():
        assert lag.waiting + lag.pending == kinds[commands.STATE_OF[lag.stream]], lag


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("station", ["rollout", "reward"])
def test_a_worker_killed_at_any_point_loses_and_repeats_nothing(server, queue, station, point):
    stream_from, stream_to = STATIONS[station]
    queue.open_run(RUN)
    for ordinal in (1, 2):  # the first kills its worker; the second, taken with it, must not be lost either
        queue.issue(task(ordinal))
        if station == "reward":
            (taken,) = queue.take(TASKS, "test", 1, 0)
            queue.hand_off(TASKS, taken.message_id, group(ordinal), ROLLOUTS)
    with process(server.url, station, "victim", point) as victim:
        assert victim.wait() == -9
    done = commands.STATE_OF[stream_to]
    reached = done if point in ("sent", "handed_off") else commands.STATE_OF[stream_from]
    wait_for("what was sent to take effect", lambda: queue.ledger(RUN)[1] == reached)
    with process(server.url, station, "heir"):
        wait_for("the heir to finish the victim's work", lambda: set(queue.ledger(RUN).values()) == {done})
    taken = queue.take(stream_to, "test", 9, 0)
    assert sorted(trajectory_pb2.Group.FromString(data).task.ordinal for _, data in taken) == [1, 2]
    assert_consistent(queue, RUN)


class Trainer:
    """Issues by the admission rule and consumes `per_step` groups a step; its checkpoint is all that survives it."""

    def __init__(self, queue, checkpoint, lineage, per_step=4):
        # Its own work is never old: it would be given again what it holds, after a pause between renewal and take.
        self.queue, self.per_step, self.run = Queue(queue._client, LONG_MS), per_step, f"job/1-train/{lineage}"
        self.used = dict(checkpoint)
        self.step = len(checkpoint) // per_step
        self.held = []
        queue.open_run(self.run, used=checkpoint)
        self.ordinals = itertools.count()

    def work(self):
        counts = self.queue.counts(self.run)
        for _ in range(admit(12, counts.running, 0, self.step, self.per_step, counts.accepted)):
            while not self.queue.issue(task(next(self.ordinals), self.run)):
                pass
        self.queue.renew(READY, self.run, [message_id for message_id, _ in self.held])
        for message_id, data in self.queue.take(READY, self.run, self.per_step - len(self.held), 100):
            self.held.append((message_id, trajectory_pb2.Group.FromString(data).task.ordinal))
        if len(self.held) == self.per_step:
            self.queue.use(self.run, self.step, self.held)
            for _, ordinal in self.held:
                assert ordinal not in self.used, f"ordinal {ordinal} took effect twice"
                self.used[ordinal] = self.step
            self.held, self.step = [], self.step + 1


@pytest.mark.parametrize("seed", [1, 2])
def test_chaos_uses_every_ordinal_once_or_drops_it_with_a_reason(server, queue, seed):
    """Workers of all stations kill themselves and are killed at random; the trainer restarts from a checkpoint."""
    chance = random.Random(seed)
    stations = ["rollout", "rollout", "reward", "reference"]
    births = itertools.count()
    workers, deaths = {}, 0

    def keep_alive():
        nonlocal deaths
        for lane, station in enumerate(stations):
            worker = workers.get(lane)
            if worker is not None and chance.random() < 0.01:
                worker.kill()
            if worker is None or worker.poll() is not None:
                deaths += worker is not None
                birth = next(births)
                arguments = [server.url, station, f"{station}-{birth}", str(1000 * seed + birth)]
                workers[lane] = subprocess.Popen([*WORKER, *arguments], cwd=ROOT)

    checkpoint = {}
    try:
        for lineage, steps in enumerate((6, 10)):
            trainer = Trainer(queue, checkpoint, lineage)
            deadline = time.monotonic() + PATIENCE
            while trainer.step < steps or (lineage and deaths < 3):  # who dies when is a matter of chance
                assert time.monotonic() < deadline, f"waited {PATIENCE} s for step {steps} of lineage {lineage}"
                keep_alive()
                trainer.work()
                if trainer.step == 4:
                    checkpoint = dict(trainer.used)
            assert_consistent(queue, trainer.run)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    ledger = queue.ledger(trainer.run)
    assert {ordinal: int(state[5:]) for ordinal, state in ledger.items() if state.startswith("used:")} == trainer.used
    assert set(Counter(trainer.used.values()).values()) == {trainer.per_step}
    assert sorted(ledger) == list(range(len(ledger))), "an ordinal was skipped"
    reasons = {state for state in ledger.values() if state.startswith("dropped:")}
    assert all(reason == "dropped:all wrong" or "dead letter" in reason for reason in reasons)
    old = queue.ledger("job/1-train/0")
    assert {state.split(":")[0] for state in old.values()} <= {"used", "dropped"}


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_a_restarted_redis_goes_on_with_the_queue(server, queue, crash):
    queue.open_run(RUN)
    for ordinal in range(6):
        queue.issue(task(ordinal))
    first, second = queue.take(TASKS, "w", 2, 0)
    queue.hand_off(TASKS, first.message_id, group(0), ROLLOUTS)
    ledger, lag = queue.ledger(RUN), queue.lag()
    if crash:  # a slow disk may delay what the append-only file gets: that much a crash can lose
        wait_for("the append-only file to be written", lambda: written(server))
        server.kill()
    else:
        server.stop()
    server.start()
    assert (queue.ledger(RUN), queue.lag()) == (ledger, lag)
    assert queue.hand_off(TASKS, first.message_id, group(0), ROLLOUTS) == "duplicate"
    assert queue.hand_off(TASKS, second.message_id, group(1), ROLLOUTS) == "ok"
    assert len(queue.take(TASKS, "w", 9, 0)) == 4
    assert_consistent(queue, RUN)


def test_workers_live_through_a_restart_of_redis(server, queue):
    """Nobody is restarted but Redis: clients try again until it is back."""
    trainer = Trainer(queue, {}, 0)
    with (
        process(server.url, "rollout", "a"),
        process(server.url, "reward", "b"),
        process(server.url, "reference", "c") as last,
    ):
        for steps in (2, 4, 6):
            deadline = time.monotonic() + PATIENCE
            while trainer.step < steps:
                assert time.monotonic() < deadline, f"waited {PATIENCE} s for step {steps}"
                trainer.work()
            server.stop()
            server.start()
        assert last.poll() is None
    assert_consistent(queue, trainer.run)


def test_a_hand_off_whose_reply_is_lost_counts_once(proxy, queue):
    behind = Queue(connect(proxy.url), CLAIM_IDLE_MS)
    queue.open_run(RUN)
    queue.issue(task(0))
    (taken,) = behind.take(TASKS, "w", 1, 0)
    proxy.once(script("hand_off"), "lose_reply")
    assert behind.hand_off(TASKS, taken.message_id, group(0), ROLLOUTS) == "duplicate"  # its own first attempt
    assert proxy.broken == 1
    assert queue.lag()[1] == (ROLLOUTS, 1, 0)
    assert_consistent(queue, RUN)


def test_a_hand_off_that_never_arrives_is_sent_again(proxy, queue):
    async def hand_off():
        client = await connect_async(proxy.url)
        behind = AsyncQueue(client, CLAIM_IDLE_MS)
        (taken,) = await behind.take(TASKS, "w", 1, 0)
        proxy.once(script("hand_off"), "lose_command")
        outcome = await behind.hand_off(TASKS, taken.message_id, group(0), ROLLOUTS)
        await client.aclose()
        return outcome

    queue.open_run(RUN)
    queue.issue(task(0))
    assert asyncio.run(hand_off()) == "ok"
    assert proxy.broken == 1
    assert_consistent(queue, RUN)


@pytest.mark.parametrize("name", ["open_run", "issue", "drop", "use", "close_run"])
def test_every_other_change_may_lose_its_reply_too(proxy, queue, name):
    behind = Queue(connect(proxy.url), CLAIM_IDLE_MS)
    proxy.once(script(name), "lose_reply")
    behind.open_run(RUN, used={9: 0})
    for ordinal in (0, 1):
        behind.issue(task(ordinal))
    drop, keep = behind.take(TASKS, "w", 2, 0)
    behind.drop(TASKS, drop.message_id, RUN, 0, "all wrong")
    behind.hand_off(TASKS, keep.message_id, group(1), READY)
    (ready,) = behind.take(READY, "t", 1, 0)
    behind.use(RUN, 1, [(ready.message_id, 1)])
    assert queue.ledger(RUN) == {9: "used:0", 0: "dropped:all wrong", 1: "used:1"}
    assert_consistent(queue, RUN)
    behind.close_run(RUN)
    assert queue.current_run() == ""
    assert proxy.broken == 1


def test_entries_whose_delivery_was_lost_are_claimed_later(proxy, queue):
    behind = Queue(connect(proxy.url), LONG_MS)
    queue.open_run(RUN)
    queue.issue(task(0))
    proxy.once(script("take"), "lose_reply")
    assert behind.take(TASKS, "w", 1, 0) == []
    fall_silent(queue._client, TASKS)
    assert len(behind.take(TASKS, "w", 1, 0)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_breaks_at_random_stays_exact(proxy, queue, seed):
    """One in eight commands loses itself or its reply, all stations in one process."""
    chance = random.Random(seed)
    behind = Queue(connect(proxy.url), claim_idle_ms=1)
    behind.open_run(RUN)
    proxy.always(lambda command: chance.choice(["lose_reply", "lose_command"]) if chance.random() < 0.12 else None)
    path = [(TASKS, ROLLOUTS), (ROLLOUTS, SCORED), (SCORED, READY)]
    for ordinal in range(8):
        behind.issue(task(ordinal))
    used = []
    deadline = time.monotonic() + PATIENCE
    while queue.counts(RUN).running or queue.counts(RUN).ready:
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for the groups to pass"
        for stream_from, stream_to in path:
            for message_id, data in behind.take(stream_from, "w", 3, 0):
                ordinal = (trajectory_pb2.GroupTask if stream_from == TASKS else trajectory_pb2.Group).FromString(data)
                ordinal = ordinal.ordinal if stream_from == TASKS else ordinal.task.ordinal
                behind.hand_off(stream_from, message_id, group(ordinal), stream_to)
        for message_id, data in behind.take(READY, "t", 3, 0):
            ordinal = trajectory_pb2.Group.FromString(data).task.ordinal
            behind.use(RUN, ordinal, [(message_id, ordinal)])
            used.append(ordinal)
    finished = queue.ledger(RUN)
    assert len(finished) == 8
    assert sorted(used) == sorted(ordinal for ordinal, state in finished.items() if state.startswith("used:"))
    assert all(state.startswith(("used:", "dropped:dead letter")) for state in finished.values())
    assert_consistent(queue, RUN)
