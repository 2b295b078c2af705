"""Why a policy does not learn: one rule a trouble, each with what it looks at and from which value on it holds.

`now` and `begin` are means over the newest and the first fifth of the phase's steps, at most 50 each (`Window`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from earwitness.explain.window import Window
from earwitness.metrics import CLAIMS, KIND
from earwitness.series import curve

FEWEST_STEPS = 10
"""Before so many steps trends mean nothing."""

ALIKE = 0.5
"""Share of groups without anything to prefer from which on most of the work is for nothing."""

COLLAPSED = 0.5
"""Of its length at the begin: reasoning that has shrunk to this has been unlearned."""

TRUNCATED = 0.2
"""Share of answers that are cut off, and so score 0, from which on the limit decides what is learned."""

GAP = 0.05
"""Nats. Rollout and trainer are then off by 5 % a token, which importance weights only partly mend."""

GAP_GROWTH = 3.0
"""Times the gap of the begin that are a trend ..."""
GAP_LEAST = 0.005
"""... unless the gap is so small (nats) that it means nothing."""

ENTROPY_LEFT = 0.2
"""Share of the first entropy below which nothing is explored any more."""

CLIPPED = 0.3
"""Share of clipped tokens from which on most of an update is thrown away: its step is too large."""

MOST_CORRECT = 0.9
"""A kind of question that is right so often need not move."""

ERRORS = 2.0
"""Standard errors of the difference within which begin and present of a kind are the same."""

FEWEST_CLAIMS = 20
"""Claims of a family, in the newest steps, without which its share says nothing."""

FAILS = 0.5
"""Share of contradicted claims of a family from which on it is heard no better than guessed."""


CHANCE = 0.5
"""Share of supported claims that a coin would have: most claims have two sides."""


GAINED = 0.05
"""A reward that has risen by so much ..."""
MOVED = 0.01
"""... while held-out accuracy has risen by less than this, pays for something else than being right."""


@dataclass(frozen=True)
class Finding:
    """One trouble."""

    rule: str
    """Name of the rule."""
    words: str
    """What is, for people."""
    advice: str
    """What may mend it."""
    figures: dict[str, float]
    """What it was seen in."""


@dataclass(frozen=True)
class Seen:
    """What the rules look at."""

    window: Window
    groups: Mapping[str, float]
    """`used`, and of what was dropped the number by reason, as far as it was told; empty before."""

    held_out: tuple[float, float] | None = None
    """Accuracy of the evaluations before and after the stage, where there are both."""

    def share_dropped(self, reason: str) -> float:
        """Of all groups that came to an end."""
        total = sum(self.groups.values())
        return self.groups.get(reason, 0.0) / total if total else 0.0


Rule = Callable[[Seen], Finding | None]


def all_wrong(seen: Seen) -> Finding | None:
    """Most groups have no right answer: dropped for it, or learned from."""
    advice = "begin with easier prompts, tune longer before RL, or sample more answers"
    return _alike(seen, "all_wrong", "all wrong", advice)


def all_right(seen: Seen) -> Finding | None:
    """Most groups have no wrong answer."""
    return _alike(seen, "all_right", "all correct", "select harder prompts, or end the stage here")


def length_collapse(seen: Seen) -> Finding | None:
    """The reasoning is half as long as it was, or less."""
    begin, now = _both(seen, "think_tokens.mean")
    if begin is None or now is None or now > COLLAPSED * begin:
        return None
    words = f"reasoning has shrunk from {begin:.0f} to {now:.0f} tokens"
    advice = "weigh `grounded` in the reward, lower the learning rate, or add a KL term"
    return Finding("length_collapse", words, advice, {"begin": begin, "now": now})


def truncated(seen: Seen) -> Finding | None:
    """Many answers are cut off."""
    now = seen.window.now("truncated_share")
    if now is None or now < TRUNCATED:
        return None
    words = f"{now:.0%} of the answers are cut off, and score 0"
    return Finding("truncated", words, "raise `sampling.max_tokens`, or weigh `overlong`", {"now": now})


def logprob_gap(seen: Seen) -> Finding | None:
    """Rollout and trainer are no longer the same policy."""
    begin, now = _both(seen, "logprob_gap.mean")
    now = seen.window.now("logprob_gap.mean")
    grown = begin is not None and now is not None and now > max(GAP_LEAST, GAP_GROWTH * begin)
    if now is None or not (now > GAP or grown):
        return None
    words = f"rollout and trainer differ by {now:.2g} nats a token" + (f", {begin:.2g} at first" if begin else "")
    advice = "lower `max_staleness`, and look whether rollout and trainer compute in one dtype"
    return Finding("logprob_gap", words, advice, {"begin": begin or 0.0, "now": now})


def entropy_collapse(seen: Seen) -> Finding | None:
    """Nothing is explored any more."""
    begin, now = _both(seen, "entropy")
    if begin is None or now is None or now >= ENTROPY_LEFT * begin:
        return None
    words = f"entropy has fallen from {begin:.2g} to {now:.2g} nats"
    return Finding("entropy_collapse", words, "raise `entropy_coef` or `clip_high`", {"begin": begin, "now": now})


def clipped(seen: Seen) -> Finding | None:
    """Updates are larger than the clip lets through."""
    now = seen.window.now("clip_share")
    if now is None or now < CLIPPED:
        return None
    return Finding("clipped", f"{now:.0%} of the tokens are clipped", "lower the learning rate, or `max_staleness`",
                   {"now": now})  # fmt: skip


def reward_alone(seen: Seen) -> Finding | None:
    """The reward has risen, and held-out accuracy has not."""
    begin, now = _both(seen, "reward.mean")
    if begin is None or now is None or seen.held_out is None or now - begin < GAINED:
        return None
    before, after = seen.held_out
    if after - before >= MOVED:
        return None
    words = f"reward rose from {begin:.2f} to {now:.2f}, held-out accuracy went from {before:.1%} to {after:.1%}"
    advice = "look at samples with a high reward: which term pays, and for what"
    return Finding("reward_alone", words, advice, {"begin": begin, "now": now, "before": before, "after": after})


def kinds_still(seen: Seen) -> Finding | None:
    """Kinds of question that are answered as at first, and not well."""
    still = {}
    for name in seen.window.names(KIND):
        values = [value for _, value in curve(seen.window.steps, name)]
        third = len(values) // 3
        if third < FEWEST_STEPS // 2:
            continue
        first, last = values[:third], values[-third:]
        error = math.sqrt((_variance(first) + _variance(last)) / third)
        now = sum(last) / third
        if now < MOST_CORRECT and abs(now - sum(first) / third) <= ERRORS * error:
            still[name.removeprefix(KIND)] = now
    if not still:
        return None
    words = "no better than at first: " + ", ".join(f"{kind} ({share:.0%} right)" for kind, share in still.items())
    return Finding(
        "kinds_still", words, "look at their samples: the clip, the question, or the verifier may be at fault", still
    )


def claims_fail(seen: Seen) -> Finding | None:
    """Families of claims that the waveform contradicts more often than not."""
    failing = {}
    for family in sorted({name.removeprefix(CLAIMS).rpartition(".")[0] for name in seen.window.names(CLAIMS)}):
        contradicted = seen.window.total(f"{CLAIMS}{family}.contradicted")
        checked = contradicted + seen.window.total(f"{CLAIMS}{family}.supported")
        if checked >= FEWEST_CLAIMS and contradicted / checked > FAILS:
            failing[family] = contradicted / checked
    if not failing:
        return None
    worst = sorted(failing, key=lambda family: -failing[family])
    words = "claims that mostly fail: " + ", ".join(f"{family} ({failing[family]:.0%})" for family in worst)
    return Finding("claims_fail", words, "more lessons on them, or a grounded reward", failing)


def grounded_at_chance(seen: Seen) -> Finding | None:
    """All claims together are heard no better than guessed."""
    names = seen.window.names(CLAIMS)
    supported = sum(seen.window.total(name) for name in names if name.endswith(".supported"))
    checked = sum(seen.window.total(name) for name in names)
    if checked < FEWEST_CLAIMS or supported / checked > CHANCE:
        return None
    words = f"the waveform supports {supported / checked:.0%} of the claims, no more than chance"
    return Finding(
        "grounded_at_chance", words, "weigh `grounded`, or teach hearing first", {"now": supported / checked}
    )


RULES: tuple[Rule, ...] = (
    all_wrong, all_right, logprob_gap, entropy_collapse, length_collapse, truncated, clipped, reward_alone,
    kinds_still, grounded_at_chance, claims_fail,
)  # fmt: skip
"""What nothing else can be learned under comes first."""


def findings(seen: Seen) -> list[Finding]:
    """The troubles of a phase."""
    return [found for rule in RULES if (found := rule(seen)) is not None]


def _alike(seen: Seen, rule: str, reason: str, advice: str) -> Finding | None:
    """`reason`: for which such groups are dropped where they are filtered."""
    dropped, learned = seen.share_dropped(reason), seen.window.now(f"groups.{rule}") or 0.0
    share = max(dropped, learned)
    if share < ALIKE:
        return None
    how = "dropped for it" if dropped >= learned else "learned from all the same"
    return Finding(rule, f"{share:.0%} of the groups are {reason}, {how}", advice, {"share": share})


def _both(seen: Seen, name: str) -> tuple[float | None, float | None]:
    """Begin and present of a figure; None of a phase that is too short for a trend."""
    if len(seen.window.steps) < FEWEST_STEPS:
        return None, None
    return seen.window.begin(name), seen.window.now(name)


def _variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
