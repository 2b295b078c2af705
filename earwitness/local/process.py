"""One place of the mesh over time: started, probed, and started again after it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from earwitness.local.backoff import STEADY_SECONDS, BackOff
from earwitness.local.launch import why_not_started
from earwitness.local.plan import ProcessPlan
from earwitness.local.state import ProcessState, open_log
from earwitness.local.sweep import end_all

PROBE_SECONDS = 0.5
"""Between two looks at a process that is not healthy yet."""

TAIL_BYTES = 8192
"""How much of the end of a log is read for an error."""


class Process:
    """Runs the command of a plan until it is stopped or hopeless."""

    def __init__(self, plan: ProcessPlan, environment: Mapping[str, str], log: Path, probe: Callable[[], bool]) -> None:
        """`environment` holds EW_MESH and EW_NAME; `probe` says whether the process answers; output goes to `log`."""
        self.name = plan.name
        self.role = plan.role
        self.healthy = False
        self.failure = ""
        """Why it is not started again; empty while it is."""
        self._plan = plan
        self._environment = dict(environment)
        self._log = log
        self._probe = probe
        self._back_off = BackOff()
        self._restarts = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._log_start = 0
        self._next_start = 0.0
        self._next_probe = 0.0

    def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C in the terminal is the supervisor's to handle."""
        with _log_or_nothing(self._log) as output:
            self._log_start = output.tell()
            self._child = subprocess.Popen(
                self._plan.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started = self._next_probe = time.monotonic()
        self.healthy = False

    def look(self) -> str:
        """Do what is due; returns a line for people, or nothing."""
        now = time.monotonic()
        if self.failure:
            return ""
        if self._child is None:
            if now < self._next_start:
                return ""
            self._restarts += 1
            self.start()
            return f"{self.name}: starting again"
        status = self._child.poll()
        if status is not None:
            return self._ended(status, now)
        if not self.healthy and now >= self._next_probe:
            self.healthy = self._probe()
            self._next_probe = time.monotonic() + PROBE_SECONDS
            if self.healthy:
                return f"{self.name}: healthy after {now - self._started:.1f} s"
        return ""

    @property
    def running(self) -> bool:
        """True while the process itself is there."""
        return self._child is not None and self._child.poll() is None

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself, which stops what it started."""
        if self._child is not None and self.running:
            self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to it and to everything it started."""
        if self._child is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        end_all(self._environment["EW_MESH"], 0, self.name)
        self._child.wait()

    def state(self) -> ProcessState:
        """For the state file."""
        if self.failure:
            word = "failed"
        elif self._child is None:
            word = "backing-off"
        else:
            word = "healthy" if self.healthy else "starting"
        return ProcessState(
            name=self.name,
            role=self.role,
            pid=self._child.pid if self._child is not None else 0,
            address=self._plan.address,
            state=word,
            restarts=self._restarts,
            log=str(self._log),
        )

    def _ended(self, status: int, now: float) -> str:
        self.kill()
        self._child = None
        self.healthy = False
        self._back_off = self._back_off.ended(now - self._started)
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        reason = why_not_started(self._log, self._log_start)
        if reason and now - self._started < STEADY_SECONDS:
            self.failure = f"{self.name} cannot start: {reason}"
            return ""
        if self._back_off.hopeless:
            self.failure = (
                f"{self.name} {how}, for the {self._back_off.failures}th time in a row within "
                f"{STEADY_SECONDS:.0f} s of its start; its log {self._log} ends:\n{tail(self._log)}"
            )
            return ""
        self._next_start = now + self._back_off.delay_seconds
        return f"{self.name}: {how}; starting again in {self._back_off.delay_seconds:.1f} s"


def _log_or_nothing(log: Path) -> BinaryIO:
    """A disk that is full must not keep a process from being started."""
    try:
        return open_log(log)
    except OSError:
        return Path(os.devnull).open("ab")


def stop_together(group: Sequence[Process], seconds: float) -> list[str]:
    """Stop all at once; what is there after `seconds` is killed, and named in the lines returned."""
    for process in group:
        process.ask_to_stop()
    deadline = time.monotonic() + seconds
    while any(p.running for p in group) and time.monotonic() < deadline:
        time.sleep(0.05)
    late = [p for p in group if p.running]
    for process in group:
        process.kill()
    return [f"{p.name}: did not stop within {seconds:.0f} s and was killed" for p in late]


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(line[:300] for line in text.splitlines()[-lines:])
