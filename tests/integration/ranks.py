"""Runs a program of this folder as ranks, which meet as under torchrun: `ranks.py COUNT PROGRAM ARGUMENT...`.

torch and Megatron are imported once and the ranks forked: importing takes each longer than what it is to do. The exit
status is 0 if all came to their end. Where one fails, the others are ended: they would wait for it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path

import torch
import torch.distributed as dist

import trainer.phase
from earwitness.parent import PR_SET_PDEATHSIG

HERE = Path(__file__).parent
IMPORTED = trainer.phase
"""With all that it imports."""


def main(count: int, program: str, arguments: list[str]) -> int:
    """The exit status."""
    torch.set_num_threads(1)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads do not survive a fork"
    # Where the ranks meet is bound before they start: a port that is only free now may be another's then. The store
    # behind it is rank 0's: it has a thread, and what a thread holds at a fork is held for ever in the child.
    with socket.create_server(("127.0.0.1", 0)) as meeting:
        ranks = {fork(number, count, meeting, [str(HERE / program), *arguments]) for number in range(count)}
    failed = False
    while ranks:
        ended, status = os.wait()
        ranks.discard(ended)
        if status and not failed:
            failed = True
            for other in ranks:
                os.kill(other, signal.SIGKILL)
    return int(failed)


def fork(number: int, count: int, meeting: socket.socket, arguments: list[str]) -> int:
    """The process of a rank; its exit status is 0 if it came to its end."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        assert os.getppid() == parent, "its parent died before it could be followed"
        port = meeting.getsockname()[1]
        if number == 0:
            _store = dist.TCPStore(  # it answers as long as it is held
                "127.0.0.1", port, is_master=True, wait_for_workers=False, master_listen_fd=meeting.detach()
            )
        os.environ |= {
            "RANK": str(number), "LOCAL_RANK": str(number), "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True",
        }  # fmt: skip
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        status = 0
    except BaseException:  # noqa: BLE001  (as an interpreter that ends with it)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
