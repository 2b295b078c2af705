"""The reward worker: takes groups off `rollouts`, scores them, hands them on; and answers Score for itself.

Scoring runs in a process of its own, so that heartbeats and health stay prompt and a scorer that hangs can be killed.
"""

from __future__ import annotations

import functools
import sys
import time

import grpc

from earwitness import artifacts
from earwitness.errors import InputError
from earwitness.log import Logger, get_logger
from earwitness.queue import READY, ROLLOUTS, SCORED, AsyncQueue, Taken
from earwitness.queue.working import leaving, passed, settle_each
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import serve
from earwitness.settings import Settings
from earwitness.wire.reward.v1 import reward_pb2, reward_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.endpoint import endpoint_settings
from reward.scoring import ScoringProcess, score_bytes
from reward.terms import weights_of
from services.entry import process

TAKE = 4
"""Groups taken at a time: scoring one costs milliseconds, so a round trip for each would show."""
SHOW_SECONDS = 1.0
"""Between two groups that a worker keeps for people to look at."""
BLOCK_MS = 1_000
"""Milliseconds to wait for work before presence is renewed."""


class RewardService(reward_pb2_grpc.RewardServiceServicer):
    """Score, for tests, evaluation and people."""

    def __init__(self, scoring: ScoringProcess) -> None:
        self._scoring = scoring

    async def Score(  # noqa: N802 (name of the wire)
        self, request: reward_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> reward_pb2.ScoreResponse:
        """Scores every trajectory; those that cannot be verified come back with a drop reason."""
        check_group(request.group)
        return reward_pb2.ScoreResponse(group=await self._scoring.score(request.group))


def check_group(group: trajectory_pb2.Group) -> None:
    """Raises InputError if the group lacks what scoring needs."""
    if group.task.prompt.verifier == trajectory_pb2.VERIFIER_UNSPECIFIED:
        raise InputError("group.task.prompt.verifier", "is not set", "one of the values of Verifier")
    weights_of(group.task.reward)


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


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    # A mistake in them ends the service here, not each sample later.
    judge, reader = endpoint_settings("EW_JUDGE"), endpoint_settings("EW_READER")
    log = get_logger("reward").bind(name=settings.name)
    queue = AsyncQueue(await connect_async(settings.queue_url, Patience(log)), settings.claim_idle_ms)
    with ScoringProcess(log, functools.partial(score_bytes, judge=judge, reader=reader)) as scoring:
        await serve(
            "reward",
            settings,
            lambda server: reward_pb2_grpc.add_RewardServiceServicer_to_server(RewardService(scoring), server),
            [work(queue, scoring, settings, log)],
        )


if __name__ == "__main__":
    sys.exit(process("reward", run))
