"""Processes and servers that die in the middle of a sync, or run full: what is left is a version, whole, or none."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from earwitness.errors import InfrastructureError
from earwitness.redis_bulk import connect_bulk
from earwitness.redis_server import RedisServer
from earwitness.weights import HostCopy, MissingVersion, WeightPart, WeightPublisher, WeightReader
from earwitness.weights.assembly import Answer, Verb
from earwitness.weights.names import LEASES
from tests.integration.process_kit import PATIENCE
from tests.integration.weights.weights_kit import LINEAGE, Policy, held, kinds, published

ERROR_SECONDS = 12.0
"""A shard that is down is told within 5 s a command; a publish or a fetch is at most two in a row. The rest is slack
for a busy machine."""
DOWN_SECONDS = 30.0


@pytest.fixture
def servers(tmp_path):
    with ExitStack() as stack:
        yield [stack.enter_context(RedisServer("weights", tmp_path / f"shard-{i}")) for i in range(2)]


def killed_when_ready(target, *arguments):
    """Runs `target(*arguments, ready)` in a process that is killed when it sets `ready`."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=target, args=(*arguments, ready))
    process.start()
    try:
        assert ready.wait(PATIENCE), f"waited {PATIENCE} s for {target.__name__}"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


@pytest.mark.usefixtures("gives_up_on_redis")
@pytest.mark.parametrize("down", [0, 1])
def test_a_shard_that_is_down_for_30_s_is_told_soon_and_all_goes_on_when_it_is_back(servers, down):
    """Publisher and reader try again and again, as trainer and worker do; each attempt ends with the error."""
    urls = [server.url for server in servers]
    publisher, reader = WeightPublisher(urls, LINEAGE), WeightReader(urls)
    policy, copy, late = Policy(), HostCopy(), HostCopy()
    history = published(publisher, policy, range(2))
    copy.catch_up(reader, LINEAGE, 0)
    servers[down].kill()
    policy.step()
    until = time.monotonic() + DOWN_SECONDS

    def failing(work):
        """Seconds of each attempt."""
        seconds = []
        while (started := time.monotonic()) < until:
            with pytest.raises(InfrastructureError):
                work()
            seconds.append(time.monotonic() - started)
        return seconds

    with ThreadPoolExecutor(2) as both:
        publishing = both.submit(failing, lambda: publisher.publish(2, policy.tensors()))
        fetching = both.submit(failing, lambda: late.catch_up(reader, LINEAGE, 1))
        seconds = [publishing.result(DOWN_SECONDS + ERROR_SECONDS), fetching.result(ERROR_SECONDS)]
    assert all(attempts and max(attempts) < ERROR_SECONDS for attempts in seconds), seconds
    assert late.held is None and held(copy) == {**history[0]}  # what a worker serves, it goes on serving
    servers[down].start()  # empty, since shards keep nothing
    publisher.publish(2, policy.tensors())
    assert kinds(reader, [2]) == "a"
    for one in (copy, late):
        one.catch_up(reader, LINEAGE, 2)
        assert held(one) == policy.bytes()
    history = published(publisher, policy, [3])
    assert kinds(reader, [3]) == "d"
    copy.catch_up(reader, LINEAGE, 3)
    assert held(copy) == history[3]


def test_a_shard_that_restarted_empty_between_two_versions_costs_an_anchor(servers):
    urls = [server.url for server in servers]
    publisher, reader = WeightPublisher(urls, LINEAGE), WeightReader(urls)
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(2))
    copy.catch_up(reader, LINEAGE, 1)
    servers[1].kill()
    servers[1].start()
    with pytest.raises(MissingVersion, match="is gone"):
        HostCopy().catch_up(reader, LINEAGE, 1)
    assert not publisher.has(1)
    history = published(publisher, policy, [2])
    assert kinds(reader, [2]) == "a"
    for one in (copy, HostCopy()):
        one.catch_up(reader, LINEAGE, 2)
        assert held(one) == history[2]


def publish_and_stop_before_the_manifest(urls, whole, ready):
    publisher, policy = WeightPublisher(urls, LINEAGE), Policy()
    published(publisher, policy, range(2))

    def stop(*_):
        ready.set()
        signal.pause()

    publisher.commit = stop
    publisher.publish(2, policy.step(0.9 if whole else 0.01).tensors())


@pytest.mark.parametrize("whole", [False, True])
def test_a_publisher_killed_between_chunks_and_manifest_leaves_nothing_that_can_be_read(urls, shards, whole):
    killed_when_ready(publish_and_stop_before_the_manifest, urls, whole)
    reader = WeightReader(urls)
    assert reader.latest() == (LINEAGE, 1)
    assert any(True for shard in shards for _ in shard.scan_iter(f"ew:w:{LINEAGE}:2:*")), "no chunk was written"
    with pytest.raises(MissingVersion):
        reader.manifest(LINEAGE, 2)
    policy, copy = Policy(), HostCopy()
    policy.step().step()
    copy.catch_up(reader, LINEAGE, 1)
    assert held(copy) == policy.bytes()
    successor = WeightPublisher(shards, "job/2")
    history = published(successor, policy, range(2, 4))
    copy.catch_up(reader, "job/2", 3)
    assert held(copy) == history[3]
    assert not any(True for shard in shards for _ in shard.scan_iter(f"ew:w:{LINEAGE}:2:*"))  # swept


def read_and_stop_in_the_middle(urls, ready):
    reader, copy = WeightReader(urls), HostCopy()
    reader.lease("rollout-0", LINEAGE, 1)
    tensors = reader.fetch(reader.chain(LINEAGE, 1)[0])
    copy.tensors = {next(tensors)[0].name: None}
    ready.set()
    signal.pause()


def test_a_reader_killed_while_loading_holds_up_nobody(urls, shards):
    publisher, reader = WeightPublisher(shards, LINEAGE, anchor_every=2), WeightReader(shards)
    policy, copy = Policy(), HostCopy()
    published(publisher, policy, range(2))
    killed_when_ready(read_and_stop_in_the_middle, urls)
    history = published(publisher, policy, range(2, 6))
    reader.lease("rollout-1", LINEAGE, 5)
    copy.catch_up(reader, LINEAGE, 5)
    assert held(copy) == history[5]
    assert kinds(reader, [0, 1]) == "ad"  # kept for the dead one, for the minute of its lease
    reader.lease("rollout-0", LINEAGE, 5)  # it came back under its name; or else:
    shards[0].hset(LEASES, "rollout-0", f"1 {LINEAGE} 1")  # its minute is over
    published(publisher, policy, [6])
    for version in (0, 1):
        with pytest.raises(MissingVersion):
            reader.manifest(LINEAGE, version)


def test_a_full_shard_costs_the_version_and_no_other(tmp_path):
    """`noeviction`: the write is refused. When there is room again the same version is a delta on what stayed."""
    policy, copy = Policy(), HostCopy()
    room = 4 * sum(map(len, policy.bytes().values()))
    with RedisServer("weights", tmp_path, max_memory_bytes=room) as server:
        publisher, reader = WeightPublisher([server.url], LINEAGE), WeightReader([server.url])
        history = published(publisher, policy, range(2))
        client = connect_bulk(server.url)
        client.config_set("maxmemory", 1_000_000)  # less than it holds
        policy.step()
        started = time.monotonic()
        with pytest.raises(InfrastructureError, match="maxmemory"):
            publisher.publish(2, policy.tensors())
        assert time.monotonic() - started < ERROR_SECONDS
        assert reader.latest() == (LINEAGE, 1)
        copy.catch_up(reader, LINEAGE, 1)
        assert held(copy) == history[1]
        client.config_set("maxmemory", room)
        publisher.publish(2, policy.tensors())
        assert kinds(reader, [2]) == "d"
        copy.catch_up(reader, LINEAGE, 2)
        assert held(copy) == policy.bytes()


def test_a_part_that_fails_commits_nothing_for_any_rank(shards):
    """Two ranks; the second's shard is full. The next version is a delta on the bits that both committed before."""
    publisher, reader = WeightPublisher(shards, LINEAGE), WeightReader(shards)
    policies = [Policy(seed, large=4000) for seed in range(2)]
    for rank, policy in enumerate(policies):
        policy.bits = {f"{name}.{rank}": bits for name, bits in policy.bits.items()}
    parts = [WeightPart(shards, LINEAGE, rank) for rank in range(2)]
    copy = HostCopy()
    for version in range(4):
        tensors = [list(policy.step().tensors()) for policy in policies]
        orders = publisher.assemble(version)
        order = next(orders)
        assert order.verb is (Verb.WHOLE if version == 0 else Verb.DELTA)
        answers = [Answer(p.obey(order.verb, version, t)) for p, t in zip(parts, tensors, strict=True)]
        if version == 2:
            answers[1] = Answer(problem="shard 1 is full")
        order = orders.send(answers)
        assert (order.verb, order.problem) == ((Verb.LEAVE, "shard 1 is full") if version == 2 else (Verb.KEEP, ""))
        for part in parts:
            part.end(order.verb)
        if version != 2:
            copy.catch_up(reader, LINEAGE, version)
            assert held(copy) == policies[0].bytes() | policies[1].bytes()
    assert [reader.manifest(LINEAGE, v).base_version for v in (1, 3)] == [0, 1]
