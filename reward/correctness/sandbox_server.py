"""The program behind `sandbox`: reads pairs of expressions, forks for each, writes right, wrong or what went wrong.

python -m reward.correctness.sandbox_server CHECK_SECONDS MEMORY_BYTES
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from typing import Any

WALL_PER_CPU = 10.0
"""Wall time allowed for each second of CPU time: a busy machine must not make an answer undecidable."""
READY = "ready"
"""The first line written: math-verify is imported."""
RIGHT, WRONG, MEMORY, RAISED = 10, 11, 12, 13
"""Exit statuses of a comparison; 0, 1 and 2 are those of an interpreter that failed."""
ALARMS = (signal.SIGPROF, signal.SIGALRM)
"""Sent when a comparison has had its CPU time or its wall time."""
HEAVY_SHARE = 0.5
"""A wrong verdict after so much of the memory limit was in use is none: sympy swallows the MemoryError it caused."""
_KIB_PER_RSS = 1 if sys.platform != "darwin" else 1 / 1024
_WORDS = {RIGHT: "right", WRONG: "wrong", MEMORY: "out of memory", RAISED: "it raised"}


def main() -> None:
    """Serves until the input ends."""
    seconds, memory = float(sys.argv[1]), int(sys.argv[2])
    import math_verify  # noqa: F401 (once, before the forks)

    _compare(r"$\frac{1}{2}$", "$x^2+(1,2)$", sys.maxsize)  # the first parse builds grammars; forks inherit them
    _write(READY)
    for line in sys.stdin:
        reference, answer = json.loads(line)
        _write(_in_child(reference, answer, seconds, memory))


def _in_child(reference: str, answer: str, seconds: float, memory: int) -> str:
    child = os.fork()
    if child == 0:
        _limit(seconds, memory)
        os._exit(_compare(reference, answer, memory))
    started = time.monotonic()
    _, status = os.waitpid(child, 0)  # the alarm ends it
    if os.WIFEXITED(status):
        return _WORDS.get(os.WEXITSTATUS(status), f"exit status {os.WEXITSTATUS(status)}")
    if os.WTERMSIG(status) in ALARMS:
        return f"killed after {time.monotonic() - started:.1f} s"
    return f"killed by signal {os.WTERMSIG(status)}"


def _limit(seconds: float, memory: int) -> None:
    """No handlers for the alarms: the kernel ends the process, whatever C code it is in."""
    for alarm in ALARMS:
        signal.signal(alarm, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * WALL_PER_CPU)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # what a library prints must not look like a verdict
    os.dup2(null, 1)


def _compare(reference: str, answer: str, memory: int) -> int:
    """The exit status that says how it went. An answer that cannot be read is wrong; a reference must be readable."""
    from math_verify import parse, verify

    try:
        # Their own timeouts raise from a signal handler, which C code does not run and sympy swallows.
        gold = parse(reference, parsing_timeout=None, raise_on_error=True)
    except MemoryError:
        return MEMORY
    except Exception:  # noqa: BLE001 (sympy raises everything)
        return RAISED
    try:
        given = parse(answer, parsing_timeout=None, raise_on_error=True)
        equal = bool(gold and given) and verify(gold, given, timeout_seconds=None, raise_on_error=True)
        equal = equal and _close(gold[0], given[0])
    except MemoryError:
        return MEMORY
    except Exception:  # noqa: BLE001 (sympy raises everything)
        equal = False
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 * _KIB_PER_RSS
    return RIGHT if equal else MEMORY if used > HEAVY_SHARE * memory else WRONG


def _close(gold: Any, given: Any) -> bool:
    """False for numbers that differ by a share that counts: math-verify rounds to some places, so 1/2004! is its 0."""
    import sympy  # type: ignore[import-untyped]

    if not all(isinstance(side, sympy.Expr) and side.is_number for side in (gold, given)):
        return True
    digits = 6 if gold.has(sympy.Float) or given.has(sympy.Float) else 15
    one, other = sympy.N(gold, 2 * digits), sympy.N(given, 2 * digits)
    if not (one.is_finite and other.is_finite):
        return True  # infinities, which have been compared
    return bool(sympy.Abs(one - other) <= sympy.Float(10) ** (2 - digits) * max(sympy.Abs(one), sympy.Abs(other)))


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
