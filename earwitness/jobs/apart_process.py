"""The other side of `apart.py`: `python -m services.apart TASK`, with the task's input as JSON on stdin.

Says how it gets on as JSON lines, {"at": ...}, and ends with {"done": ...} or {"error": ...}. SIGTERM ends it together
with the processes that it started; so does the end of its parent.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from earwitness import storage
from earwitness.errors import DocumentError, InfrastructureError, InputError
from earwitness.manifest_index import Referee

PARENT_POLL_SECONDS = 1.0

SAID_SECONDS = 0.25
"""Between two words on how it gets on."""

At = Callable[[str, int], None]
"""(what is read or written, how many lines or clips of it) is told."""

CPU_SECONDS = 30
"""Most seconds of computing on what a stranger submits: a recipe of 1 MiB takes four, 20,000 examples three."""


def check(given: dict[str, Any], at: At, referee: Referee) -> dict[str, Any]:
    """A recipe as submitted, and the begin of each of its manifests."""
    from earwitness.jobs.data import LOOKED_AT, check_data
    from earwitness.recipe.load import load_recipe, require_absolute

    # The hard limit stands behind: at it the kernel kills without the signal that says why.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    at("recipe", 0)
    recipe = load_recipe(given["recipe"])
    require_absolute(recipe)
    check_data(recipe, recipe.data, at, LOOKED_AT // max(1, len(recipe.data)), referee)
    return {"name": recipe.name, "output": recipe.output, "stages": len(recipe.stages)}


def index(given: dict[str, Any], at: At, referee: Referee) -> dict[str, Any]:
    """Every manifest that a recipe's stages use, whole; writes where its lines begin, and returns how many they are."""
    from earwitness.jobs.data import check_data
    from earwitness.manifest_index import write_index
    from earwitness.recipe.load import load_recipe

    offsets = check_data(load_recipe(given["recipe"]), given["manifests"], at, referee=referee)
    for name, found in offsets.items():
        write_index(storage.join(given["folder"], f"{name}.lines"), found)
    return {name: len(found) for name, found in offsets.items()}


def probe(given: dict[str, Any], at: At, referee: Referee) -> dict[str, Any]:
    """Synthesised clips and their manifests; returns the manifests by name."""
    from earwitness.probe import write_probe
    from earwitness.recipe.schema import ProbeData

    at("probe", 0)
    asked = ProbeData.model_validate(given["probe"])
    return write_probe(given["folder"], asked, lambda written, _total: at("probe", written))


def lengths(given: dict[str, Any], at: At, referee: Referee) -> None:
    """Whether every row fits the longest sequence of the job's model."""
    from earwitness.data.lengths import refuse_too_long
    from earwitness.recipe.load import load_recipe

    refuse_too_long(given["model"], load_recipe(given["recipe"]), given["manifests"], at)


TASKS: dict[str, Callable[[dict[str, Any], At, Referee], Any]] = {
    task.__name__: task for task in (check, index, lengths, probe)
}

Scoring = Callable[[dict[str, Any]], dict[str, Any]]
"""What an evaluation of a benchmark comes to."""


def main(referee: Referee, scoring: Scoring) -> None:
    """Entry point; `referee` says what is wrong with the reference of a prompt, `scoring` does the task `score`."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: _end())
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    said = 0.0

    def at(what: str, lines: int) -> None:
        nonlocal said
        if (now := time.monotonic()) - said > SAID_SECONDS:
            said = now
            _say({"at": [what, lines]})

    task, given = sys.argv[1], json.load(sys.stdin)
    try:
        if task == "score":
            at("samples", 0)  # a word, since it has started
            _say({"done": scoring(given)})
        else:
            _say({"done": TASKS[task](given, at, referee)})
    except DocumentError as error:
        _say({"error": "document", "problems": [[p.path, p.what, p.expected] for p in error.problems]})
    except InputError as error:
        _say({"error": "input", "given": [error.field, error.problem, error.expected]})
    except InfrastructureError as error:
        _say({"error": "infrastructure", "given": [error.waited_for, error.seconds, error.detail]})


def _say(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    _end()


def _end() -> None:
    """The whole process group, this process included."""
    os.killpg(0, signal.SIGKILL)
