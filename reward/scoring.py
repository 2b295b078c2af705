"""Scores groups in a process that can be killed: nothing that scoring does stalls or ends the service."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from prometheus_client import Counter

from earwitness.log import Logger
from earwitness.metrics import series
from earwitness.parent import end_with_parent
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.endpoint import EndpointSettings
from reward.judge import EndpointJudge
from reward.parse import read_trace
from reward.reader import FELL_BACK, EndpointReader
from reward.recognise.heard import listen_with
from reward.recognise.named import NOTHING_NAMED, Named
from reward.recognise.track import AWAY, Elsewhere
from reward.score import dropped, score_group
from reward.trace_judge import EndpointTraceJudge, judge_traces

GROUP_SECONDS = 30.0
"""Time limit of one group: scoring takes milliseconds, reading a clip from slow storage may take seconds."""
START_SECONDS = 30.0
"""Added to the limit of the first group of a fresh process, which imports scipy and WORLD first."""
ATTEMPTS = 2
"""A failure may be of the moment (storage, memory), so there is one more attempt, trajectory by trajectory."""


_judge, _reader = functools.cache(EndpointJudge), functools.cache(EndpointReader)
_trace_judge = functools.cache(EndpointTraceJudge)
"""One of each for the process, with its open connections."""


def score_bytes(
    data: bytes,
    judge: EndpointSettings | None = None,
    reader: EndpointSettings | None = None,
    named: Named = NOTHING_NAMED,
    elsewhere: Callable[[], Elsewhere] | None = None,
) -> bytes:
    """A serialised group, scored. Runs in the scoring process. Judge, reader and recognisers are the worker's: no
    job names one. `elsewhere` gives those of another process, for a group that begins now."""
    listen_with(named, elsewhere() if elsewhere else None)
    group = trajectory_pb2.Group.FromString(data)
    score_group(group, _judge(judge) if judge else None, _reader(reader) if reader else read_trace)
    judge_traces(group, _trace_judge(judge) if judge else None)
    return group.SerializeToString()


FAILED = trajectory_pb2.TRACE_VERDICT_FAILED

RETRIED = Counter(*series("reward_retried"))
DROPPED = Counter(*series("reward_dropped"))
FALLEN_BACK = Counter(*series("reward_reader_fell_back"))
UNHEARD = Counter(*series("reward_recogniser_away"))


class ScorerError(Exception):
    """Scoring raised, hung or died; the message says which."""


class ScoringProcess:
    """One process that scores; replaced when it hangs or dies. Use as a context manager."""

    def __init__(
        self, log: Logger, work: Callable[[bytes], bytes] = score_bytes, group_seconds: float = GROUP_SECONDS
    ) -> None:
        """`work` scores a serialised group in the process, within `group_seconds`."""
        self._log = log
        self._work = work
        self._seconds = group_seconds
        self._lock = asyncio.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> ScoringProcess:
        return self

    def __exit__(self, *error: object) -> None:
        self._kill()

    async def score(self, group: trajectory_pb2.Group) -> trajectory_pb2.Group:
        """The group with every reward filled in; what failed twice carries a drop reason instead."""
        try:
            scored = await self._attempt(group)
            failed = [i for i, t in enumerate(scored.trajectories) if t.reward.drop_reason]
        except ScorerError as error:
            self._log.warning("scorer failed", ordinal=group.task.ordinal, reason=str(error))
            scored, failed = group, list(range(len(group.trajectories)))
        for index in failed:
            RETRIED.inc()
            scored.trajectories[index].CopyFrom(await self._alone(group, index))
            reason = scored.trajectories[index].reward.drop_reason
            if reason:
                DROPPED.inc()
                self._log.warning("trajectory dropped", ordinal=group.task.ordinal, index=index, reason=reason)
        fell_back = [t.reward.read_by for t in scored.trajectories if t.reward.read_by.startswith(FELL_BACK)]
        if fell_back:
            FALLEN_BACK.inc(len(fell_back))
            self._log.warning("reader fell back", ordinal=group.task.ordinal, traces=len(fell_back), why=fell_back[0])
        unjudged = [t.reward for t in scored.trajectories if t.reward.trace_verdict == FAILED]
        if unjudged:
            why = unjudged[0].trace_verdict_why
            self._log.warning("no verdict on traces", ordinal=group.task.ordinal, traces=len(unjudged), why=why)
        away = [c.measured for t in scored.trajectories for c in t.reward.claims if c.measured.startswith(AWAY)]
        if away:
            UNHEARD.inc(len(away))
            self._log.warning("recogniser away", ordinal=group.task.ordinal, claims=len(away), why=away[0])
        return scored

    async def _alone(self, group: trajectory_pb2.Group, index: int) -> trajectory_pb2.Trajectory:
        """One trajectory of the group, tried again by itself so that it cannot take others with it."""
        single = trajectory_pb2.Group(task=group.task, trajectories=[group.trajectories[index]])
        single.trajectories[0].ClearField("reward")
        try:
            return (await self._attempt(single)).trajectories[0]
        except ScorerError as error:
            single.trajectories[0].reward.CopyFrom(dropped(str(error)))
            return single.trajectories[0]

    async def _attempt(self, group: trajectory_pb2.Group) -> trajectory_pb2.Group:
        async with self._lock:  # one group at a time: a queue in the pool would run against the time limit
            seconds = self._seconds
            if self._pool is None:
                # A fresh interpreter: forking a process with gRPC threads is not safe.
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, context, initializer=end_with_parent, initargs=(os.getpid(),))
                seconds += START_SECONDS
            loop = asyncio.get_running_loop()
            try:
                work = loop.run_in_executor(self._pool, self._work, group.SerializeToString())
                return trajectory_pb2.Group.FromString(await asyncio.wait_for(work, seconds))
            except TimeoutError:
                self._kill()
                raise ScorerError(f"scorer took longer than {seconds:.0f} s") from None
            except BrokenProcessPool:
                self._kill()
                raise ScorerError("scorer process died") from None
            except Exception as error:  # whatever scoring raised, in the other process
                raise ScorerError(f"scorer raised {type(error).__name__}: {error}") from error

    def _kill(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)
