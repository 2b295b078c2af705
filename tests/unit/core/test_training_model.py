"""The promise of a training pass on a small model, searched exhaustively: whatever is killed, whoever comes back, and
whatever suffix of the queue's log a crash loses, the policy that survives has learned from every ordinal once at most,
from none that was dropped, and the pass can always still end.

`test_queue_model.py` does the same for a sampling pass. The model has the effects of the scripts, each atomic; a crash
of the server goes back by some of them, while processes keep what they have in hand, and the disk what it has. Lineages
are claimed on the disk (`next_lineage`), so they only grow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Flag, auto

import pytest

STEPS = 2
"""Of one group each."""
LOST = 2
"""Most effects that one crash undoes."""
AHEAD = 1
"""Groups beyond those of the step in hand: `max_staleness`."""
BORING = 0
"""The ordinal that reward workers drop, as all its samples are right."""


class Without(Flag):
    """Rules that are left out, to show that the search finds what they are for."""

    NOTHING = 0
    RESERVING = auto()
    """A group is marked as used before it is learned from."""
    REMEMBERING = auto()
    """The trainer knows what it has learned from, whatever the ledger says."""
    FENCE = auto()
    """A checkpoint of an older lineage is not written."""
    REOPENING = auto()
    """A run that the queue has lost is opened again."""


class Violation(Exception):
    """The promise is broken."""


@dataclass(frozen=True)
class Server:
    """The queue."""

    run: int | None = None
    """Lineage whose run is current."""
    newest: int = 0
    ledger: frozenset[tuple[int, str]] = frozenset()

    def state(self, ordinal: int) -> str:
        return dict(self.ledger).get(ordinal, "")

    def put(self, ordinal: int, state: str) -> Server:
        kept = {(o, s) for o, s in self.ledger if o != ordinal}
        return replace(self, ledger=frozenset({*kept, (ordinal, state)}))

    def opened(self, lineage: int, used: frozenset[int]) -> Server:
        fresh = self if self.run == lineage else replace(self, ledger=frozenset())
        for ordinal in used:
            if fresh.state(ordinal) != "dropped":
                fresh = fresh.put(ordinal, "used")
        return replace(fresh, run=lineage, newest=lineage)


@dataclass(frozen=True)
class Trainer:
    """A process: what it has in memory."""

    lineage: int
    used: frozenset[int]
    """What its policy has learned from."""
    opened: bool = False
    held: int | None = None
    reserved: bool = False


@dataclass(frozen=True)
class World:
    """One state of everything."""

    history: tuple[Server, ...] = (Server(),)
    """Of the server, as far as a crash goes back; the last is now."""
    trainers: tuple[Trainer, ...] = ()
    """That run, the oldest first."""
    claimed: int = 0
    """The newest lineage on disk."""
    saved: tuple[int, frozenset[int]] = (0, frozenset())
    """The newest checkpoint: its lineage, and what its policy has learned from."""
    worker: tuple[int, int] | None = None
    """Run and ordinal that a worker has in hand."""
    following: int = 0
    """Ordinal that is issued next, as who issues remembers."""
    faults: int = 1
    """Still to come."""

    @property
    def server(self) -> Server:
        return self.history[-1]

    def after(self, server: Server) -> World:
        """With an effect at the server."""
        return self if server == self.server else replace(self, history=(*self.history, server)[-LOST - 1 :])

    def become(self, old: Trainer, new: Trainer | None) -> World:
        """With a trainer in another state, or ended."""
        trainers = (t if t != old else new for t in self.trainers)
        return replace(self, trainers=tuple(t for t in trainers if t is not None))

    def done(self) -> bool:
        return len(self.saved[1]) == STEPS


def steps(world: World, without: Without) -> Iterator[World]:
    """What may happen next without a fault."""
    for trainer in world.trainers:
        yield from _train(world, trainer, without)
    yield from _issue(world)
    server = world.server
    if world.worker is None:
        for ordinal, state in server.ledger:
            if state == "issued" and server.run is not None:
                yield replace(world, worker=(server.run, ordinal))
    else:
        run, ordinal = world.worker
        if server.run == run and server.state(ordinal) == "issued":
            server = server.put(ordinal, "dropped" if ordinal == BORING else "ready")
        yield replace(world, worker=None).after(server)
    if not any(trainer.lineage == world.claimed for trainer in world.trainers):
        yield _started(world)


def _started(world: World) -> World:
    newest = Trainer(world.claimed + 1, world.saved[1])
    return replace(world, claimed=newest.lineage, trainers=(*world.trainers, newest), following=0)


def _issue(world: World) -> Iterator[World]:
    newest = next((t for t in world.trainers if t.lineage == world.claimed and t.opened), None)
    if newest is None:
        return
    server, following = world.server, world.following
    if server.run == newest.lineage and len(server.ledger) < following:
        following = 0
    running = sum(state in ("issued", "ready", "used") for _, state in server.ledger)
    if server.run == newest.lineage and running >= len(newest.used) + 1 + AHEAD:
        return
    if server.run == newest.lineage and not server.state(following):
        yield replace(world, following=following + 1).after(server.put(following, "issued"))
    elif server.state(following):
        yield replace(world, following=following + 1)


def _train(world: World, trainer: Trainer, without: Without) -> Iterator[World]:
    server = world.server
    if not trainer.opened or (server.run != trainer.lineage and Without.REOPENING not in without):
        if trainer.lineage < server.newest:
            yield world.become(trainer, None)  # StaleRunError
        else:
            opened = server.opened(trainer.lineage, trainer.used)
            yield world.become(trainer, replace(trainer, opened=True)).after(opened)
    if trainer.held is not None:
        yield from _learn(world, trainer, without)
    elif server.run == trainer.lineage and len(trainer.used) < STEPS:
        for ordinal, state in server.ledger:
            if state == "ready" and ordinal in trainer.used and Without.REMEMBERING not in without:
                yield world.after(server.put(ordinal, "used"))
            elif state == "ready":
                yield world.become(trainer, replace(trainer, held=ordinal))
    if trainer.opened and trainer.used > world.saved[1]:
        if world.claimed > trainer.lineage and Without.FENCE not in without:
            yield world.become(trainer, None)  # CheckpointError
        elif world.saved[0] > trainer.lineage:
            raise Violation(f"lineage {trainer.lineage} wrote over a checkpoint of lineage {world.saved[0]}")
        else:
            yield replace(world, saved=(trainer.lineage, trainer.used))


def _learn(world: World, trainer: Trainer, without: Without) -> Iterator[World]:
    """From the group in hand."""
    server, held = world.server, trainer.held
    assert held is not None
    free = replace(trainer, held=None, reserved=False)
    if not trainer.reserved and Without.RESERVING not in without:
        if server.run != trainer.lineage:
            return  # stale: it opens the run again, or ends
        if server.state(held) in ("dropped", "used"):
            yield world.become(trainer, free)  # put away
        else:
            yield world.become(trainer, replace(trainer, reserved=True)).after(server.put(held, "used"))
        return
    if held in trainer.used:
        raise Violation(f"ordinal {held} was learned from twice")
    if server.run == trainer.lineage and server.state(held) == "dropped":
        raise Violation(f"ordinal {held} was dropped, and is learned from")
    yield world.become(trainer, replace(free, used=trainer.used | {held}))


def faults(world: World) -> Iterator[World]:
    """What may go wrong next."""
    if not world.faults:
        return
    world = replace(world, faults=world.faults - 1)
    for trainer in world.trainers:
        yield world.become(trainer, None)
    if world.worker is not None:
        yield replace(world, worker=None)
    if world.following:
        yield replace(world, following=0)  # who issues is started again
    if world.trainers:
        yield _started(world)  # the older one is only cut off, and comes back
    for lost in range(1, len(world.history)):
        yield replace(world, history=world.history[:-lost])
    for ordinal, state in world.server.ledger:
        if state in ("issued", "ready") and not any(t.reserved and t.held == ordinal for t in world.trainers):
            yield world.after(world.server.put(ordinal, "dropped"))  # a dead letter


def search(without: Without = Without.NOTHING, *, faults_to_come: int = 1) -> tuple[int, int]:
    """How many states there are, and from how many of them the pass cannot end any more. Raises Violation."""
    first = World(faults=faults_to_come)
    number, queue, ways = {first: 0}, deque([first]), dict[int, list[int]]()
    ends = deque[int]()
    while queue:
        world = queue.popleft()
        here = number[world]
        if world.done():
            ends.append(here)
            continue
        for harmless, following in ((True, steps(world, without)), (False, faults(world))):
            for after in following:
                if after not in number:
                    number[after] = len(number)
                    queue.append(after)
                if harmless:
                    ways.setdefault(number[after], []).append(here)
    can_end = set(ends)
    while ends:  # back from the ends, along steps that need no luck
        for before in ways.get(ends.popleft(), ()):
            if before not in can_end:
                can_end.add(before)
                ends.append(before)
    return len(number), len(number) - len(can_end)


@pytest.mark.parametrize("faults_to_come", [1, pytest.param(2, marks=pytest.mark.long)])
def test_whatever_happens_no_ordinal_takes_effect_twice_and_the_pass_can_end(faults_to_come: int) -> None:
    """Two faults make a million states, and take a minute."""
    states, stuck = search(faults_to_come=faults_to_come)
    assert states > {1: 30_000, 2: 900_000}[faults_to_come] and stuck == 0


@pytest.mark.parametrize("rule", [Without.RESERVING, Without.REMEMBERING, Without.FENCE])
def test_without_a_rule_the_search_finds_what_it_is_for(rule: Without) -> None:
    with pytest.raises(Violation):
        search(rule)


def test_without_opening_a_lost_run_again_the_search_finds_passes_that_never_end() -> None:
    assert search(Without.REOPENING)[1] > 0
