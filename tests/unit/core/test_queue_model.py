"""The promise of the queue on a small model, searched exhaustively: whatever is killed and whatever suffix of the
log a crash loses, at whatever point, the pass ends with every ordinal used once or dropped.

The model has the effects of the scripts, each atomic, in the order in which the append-only file holds them; a crash of
the server undoes the last of them, while workers keep what they had in hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

ORDINALS = 3
FAULTS = 3
LOST = 3
"""Most effects that one crash undoes: a second of a slow pass."""

IN_FLIGHT = ("tasks", "ready")


@dataclass(frozen=True)
class World:
    """One state of everything."""

    waiting: tuple[int, ...]
    """Ordinals that the jobs service has not issued."""
    log: tuple[tuple[str, int], ...]
    """Effects at the server: (state, ordinal), the newest last."""
    worker: int | None
    """Ordinal that a worker has in hand."""
    results: frozenset[int]
    """What the jobs service has saved."""
    faults: int
    """Still to come."""

    def ledger(self) -> dict[int, str]:
        return {ordinal: state for state, ordinal in self.log}


def steps(world: World, *, mended: bool) -> Iterator[World]:
    """What may happen next without a fault."""
    ledger = world.ledger()
    if mended and len(ledger) + len(world.waiting) < ORDINALS:  # counts that do not add up
        missing = tuple(o for o in range(ORDINALS) if o not in ledger)
        kept = tuple(("used", o) for o in missing if o in world.results)
        yield replace(world, waiting=tuple(o for o in missing if o not in world.results), log=world.log + kept)
        return
    if world.waiting:
        first, *rest = world.waiting
        issued = world.log if first in ledger else (*world.log, ("tasks", first))
        yield replace(world, waiting=tuple(rest), log=issued)
    for ordinal, state in ledger.items():
        if state == "tasks" and world.worker is None:
            yield replace(world, worker=ordinal)
        if state == "ready":
            yield replace(world, results=world.results | {ordinal}, log=(*world.log, ("used", ordinal)))
    if world.worker is not None:
        known = ledger.get(world.worker) == "tasks"  # else stale or a duplicate: settled, nothing added
        yield replace(world, worker=None, log=(*world.log, ("ready", world.worker)) if known else world.log)


def faults(world: World) -> Iterator[World]:
    """What may go wrong next."""
    if not world.faults:
        return
    left = world.faults - 1
    if world.worker is not None:
        yield replace(world, worker=None, faults=left)  # killed: the entry is claimed again
    for lost in range(1, min(LOST, len(world.log)) + 1):
        yield replace(world, log=world.log[:-lost], faults=left)


def is_done(world: World) -> bool:
    """As the jobs service sees it."""
    return not world.waiting and list(world.ledger().values()).count("used") == ORDINALS


def search(*, mended: bool) -> tuple[int, list[World]]:
    """How many states there are, and those in which nothing can happen any more although the pass is not done."""
    first = World(tuple(range(ORDINALS)), (), None, frozenset(), FAULTS)
    seen, queue, stuck = {first}, deque([first]), []
    while queue:
        world = queue.popleft()
        onward = [] if is_done(world) else list(steps(world, mended=mended))
        if not onward and not is_done(world):
            stuck.append(world)
        if is_done(world):
            assert world.results == set(range(ORDINALS)), world  # every ordinal's result is kept, and kept once
        for after in [*onward, *faults(world)]:
            if after not in seen:
                seen.add(after)
                queue.append(after)
    return len(seen), stuck


def test_no_kill_and_no_lost_suffix_makes_a_pass_wait_for_ever() -> None:
    states, stuck = search(mended=True)
    assert states > 1000 and stuck == []


def test_without_the_comparison_of_counts_the_search_finds_the_pass_that_waits_for_ever() -> None:
    """The model can show the fault: an `issue` is lost, nothing runs, one is missing."""
    _, stuck = search(mended=False)
    assert any(not world.waiting and world.worker is None and len(world.ledger()) < ORDINALS for world in stuck)
