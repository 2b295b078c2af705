"""`torchrun ... -m services.trainer`, or `python -m services.trainer` for one rank."""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading

import torch
import torch.distributed as dist
from prometheus_client import Gauge

from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.log import Logger, get_logger
from earwitness.metrics import series
from earwitness.queue import Queue
from earwitness.redis_client import connect
from earwitness.rpc.server import serve_health, serve_in_thread
from earwitness.rpc.status import kind_of
from earwitness.settings import Settings, number
from earwitness.wire.errors.v1 import errors_pb2
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from earwitness.wire.trainer.v1 import trainer_pb2_grpc
from services.trainer.servicer import TrainerServicer
from trainer.board import Board
from trainer.phase import PhaseRun
from trainer.ranks import parallel

IDLE_SECONDS = 1.0
"""Pause between two words of rank 0 to the others when nothing is to be done: their collectives must not time out."""

ANNOUNCE_SECONDS = 5.0
"""Between two announcements; they are forgotten after 15 s."""

QUIT = b"quit"
"""Rank 0's word at the end. No phase request serialises to it: it is not valid protobuf."""

FIGURE = Gauge(*series("trainer_figure"))
STEP = Gauge(*series("trainer_step"))


def main() -> int:
    """Exit status: 0 after SIGTERM, 1 if the ranks must be started again."""
    settings = Settings.from_env()
    torch.set_num_threads(_threads())
    parallel.initialize(1, 1)
    gc.freeze()  # what is imported stays, and need not be looked through when a phase ends
    log = get_logger("trainer").bind(name=settings.name, rank=dist.get_rank())
    stopping = threading.Event()
    board = Board(dist.get_world_size()) if parallel.is_rank_zero() else None
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: _stop(stopping, board))
    if board is None:
        # On a node without rank 0, local rank 0 answers the node's probes.
        probed = serve_health("trainer", settings) if os.environ.get("LOCAL_RANK") == "0" else None
        try:
            return _run_phases(None, settings, stopping, log)
        finally:
            if probed is not None:
                probed.stop(None)
    server = serve_in_thread(
        "trainer",
        settings,
        lambda s: trainer_pb2_grpc.add_TrainerServiceServicer_to_server(TrainerServicer(board, settings), s),
    )
    if settings.queue_url:
        threading.Thread(target=_announce, args=(board, settings, stopping, log), daemon=True).start()
    try:
        return _run_phases(board, settings, stopping, log)
    finally:
        server.stop()


def _run_phases(board: Board | None, settings: Settings, stopping: threading.Event, log: Logger) -> int:
    while True:
        word = parallel.broadcast_bytes(_next(board, stopping) if board else None)
        if word == QUIT:
            return 0
        if word:
            request = wire.StartPhaseRequest.FromString(word)
            if not _run_phase(request, board, settings, log.bind(job=request.job_id, stage=request.stage_index)):
                return 1


def _next(board: Board, stopping: threading.Event) -> bytes:
    """What all ranks do next: a phase, nothing for a moment, or the end."""
    if stopping.is_set():
        return QUIT
    try:
        return board.started.get(timeout=IDLE_SECONDS).SerializeToString()
    except queue.Empty:
        return b""


def _run_phase(request: wire.StartPhaseRequest, board: Board | None, settings: Settings, log: Logger) -> bool:
    """False if the ranks may have lost step with each other, so that the process must end."""
    log.info("phase started", phase=request.phase)
    state, together = wire.PHASE_STATE_FAILED, True
    reason, kind = "", errors_pb2.ERROR_KIND_UNSPECIFIED
    try:
        finished = PhaseRun(request, board, settings, log).run()
        state = wire.PHASE_STATE_DONE if finished else wire.PHASE_STATE_STOPPED
    except EarwitnessError as error:  # raised by all ranks together
        reason, kind = str(error), kind_of(error)
        log.error("phase failed", phase=request.phase, reason=reason)
    except Exception as error:  # the edge: a mistake of ours, or of a library; the ranks may stand anywhere
        reason, kind = f"{type(error).__name__}: {error}", kind_of(error)
        log.exception("phase failed", error, phase=request.phase)
        together = dist.get_world_size() == 1
    parallel.free_memory()  # else the next phase's models would stand beside this one's
    if board is not None:
        board.ended(state, reason, kind)
        log.info("phase ended", phase=request.phase, state=wire.PhaseState.Name(state))
    return together


def _stop(stopping: threading.Event, board: Board | None) -> None:
    stopping.set()
    if board is not None:
        board.stop_any()


def _announce(board: Board, settings: Settings, stopping: threading.Event, log: Logger) -> None:
    """Tells the queue Redis, and Prometheus, what the trainer does."""
    client = None
    while not stopping.is_set():
        status = board.status(after_step=max(board.status().step - 1, 0))
        STEP.set(status.step)
        for metric in status.steps_done[-1].metrics if status.steps_done else []:
            FIGURE.labels(metric.name).set(metric.value)
        fields: dict[str, str | int | float] = {
            "state": wire.PhaseState.Name(status.state).removeprefix("PHASE_STATE_").lower(),
            "job": status.job_id,
            "step": status.step,
            "version": status.version,
            "ranks": status.ranks,
        }
        try:
            client = client or Queue(connect(settings.queue_url))
            client.announce("trainer", settings.name, fields)
        except InfrastructureError as error:
            log.warning("queue does not answer", error=str(error))
        stopping.wait(ANNOUNCE_SECONDS)


def _threads() -> int:
    """Torch threads of this rank: its share of the cores."""
    share = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return number(os.environ, "EW_TRAINER_THREADS", max(share, 1), 1024, least=1)


if __name__ == "__main__":
    sys.exit(main())
