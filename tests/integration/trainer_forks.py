"""A process that has imported torch and Megatron once and forks trainers, so that a hundred of them can be killed.

Writes {"ready": true}, then reads one JSON object a line: {"ranks", "port", "request" (hex), "environment",
"kill_at_line", "log"}. Forks that many ranks, writes {"pids": [...]}, waits until they have ended (one that dies takes
the others with it, as under torchrun) and writes {"ended": [exit status, negative for a signal]}. With `kill_at_line`
n, rank 0 kills itself with SIGKILL before the n-th line that it runs, on any thread, in trainer/checkpoint/.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

import torch

import trainer.checkpoint
from earwitness.log import get_logger
from earwitness.settings import Settings
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from trainer.board import Board
from trainer.phase import PhaseRun
from trainer.ranks import parallel

PF_EXITING = 0x4
"""Among the flags of a process in /proc/pid/stat (include/linux/sched.h)."""
CHECKPOINT_CODE = str(Path(trainer.checkpoint.__file__).parent)


def main() -> None:
    """Serves until its input ends."""
    torch.set_num_threads(1)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads do not survive a fork"
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        pids = [_fork(told, rank) for rank in range(told["ranks"])]
        print(json.dumps({"pids": pids}), flush=True)
        ended: dict[int, int] = {}
        while len(ended) < len(pids):
            pid, status = os.wait()
            ended[pid] = os.waitstatus_to_exitcode(status)
            if ended[pid] != 0:
                for other in set(pids) - set(ended):
                    os.kill(other, signal.SIGKILL)
        print(json.dumps({"ended": [ended[pid] for pid in pids]}), flush=True)


def _fork(told: dict, rank: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ |= told["environment"]
        if told["ranks"] > 1:
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(told["port"]), "LOCAL_RANK": str(rank)}
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(told["ranks"])}
        if told["kill_at_line"] and rank == 0:
            _kill_at_line(told["kill_at_line"])
        request = wire.StartPhaseRequest.FromString(bytes.fromhex(told["request"]))
        parallel.initialize(1, 1)
        board = Board(told["ranks"]) if rank == 0 else None
        done = PhaseRun(request, board, Settings.from_env(), get_logger("trainer")).run()
        status = 0 if done else 2
    finally:
        if sys.exc_info()[0]:
            traceback.print_exc()
        if status and _another_has_died(told["ranks"]):
            signal.pause()  # it ends for that reason alone, and the kill is on its way
        sys.stdout.flush()
        os._exit(status)


def _another_has_died(ranks: int) -> bool:
    """True from before a dying rank's sockets close, which is how this one knows."""
    parent = os.getppid()
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return sum(map(_lives, children)) < ranks


def _lives(pid: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX" and not int(fields[6]) & PF_EXITING


def _kill_at_line(number: int) -> None:
    lines = itertools.count(1)

    def trace(frame, event, _argument):
        if not frame.f_code.co_filename.startswith(CHECKPOINT_CODE):
            return None
        if event == "line" and next(lines) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)


main()
