"""`python -m services.trainer.node ARGUMENTS`: torchrun with those arguments, as one node of the trainer.

Torchrun starts the ranks of a node when all nodes have met, and again when another node was lost and is back: until
then nobody would answer Kubernetes' probes, and a node that waits would be killed for it. So the node answers itself,
from its first second: that it lives, and as ready what its ranks say.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from earwitness.errors import EarwitnessError
from earwitness.local.launch import ended
from earwitness.local.ports import free_ports
from earwitness.settings import Settings

ENDPOINT = "--rdzv-endpoint"

LOOK_SECONDS = 5.0
"""Between two looks at where the nodes meet: a name server is asked that often, by each node."""

ANSWER_SECONDS = 2.0
"""Longest wait for the ranks' answer; a probe waits longer."""


def addresses(host: str) -> set[str]:
    """What the name resolves to; none while it does not."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


def end_when_moved(host: str) -> None:
    """Ends this process, and with it its container, once the nodes meet at another address than they did.

    The machine of the first node is lost then, and nobody closes the connections to it: torchrun would wait for an
    answer until the kernel gives them up, a quarter of an hour.
    """
    known: set[str] = set()
    while True:
        now = addresses(host)
        if known and now and not known & now:
            moved = EarwitnessError(f"{host} was at {min(known)} and is at {min(now)}: the nodes meet anew")
            status = ended("trainer", moved)
            sys.stdout.flush()
            os._exit(status)  # what waits for the lost machine would hold an orderly end up
        known = known or now
        time.sleep(LOOK_SECONDS)


class NodeHealth(health_pb2_grpc.HealthServicer):
    """The health of a node whose ranks answer at `ranks` (host:port) while they run."""

    def __init__(self, ranks: str) -> None:
        self._ranks = health_pb2_grpc.HealthStub(grpc.insecure_channel(ranks))

    def Check(  # noqa: N802 (name of the wire)
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        """SERVING for the node itself, ""; for a service what the ranks say."""
        if not request.service:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
        try:
            answer: health_pb2.HealthCheckResponse = self._ranks.Check(request, timeout=ANSWER_SECONDS)
        except grpc.RpcError:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING)
        return answer


def main(arguments: list[str]) -> int:
    """Exit status, when torchrun has ended."""
    try:
        settings = Settings.from_env()
    except EarwitnessError as error:
        return ended("trainer", error)
    # Torchrun listens for it once it has ranks. Before, as process 1 of a container, the node would not hear it. Not by
    # an exception: one that is raised where Python itself calls back, as it does for each module that it has imported,
    # is dropped, and the node would wait on; and torchrun would close the meeting place for the nodes that stay.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = grpc.server(ThreadPoolExecutor(2, thread_name_prefix="node-health"))
    if settings.health_port:
        (own,) = free_ports(1)
        health_pb2_grpc.add_HealthServicer_to_server(NodeHealth(f"127.0.0.1:{own}"), server)
        server.add_insecure_port(f"{settings.listen.rpartition(':')[0]}:{settings.health_port}")
        server.start()
        os.environ["EW_HEALTH_PORT"] = str(own)  # of the rank that answers for this node
    if ENDPOINT in arguments:
        meeting = arguments[arguments.index(ENDPOINT) + 1].rpartition(":")[0]
        threading.Thread(target=end_when_moved, args=[meeting], name="meeting-place", daemon=True).start()
    # The nodes that are left keep the address of the ranks' store from the round before, and one that comes back would
    # wait a minute to be told it, whereupon all nodes end: so each round has a store of its own.
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    from torch.distributed import run  # seconds, in which the probes are answered already
    from torch.distributed.elastic.multiprocessing import SignalException

    try:
        run.main(arguments)
    except SignalException as asked:  # the ranks have ended as they were told to
        if asked.sigval is not signal.SIGTERM:
            raise
    finally:
        server.stop(None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
