"""Claims of a trace with their verdicts, and the share that the waveform supports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.families import NUMBERS, own_of
from reward.families.base import Finding
from reward.measure import Measurement
from reward.parse import Reading, read_trace
from reward.parse.claim import Claim
from reward.several import check_among
from reward.statements import Alone, Change, Comparison, Count, Not, Statement, Value
from reward.verify import as_message

LEAST_EVIDENCE = 1.0
"""A trace of less than one number's worth cannot earn everything: a single "it rises" is half a guess."""


Read = Callable[[str, trajectory_pb2.Prompt], Reading]
"""A reader: what a trace, given its prompt, says of the sound."""


@dataclass(frozen=True)
class Grounding:
    """What the waveform says about a trace."""

    claims: list[trajectory_pb2.Claim] = field(default_factory=list)
    """Every distinct claim with its verdict, in the order of the trace."""
    distinct: list[Claim] = field(default_factory=list)
    """What was read for each of `claims`, in the same order."""
    supported: int = 0
    """Distinct claims that the waveform supports."""
    contradicted: int = 0
    """Distinct claims that the waveform contradicts."""
    earned: float = 0.0
    """What was heard and could not have been guessed, in [0, 1]."""
    unread: list[trajectory_pb2.Unread] = field(default_factory=list)
    """What is said of the sound in words that no claim was read from, with why."""
    read_by: str = ""
    """Who read the trace, if it was not simply the rules."""


def check_claims(
    reasoning: str,
    prompt: trajectory_pb2.Prompt,
    measured: Measurement | Sequence[Measurement],
    read: Read = read_trace,
) -> Grounding:
    """Reads the claims of `reasoning` and verifies each against `measured`, the prompt's clip or its clips in order.

    The same claim said twice counts once, also in other words: "the first is higher" and "the second is lower", 440 Hz
    and 445 Hz; a measured value supports one claimed value. Of claims that exclude each other the later counts against
    even where the measurement is so near a border that it would support both. What the question already says is no
    claim. A denial ("not a square") that is right counts for nothing, because there is no end to what a sound is not;
    one that is wrong counts against.
    """
    distinct: list[Claim] = []
    reading = read(reasoning, prompt)
    for claim in reading.claims:
        if not any(_same(claim.statement, earlier.statement) for earlier in distinct):
            distinct.append(claim)
    clips = [measured] if isinstance(measured, Measurement) else measured
    findings = [check_among(claim.statement, clips) for claim in distinct]
    supported: list[int] = []
    for index, (claim, finding) in enumerate(zip(distinct, findings, strict=True)):
        if finding.holds is not True or claim.uncertain or isinstance(claim.statement, Not):
            continue
        if any(_excludes(claim.statement, distinct[earlier].statement) for earlier in supported):
            findings[index] = Finding(False, f"{finding.measured}; it contradicts an earlier claim")
        elif not any(_same_value(claim, finding, distinct[n], findings[n], len(clips) > 1) for n in supported):
            supported.append(index)
    messages = [as_message(claim, finding) for claim, finding in zip(distinct, findings, strict=True)]
    contradicted = [n for n, m in enumerate(messages) if m.verdict == trajectory_pb2.VERDICT_CONTRADICTED]
    return Grounding(
        claims=messages,
        distinct=distinct,
        supported=len(supported),
        contradicted=len(contradicted),
        earned=_earned(distinct, messages, supported, contradicted),
        unread=[trajectory_pb2.Unread(text=unread.text, why=unread.why) for unread in reading.unread],
        read_by=reading.by,
    )


def _earned(
    distinct: list[Claim], messages: list[trajectory_pb2.Claim], supported: list[int], contradicted: list[int]
) -> float:
    """mean(s) · sum(s - p) / max(1, sum(1 - p)) over the claims with a verdict; 0 if that is less.

    s is 1 for a supported claim, p how likely a blind guess in its place would have been supported: on average guesses
    add nothing. Of k values said of one thing, one is right with probability 1 - (1 - p)^k. A trace that is lucky once
    and wrong twice has no good share of supported claims, mean(s), which takes from the luck of a single clip.
    """
    gained, possible = 0.0, 0.0
    said = Counter((c.statement.quantity, c.statement.part) for c in distinct if isinstance(c.statement, Value))
    for index in (*supported, *contradicted):
        statement, chance = distinct[index].statement, messages[index].chance
        if isinstance(statement, Value):
            chance = 1 - (1 - chance) ** said[statement.quantity, statement.part]
        gained += (index in supported) - chance
        possible += 1 - chance
    share = len(supported) / max(1, len(supported) + len(contradicted))
    return share * max(0.0, gained / max(LEAST_EVIDENCE, possible))


def _same_value(claim: Claim, finding: Finding, other: Claim, others: Finding, apart: bool) -> bool:
    """True for two values of one quantity that stand for the same measured one: "420 Hz" and "460 Hz" of 440. With
    `apart` parts are clips, each measured for itself."""
    one, two = claim.statement, other.statement
    if not (isinstance(one, Value) and isinstance(two, Value)) or finding.matched is None:
        return False
    if isinstance(one.part, int) and isinstance(two.part, int) and one.part != two.part and apart:
        return False
    return one.quantity is two.quantity and finding.matched == others.matched


def _excludes(one: Statement, other: Statement) -> bool:
    """True if not both statements can hold: "rises" and "stays level", three beeps and four."""
    match one, other:
        case (Change(), Change()):
            return one.quantity is other.quantity and one.part == other.part and one.relation is not other.relation
        case (Comparison(), Comparison()):
            if one.quantity is not other.quantity:
                return False
            if (one.part, one.other) == (other.part, other.other):
                return one.relation is not other.relation
            return (one.part, one.other) == (other.other, other.part) and one.relation is not other.relation.reverse
        case (Count(), Count()):
            return one.of is other.of and one.part == other.part and one.value != other.value
    return isinstance(one, Alone) and own_of(one).excludes and type(one) is type(other) and one != other


def _same(one: Statement, other: Statement) -> bool:
    """True if two statements say the same of the clip, as far as a tolerance can tell."""
    if isinstance(one, Value) and isinstance(other, Value):
        alike = one.quantity is other.quantity and one.part == other.part
        return alike and abs(one.value - other.value) <= NUMBERS[other.quantity].tolerance(other.value)
    if isinstance(one, Comparison) and isinstance(other, Comparison):
        turned = Comparison(other.quantity, other.other, other.part, other.relation.reverse, other.amount)
        return one in (other, turned)
    return one == other
