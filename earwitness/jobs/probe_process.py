"""Writes probe data for a job: `python -m earwitness.jobs.probe_process FOLDER`, with ProbeData as JSON on stdin.

Prints the manifests by name as JSON. SIGTERM ends it together with its pool; so does the end of its parent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from earwitness.probe import write_probe
from earwitness.recipe.schema import ProbeData

PARENT_POLL_SECONDS = 1.0


def main() -> None:
    """Entry point."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    manifests = write_probe(sys.argv[1], ProbeData.model_validate_json(sys.stdin.read()))
    sys.stdout.write(json.dumps(manifests))


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    _end()


def _end() -> None:
    """The whole process group, this process included."""
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
