"""The reward worker: takes groups off `rollouts`, scores them, hands them on; and answers Score for itself.

Scoring runs in a process of its own, so that heartbeats and health stay prompt and a scorer that hangs can be killed.
"""

from __future__ import annotations

import functools
import sys

from grpc.aio import ServicerContext as Context

from earwitness.errors import InputError
from earwitness.log import get_logger
from earwitness.queue import AsyncQueue
from earwitness.redis_client import Patience, connect_async
from earwitness.rpc.server import serve
from earwitness.settings import Settings
from earwitness.wire.reward.v1 import reward_pb2, reward_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.endpoint import endpoint_settings
from reward.recognise.named import NOTHING_NAMED, Named
from reward.scoring import ScoringProcess, score_bytes
from reward.terms import weights_of
from reward.worker import work
from services.entry import process
from services.recogniser.asking import asking


class RewardService(reward_pb2_grpc.RewardServiceServicer):
    """Score, for tests, evaluation and people."""

    def __init__(self, scoring: ScoringProcess) -> None:
        self._scoring = scoring

    async def Score(self, request: reward_pb2.ScoreRequest, context: Context) -> reward_pb2.ScoreResponse:  # noqa: N802 (name of the wire)
        """Scores every trajectory; those that cannot be verified come back with a drop reason."""
        check_group(request.group)
        return reward_pb2.ScoreResponse(group=await self._scoring.score(request.group))


def check_group(group: trajectory_pb2.Group) -> None:
    """Raises InputError if the group lacks what scoring needs."""
    if group.task.prompt.verifier == trajectory_pb2.VERIFIER_UNSPECIFIED:
        raise InputError("group.task.prompt.verifier", "is not set", "one of the values of Verifier")
    weights_of(group.task.reward)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM."""
    # A mistake in them ends the service here, not each sample later.
    judge, reader = endpoint_settings("EW_JUDGE"), endpoint_settings("EW_READER")
    named = NOTHING_NAMED if settings.recogniser else Named.from_env()  # the one or the other
    elsewhere = functools.partial(asking, settings) if settings.recogniser else None
    log = get_logger("reward").bind(name=settings.name)
    queue = AsyncQueue(await connect_async(settings.queue_url, Patience(log)), settings.claim_idle_ms)
    scorer = functools.partial(score_bytes, judge=judge, reader=reader, named=named, elsewhere=elsewhere)
    with ScoringProcess(log, scorer) as scoring:
        await serve(
            "reward",
            settings,
            lambda server: reward_pb2_grpc.add_RewardServiceServicer_to_server(RewardService(scoring), server),
            [work(queue, scoring, settings, log)],
        )


if __name__ == "__main__":
    sys.exit(process("reward", run))
