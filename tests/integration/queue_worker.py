"""A station of the queue as a process of its own, which kills itself (SIGKILL) where it is told to.

    python -m tests.integration.queue_worker URL STATION NAME [POINT | SEED]

STATION is rollout, reward or reference. POINT: taken (before any work), worked (before the hand-off), sent (the
hand-off is on the wire, its reply unread), handed_off (after it). A number is a seed: now and then, a random point.
Ordinals divisible by 5 are dropped by the reward station, as the dynamic filter would.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import redis.connection

from earwitness.queue import READY, ROLLOUTS, SCORED, TASKS, Queue
from earwitness.redis_client import connect
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import wait_for_redis

POINTS = ("taken", "worked", "sent", "handed_off")
STATIONS = {"rollout": (TASKS, ROLLOUTS), "reward": (ROLLOUTS, SCORED), "reference": (SCORED, READY)}
CLAIM_IDLE_MS = 300
DEATHS_PER_GROUP = 0.06


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, station: str, name: str, when: str = "") -> None:
    stream_from, stream_to = STATIONS[station]
    chance = random.Random(when) if when.isdigit() else None
    # How long an outage may last is not this program's business: on a machine that stalls a restart takes its time.
    wait_for_redis()
    queue = Queue(connect(url), claim_idle_ms=CLAIM_IDLE_MS)
    while True:
        for message_id, data in queue.take(stream_from, name, count=2, block_ms=200):
            point = when
            if chance is not None:
                point = chance.choice(POINTS) if chance.random() < DEATHS_PER_GROUP else ""
                time.sleep(chance.random() * 0.01)
            if point == "taken":
                die()
            group = make_group(data) if station == "rollout" else trajectory_pb2.Group.FromString(data)
            if point == "worked":
                die()
            if point == "sent":
                die_after_sending()
            if station == "reward" and group.task.ordinal % 5 == 0:
                queue.drop(stream_from, message_id, group.task.run_id, group.task.ordinal, "all wrong")
            else:
                queue.hand_off(stream_from, message_id, group, stream_to)
            if point == "handed_off":
                die()


def make_group(data: bytes) -> trajectory_pb2.Group:
    task = trajectory_pb2.GroupTask.FromString(data)
    return trajectory_pb2.Group(task=task, trajectories=[trajectory_pb2.Trajectory(index=0, token_ids=range(50))])


def die_after_sending() -> None:
    send = redis.connection.Connection.send_packed_command

    def send_and_die(connection: redis.connection.Connection, command: object, check_health: bool = True) -> None:
        send(connection, command, check_health)
        die()

    redis.connection.Connection.send_packed_command = send_and_die


if __name__ == "__main__":
    main(*sys.argv[1:])
