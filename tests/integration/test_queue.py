"""The queue's promises against a real Redis, for the blocking and the asyncio client alike."""

import inspect
from itertools import pairwise

import pytest

from earwitness.queue import (
    READY,
    ROLLOUTS,
    SCORED,
    STREAMS,
    TASKS,
    AlreadyUsedError,
    AsyncQueue,
    Counts,
    PayloadTooLargeError,
    Queue,
    StaleRunError,
    commands,
)
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.queue_kit import (
    RUN,
    assert_consistent,
    bring_to_ready,
    client,
    fall_silent,
    group,
    queue,
    server,
    take_one,
    task,
)

__all__ = ["client", "queue", "server"]


def test_both_clients_have_the_same_methods():
    def public(cls):
        methods = inspect.getmembers(cls, inspect.isfunction)
        return {name: str(inspect.signature(method)) for name, method in methods if name == name.lstrip("_")}

    assert public(Queue) == public(AsyncQueue)


def test_a_group_passes_every_station_once(queue):
    queue.open_run(RUN)
    assert queue.issue(task(0))
    for stream_from, stream_to in pairwise(STREAMS):
        taken = take_one(queue, stream_from)
        assert queue.hand_off(stream_from, taken.message_id, group(0), stream_to) == "ok"
        assert queue.ledger(RUN) == {0: commands.STATE_OF[stream_to]}
        assert_consistent(queue)
    taken = take_one(queue, READY)
    assert trajectory_pb2.Group.FromString(taken.data) == group(0)
    queue.use(RUN, 7, [(taken.message_id, 0)])
    assert queue.ledger(RUN) == {0: "used:7"}
    assert queue.counts(RUN) == Counts(used=1)
    assert_consistent(queue)


def test_an_ordinal_is_issued_once_and_only_for_the_current_run(queue):
    assert not queue.issue(task(0))
    queue.open_run(RUN)
    assert [queue.issue(task(0)), queue.issue(task(0)), queue.issue(task(0, "other"))] == [True, False, False]
    assert queue.lag()[0] == (TASKS, 1, 0)
    assert_consistent(queue)


def test_two_results_of_one_ordinal_count_once(queue, client):
    queue.open_run(RUN)
    queue.issue(task(0))
    slow = take_one(queue, TASKS, "slow")
    fall_silent(client, TASKS)
    quick = take_one(queue, TASKS, "quick")
    assert quick == slow
    assert queue.hand_off(TASKS, quick.message_id, group(0), ROLLOUTS) == "ok"
    assert queue.hand_off(TASKS, slow.message_id, group(0), ROLLOUTS) == "duplicate"
    assert queue.drop(TASKS, slow.message_id, RUN, 0, "late") == "duplicate"
    taken = take_one(queue, ROLLOUTS)
    assert queue.drop(ROLLOUTS, taken.message_id, RUN, 0, "all wrong") == "ok"
    assert queue.hand_off(ROLLOUTS, taken.message_id, group(0), SCORED) == "duplicate"
    assert queue.drop(ROLLOUTS, taken.message_id, RUN, 0, "again") == "duplicate"
    assert queue.ledger(RUN) == {0: "dropped:all wrong"}
    assert_consistent(queue)


def test_late_results_of_an_old_run_are_stale(queue):
    queue.open_run(RUN)
    queue.issue(task(0))
    queue.issue(task(1))
    taken = take_one(queue, TASKS)
    queue.open_run("job/0-train/2", used={5: 3})
    assert queue.issue(task(0, "job/0-train/2"))
    assert queue.hand_off(TASKS, taken.message_id, group(0), ROLLOUTS) == "stale"
    assert queue.drop(TASKS, taken.message_id, RUN, 0, "late") == "stale"
    with pytest.raises(StaleRunError, match=r"current is 'job/0-train/2'"):
        queue.use(RUN, 1, [(taken.message_id, 0)])
    assert set(queue.ledger(RUN).values()) == {"dropped:superseded by job/0-train/2"}
    assert queue.ledger("job/0-train/2") == {5: "used:3", 0: "issued"}
    assert_consistent(queue)
    assert_consistent(queue, "job/0-train/2")


def test_an_unknown_ordinal_is_stale(queue):
    queue.open_run(RUN)
    assert queue.hand_off(TASKS, "1-1", group(9), ROLLOUTS) == "stale"
    assert queue.ledger(RUN) == {}


def test_opening_the_current_run_again_keeps_what_is_in_flight(queue):
    queue.open_run(RUN)
    for ordinal in range(4):
        queue.issue(task(ordinal))
    queue.drop(TASKS, take_one(queue, TASKS).message_id, RUN, 0, "first reason")
    queue.open_run(RUN, used={1: 0, 8: 0}, dropped={0: "second reason", 9: "closed"})
    assert queue.ledger(RUN) == {
        0: "dropped:first reason", 1: "used:0", 2: "issued", 3: "issued", 8: "used:0", 9: "dropped:closed"
    }  # fmt: skip
    assert queue.counts(RUN).running == 2
    late = take_one(queue, TASKS)  # ordinal 1, which is used by now
    assert queue.hand_off(TASKS, late.message_id, group(1), ROLLOUTS) == "duplicate"
    assert_consistent(queue)


def test_closing_a_run_drops_what_is_in_flight(queue, client):
    queue.open_run(RUN)
    message, ordinal = bring_to_ready(queue, 0)
    queue.use(RUN, 1, [(message, ordinal)])
    queue.issue(task(1))
    queue.close_run(RUN)
    assert queue.current_run() == ""
    assert queue.ledger(RUN) == {0: "used:1", 1: "dropped:closed"}
    assert all(lag.waiting == lag.pending == 0 for lag in queue.lag())
    assert not queue.issue(task(2))
    assert 0 < client.ttl("ew:ledger:" + RUN) <= commands.RUN_KEPT_SECONDS
    assert_consistent(queue)
    queue.close_run(RUN)  # again: nothing
    queue.open_run(RUN, used={0: 1})  # a closed run starts afresh from what its owner knows
    assert queue.ledger(RUN) == {0: "used:1"}
    assert client.ttl("ew:ledger:" + RUN) == -1


def test_closing_a_run_says_what_the_server_forgot(queue):
    """After a crash of Redis the trainer knows what it has used; what was issued between that is gone with a second."""
    queue.open_run(RUN, used={1: 1, 4: 2}, dropped={2: "all wrong"})
    queue.close_run(RUN)
    assert queue.ledger(RUN) == {
        0: "dropped:forgotten", 1: "used:1", 2: "dropped:all wrong", 3: "dropped:forgotten", 4: "used:2"
    }  # fmt: skip
    assert_consistent(queue)


def test_use_is_all_or_nothing(queue):
    queue.open_run(RUN)
    first, second = bring_to_ready(queue, 0), bring_to_ready(queue, 1)
    queue.issue(task(2))
    (taken,) = queue.take(TASKS, "w", 1, 0)
    queue.drop(TASKS, taken.message_id, RUN, 2, "bad clip")
    with pytest.raises(AlreadyUsedError, match=r"ordinal 2 .* 'dropped:bad clip'"):
        queue.use(RUN, 1, [first, second, ("1-1", 2)])
    with pytest.raises(AlreadyUsedError, match="twice in one step"):
        queue.use(RUN, 1, [first, first])
    assert queue.counts(RUN).ready == 2
    queue.use(RUN, 1, [first, second])
    queue.use(RUN, 1, [first, second])  # a repetition after a lost reply
    with pytest.raises(AlreadyUsedError, match="'used:1'"):
        queue.use(RUN, 2, [second])
    assert queue.counts(RUN) == Counts(dropped=1, used=2)
    assert_consistent(queue)


def test_work_that_kills_its_workers_goes_to_the_dead_letters(queue, client):
    queue.open_run(RUN)
    queue.issue(task(0))
    queue.issue(task(1))
    for delivery in range(commands.MAX_DELIVERIES):
        assert len(queue.take(TASKS, f"victim-{delivery}", 2, 0)) == 2
        fall_silent(client, TASKS)
    assert queue.take(TASKS, "survivor", 2, 0) == []
    first, second = queue.dead_letters()
    assert (first.stream, first.run_id, first.ordinal, second.ordinal) == (TASKS, RUN, 0, 1)
    assert trajectory_pb2.GroupTask.FromString(first.data) == task(0)
    assert queue.ledger(RUN)[0] == f"dropped:{first.reason}"
    assert "dead letter: 3 deliveries from ew:tasks" in first.reason
    assert queue.counts(RUN) == Counts(dropped=2)
    assert_consistent(queue)


def test_renewed_work_is_not_stolen_and_not_counted(queue, client):
    queue.open_run(RUN)
    queue.issue(task(0))
    taken = take_one(queue, TASKS, "busy")
    for _ in range(2 * commands.MAX_DELIVERIES):
        fall_silent(client, TASKS)
        assert queue.renew(TASKS, "busy", [taken.message_id]) == [taken.message_id]
        assert queue.take(TASKS, "thief", 1, 0) == []
    fall_silent(client, TASKS)
    assert take_one(queue, TASKS, "thief") == taken
    assert queue.renew(TASKS, "busy", [taken.message_id]) == []
    assert queue.renew(TASKS, "thief", [taken.message_id, "1-1"]) == [taken.message_id]
    assert queue.renew(TASKS, "thief", []) == []


def test_a_clean_leave_frees_work_at_once_and_is_no_failure(queue):
    queue.open_run(RUN)
    queue.issue(task(0))
    queue.issue(task(1))
    for leaver in range(3 * commands.MAX_DELIVERIES):
        assert len(queue.take(TASKS, f"leaver-{leaver}", 2, 0)) == 2
        queue.forget(TASKS, f"leaver-{leaver}")
    assert len(queue.take(TASKS, "next", 2, 0)) == 2
    queue.forget(TASKS, "never seen")
    assert_consistent(queue)


def test_silent_work_comes_before_new_work(queue, client):
    queue.open_run(RUN)
    queue.issue(task(0))
    take_one(queue, TASKS, "dead")
    fall_silent(client, TASKS)
    queue.issue(task(1))
    ordinals = [trajectory_pb2.GroupTask.FromString(taken.data).ordinal for taken in queue.take(TASKS, "w", 2, 0)]
    assert ordinals == [0, 1]


def test_a_payload_that_is_too_large_is_refused(queue, monkeypatch):
    monkeypatch.setattr(commands, "MAX_PAYLOAD_BYTES", 1000)
    queue.open_run(RUN)
    queue.issue(task(0))
    taken = take_one(queue, TASKS)
    large = group(0)
    large.prompt_token_ids.extend(range(5000))
    with pytest.raises(PayloadTooLargeError, match=r"group is .* bytes; expected at most 1000"):
        queue.hand_off(TASKS, taken.message_id, large, ROLLOUTS)
    assert queue.ledger(RUN) == {0: "issued"}


def test_workers_announce_themselves(queue, client):
    queue.announce("rollout", "b:1", {"version": 3, "state": "loading"})
    queue.announce("rollout", "b:1", {"version": 4})
    queue.announce("reward", "a", {"tasks": 2.5})
    assert [(w.role, w.name, w.fields) for w in queue.workers()] == [
        ("reward", "a", {"tasks": "2.5"}), ("rollout", "b:1", {"version": "4"})
    ]  # fmt: skip
    assert 0 < client.ttl("ew:worker:reward:a") <= commands.WORKER_SECONDS


def test_reading_before_any_run_finds_nothing(queue):
    assert queue.take(SCORED, "w", 1, 10) == []
    assert queue.renew(ROLLOUTS, "w", ["1-1"]) == []
    queue.forget(READY, "w")
    assert (queue.counts(RUN), queue.ledger(RUN), queue.current_run()) == (Counts(), {}, "")


def test_an_older_run_of_a_job_is_not_opened_again(queue):
    """A trainer, or a jobs service, that was cut off and comes back must not end what has gone on without it."""
    phases = ["0-train/1", "0-train/2", "1-score/0", "1-score-silent/0", "2-select/0", "2-train/9", "2-train/10"]
    later = [f"order/{phase}" for phase in [*phases, "10-train/0"]]
    for older, newer in pairwise(later):
        queue.open_run(newer)
        queue.issue(task(0, newer))
        with pytest.raises(StaleRunError, match=older):
            queue.open_run(older)
        assert queue.current_run() == newer and queue.ledger(newer) == {0: "issued"}
        queue.open_run(newer)  # again: nothing happens
        assert queue.ledger(newer) == {0: "issued"}
    queue.close_run(later[-1])
    with pytest.raises(StaleRunError):
        queue.open_run(later[-2])
    queue.open_run(RUN)
    assert queue.current_run() == RUN
