"""Ends a mesh whose supervisor is gone: `python -m earwitness.local.guard MESH`.

The supervisor holds the other end of our stdin. However it ends, SIGKILL included, the pipe closes and we end every
process of the mesh that is still there.
"""

from __future__ import annotations

import signal
import sys

from earwitness.local.sockets import remove_sockets
from earwitness.local.sweep import end_all

GRACE_SECONDS = 10.0
"""For services to close their stores."""


def main() -> None:
    """Wait for the end of stdin, then sweep."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_all(sys.argv[1], GRACE_SECONDS)
    remove_sockets(sys.argv[1])


if __name__ == "__main__":
    main()
