"""The life of a reward worker: scores what comes to `rollouts`, and hands it on or drops it with the reason."""

from __future__ import annotations

import time

from earwitness import artifacts
from earwitness.log import Logger
from earwitness.queue import READY, ROLLOUTS, SCORED, AsyncQueue, Taken
from earwitness.queue.working import leaving, passed, settle_each
from earwitness.settings import Settings
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.scoring import ScoringProcess

TAKE = 4
"""Groups taken at a time: scoring one costs milliseconds, so a round trip for each would show."""
SHOW_SECONDS = 1.0
"""Between two groups that a worker keeps for people to look at."""
BLOCK_MS = 1_000
"""Milliseconds to wait for work before presence is renewed."""


async def work(queue: AsyncQueue, scoring: ScoringProcess, settings: Settings, log: Logger) -> None:
    """Scores what arrives until cancelled; then leaves the consumer group, so that nothing waits for this worker."""
    scored, showing = 0, Showing(queue)
    async with leaving(queue, ROLLOUTS, settings.name, log):
        while True:
            await queue.announce("reward", settings.name, {"state": "working", "groups": scored})
            batch = await queue.take(ROLLOUTS, settings.name, count=TAKE, block_ms=BLOCK_MS)
            await settle_each(
                queue,
                ROLLOUTS,
                settings.name,
                log,
                batch,
                lambda taken: settle(queue, scoring, settings.name, taken, log, showing),
            )
            scored += len(batch)


class Showing:
    """Keeps a group for people to look at, but not more often than they can."""

    def __init__(self, queue: AsyncQueue) -> None:
        self._queue = queue
        self._shown = 0.0

    async def show(self, group: trajectory_pb2.Group) -> None:
        """Perhaps keeps this one."""
        if time.monotonic() - self._shown > SHOW_SECONDS:
            self._shown = time.monotonic()
            await self._queue.show(artifacts.compact(group))


async def settle(
    queue: AsyncQueue, scoring: ScoringProcess, name: str, taken: Taken, log: Logger, showing: Showing
) -> None:
    """Scores one group and hands it on, or drops its ordinal with the reason."""
    group = trajectory_pb2.Group.FromString(taken.data)
    begun = time.time()
    group = await scoring.score(group)
    passed(group, "reward", name, taken, begun)
    await showing.show(group)
    reason = remove_unverified(group) or filtered(group)
    task = group.task
    if reason:
        log.info("group dropped", run=task.run_id, ordinal=task.ordinal, reason=reason)
        await queue.drop(ROLLOUTS, taken.message_id, task.run_id, task.ordinal, reason)
        return
    onward = SCORED if task.needs_reference else READY
    outcome = await queue.hand_off(ROLLOUTS, taken.message_id, group, onward)
    log.debug(
        "group scored", run=task.run_id, ordinal=task.ordinal, outcome=outcome, seconds=round(time.time() - begun, 3)
    )


def remove_unverified(group: trajectory_pb2.Group) -> str:
    """Takes trajectories with a drop reason out of the group; returns a reason if none is left, else ""."""
    failed = [t.reward.drop_reason for t in group.trajectories if t.reward.drop_reason]
    kept = [t for t in group.trajectories if not t.reward.drop_reason]
    if not kept:
        return f"unverified: {failed[0]}" if failed else "no trajectories"
    if failed:
        del group.trajectories[:]
        group.trajectories.extend(kept)
    return ""


def filtered(group: trajectory_pb2.Group) -> str:
    """Dynamic filtering on raw correctness: why the group carries no signal, or "" if it does or is not filtered."""
    if not group.task.needs_spread:
        return ""
    correct = [t.reward.correct for t in group.trajectories]
    return "all correct" if all(correct) else "" if any(correct) else "all wrong"
