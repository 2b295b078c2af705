"""What the Step-Audio-R1 paper (arXiv 2511.15848) claims of its recipe, as figures of reports, and if it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

A_CLIP = 100 / 280
"""Points of accuracy that one of the held-out clips is: what is to beat another must be right once more."""

BELOW = "points below chance"

Report = Mapping[str, Any]
Reports = Mapping[tuple[str, int], Report]
"""By variant and seed."""


@dataclass(frozen=True)
class Claim:
    """One row."""

    words: str
    paper: str
    """What the paper reports."""
    jobs: tuple[str, ...]
    """Whose reports it is told from, in the order of `seen`'s arguments."""
    seen: Callable[..., float]
    """The figure of one seed."""
    at_least: float
    """It holds if the mean over seeds is not below this."""
    unit: str = "points"
    why_not: str = ""
    """The likeliest reason, told where it does not hold."""


@dataclass(frozen=True)
class Row:
    """A claim and what was seen."""

    claim: str
    paper: str
    seen: list[float]
    """By seed; empty where a report is missing."""
    at_least: float
    unit: str
    holds: bool | None
    """None: not known."""
    why_not: str = ""
    """If it does not hold."""

    def as_json(self) -> dict[str, Any]:
        """For paper.json."""
        return asdict(self)

    def cells(self) -> list[str]:
        """A line of the table."""
        if not self.seen:
            return [self.claim, self.paper, "no report", "not known"]
        spread = f" ({min(self.seen):+z.1f} to {max(self.seen):+z.1f})" if len(self.seen) > 1 else ""
        seen = f"{mean(self.seen):+z.1f} {self.unit}{spread}, at least {self.at_least:+.2g}"
        return [self.claim, self.paper, seen, "holds" if self.holds else "does not hold"]


def points(high: float, low: float) -> float:
    """A difference of shares."""
    return 100 * (high - low)


def gained(report: Report, to: str, by: str) -> float:
    """Accuracy between two milestones of one job."""
    return points(report["accuracy"][to], report["accuracy"][by])


def by_thinking(report: Report, evaluation: str) -> float:
    """Accuracy with the largest think budget over that with none."""
    curve = {p["budget"]: p["accuracy"] for p in report["thinking"] if p["evaluation"] == evaluation}
    return points(curve[max(curve)], curve[min(curve)])


def better(report: Report, other: Report) -> float:
    """Final accuracy of one job over another."""
    return points(report["accuracy"]["final"], other["accuracy"]["final"])


def truer(report: Report, other: Report) -> float:
    """Share of claims that the sound supports, of those that it decides, of one job at its end over another."""
    return points(report["supported_share"]["final"], other["supported_share"]["final"])


def above_chance(report: Report, control: str) -> float:
    """Accuracy where the sound cannot tell: how far above that of blind guesses."""
    return points(report["accuracy"][f"final_{control}"], report["accuracy"]["chance"])


def last_round(report: Report) -> float:
    """Accuracy after the last round that was gone through over that after the first."""
    after = [of["round_accuracy"] for of in report["rounds"] if "round_accuracy" in of]
    return points(after[-1], after[0])


CLAIMS = (
    Claim("MGRD raises accuracy", "reasoning becomes grounded over its rounds", ("whole",),
          lambda r: gained(r, "distilled", "cold_start"), 5),
    Claim("MGRD and RL end guesses from the words", "surrogate reasoning is the disease", ("whole",),
          lambda r: points(r["surrogate_share"]["cold_start"], r["surrogate_share"]["final"]), 20),
    Claim("RL adds to the distilled policy", "RL is the recipe's last step up", ("whole",),
          lambda r: gained(r, "final", "distilled"), 5),
    Claim("Longer thinking helps once it is grounded", "accuracy rises with reasoning length", ("whole",),
          lambda r: by_thinking(r, "final"), 10),
    Claim("... and does not before", "it falls or is flat", ("whole",), lambda r: -by_thinking(r, "cold_start"), -5,
          why_not="A toy's block concludes last, a guess too: closed sooner, it has less of an answer."),
    Claim("It helps where answers are worked out", "the same", ("reasoning",), lambda r: by_thinking(r, "final"), 10),
    Claim("... and not at their cold start", "the same", ("reasoning",), lambda r: -by_thinking(r, "cold_start"), -5,
          why_not="As above: the conclusion stands last."),
    Claim("Without audio nothing is left", "not reported", ("whole",),
          lambda r: -above_chance(r, "without_audio"), -7, BELOW),
    Claim("... nor with the clip of another question", "not reported", ("whole",),
          lambda r: -above_chance(r, "shuffled_audio"), -7, BELOW),
    Claim("... nor with a clip without what decides", "not reported", ("whole",),
          lambda r: -above_chance(r, "decisive_removed"), -7, BELOW),
    Claim("MGRD before RL beats RL alone", "both are needed", ("whole", "without-mgrd"), better, A_CLIP,
          why_not="RL alone comes as far: who guesses half the time is right often enough to learn."),
    Claim("PPO, the paper's algorithm, adds as well", "PPO", ("by-ppo", "whole"),
          lambda p, w: points(p["accuracy"]["final"], w["accuracy"]["distilled"]), 5),
    Claim("Grounding in MGRD's filter raises the share of true claims where many are invented",
          "acoustic grounding is the criterion", ("mgrd-inventing", "mgrd-ungrounded"), truer, 3,
          why_not="Of what is sampled too few traces are free of invented values."),
    Claim("Coherence in MGRD's filter helps", "traces must come to their answer", ("whole", "mgrd-incoherent"),
          lambda w, i: points(w["evaluations"]["distilled"], i["evaluations"]["distilled"]), A_CLIP,
          why_not="A right answer that its trace does not come to is rare: the filter takes little away."),
    Claim("Further rounds of MGRD and RL add to the first", "three rounds", ("rounds",), last_round, A_CLIP,
          why_not="The first round comes to where RL alone ends at this size."),
    Claim("Without the format reward thinking collapses", "think tokens fall from 3,000 to below 1,500",
          ("presence", "without-format"),
          lambda p, w: 100 * (1 - w["think_tokens"]["final"] / p["think_tokens"]["cold_start"]), 30, "%",
          why_not="An answer without its account is wrong more often: thinking is worth more than it is rewarded."),
    Claim("... and with it thinking stays", "2,300 to 2,800 think tokens to the end", ("presence",),
          lambda p: 100 * (p["think_tokens"]["final"] / p["think_tokens"]["cold_start"] - 1), 0, "%",
          why_not="Right answers at once earn more than the reward for reasoning."),
    Claim("... and accuracy is lower", "76.5 against 77.7 on MMAU", ("presence", "without-format"), better, A_CLIP,
          why_not="Answers at once are as good where a glance tells."),
    Claim("`grounded` ends invented values, `presence` does not", "ours", ("inventing", "inventing-presence"),
          truer, 20,
          why_not="The share rises, by less: a policy that is sure of what it says tries nothing else."),
    Claim("Prompts right 3 to 6 times of 8 beat the hardest (0 or 1)",
          "0 of 8: a reward of 0.45 to 0.70, not 0.75 to 0.80", ("window", "hardest"), better, A_CLIP),
    Claim("... and unfiltered ones", "unfiltered: no gain", ("window", "unfiltered"), better, A_CLIP),
    Claim("... and as many at random", "not reported", ("window", "random"), better, A_CLIP),
    Claim("Self-distillation and DPO end denials", "6.76, 2.63, 0.02 %", ("self-cognition",),
          lambda r: -100 * r["denials"]["corrected"], -0.1, "%"),
)  # fmt: skip


def judged(reports: Reports) -> list[Row]:
    """Every claim over the seeds that all of its jobs have a report of."""
    rows = []
    for claim in CLAIMS:
        seeds = set.intersection(*({seed for name, seed in reports if name == job} for job in claim.jobs))
        seen = [float(claim.seen(*(reports[job, seed] for job in claim.jobs))) for seed in sorted(seeds)]
        holds = mean(seen) >= claim.at_least if seen else None
        why = claim.why_not if holds is False else ""
        rows.append(Row(claim.words, claim.paper, seen, claim.at_least, claim.unit, holds, why))
    return rows
