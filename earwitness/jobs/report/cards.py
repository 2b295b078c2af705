"""The listening part of the page: a clip, its question, and what the policy said before and after."""

from __future__ import annotations

from collections.abc import Sequence

from earwitness.chat import split_response
from earwitness.jobs.report.clips import choose, players
from earwitness.jobs.report.figures import Evaluation
from earwitness.jobs.report.html import esc, table
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

VERDICTS = {
    wire.VERDICT_SUPPORTED: ("supported", "supported"),
    wire.VERDICT_CONTRADICTED: ("contradicted", "contradicted"),
}
"""Class and words of a verdict; all others are not checkable."""


def clips_section(cold_start: Evaluation | None, final: Evaluation | None) -> str:
    """A dozen clips with both policies' first samples."""
    sides = [("cold start", cold_start.groups if cold_start else []), ("final", final.groups if final else [])]
    return side_by_side(sides)


def side_by_side(policies: Sequence[tuple[str, Sequence[wire.Group]]]) -> str:
    """A dozen clips of the last policy, with the first sample of each that was asked the same. By name, groups."""
    *earlier, (last, groups) = policies
    before = [(who, {g.task.prompt.id: g for g in of}) for who, of in earlier]
    cards = ""
    for group in choose(groups):
        prompt = group.task.prompt
        sides = [(who, of[prompt.id]) for who, of in before if prompt.id in of and of[prompt.id].trajectories]
        cards += card(prompt, [_side(who, of, "") for who, of in sides] + [_side(last, group, " now")])
    note = (
        "The first clips of every kind, whatever came out. Listen, then read: claims that the waveform supports are "
        "green, those it contradicts red, guesses from the words amber."
    )
    return f"<h2>Listen</h2><p>{note}</p>{cards}" if cards else ""


def card(prompt: wire.Prompt, sides: Sequence[str]) -> str:
    """A clip, its question and right answer, and what was said of it, as HTML."""
    choices = "".join(f'<li class="{"right" if c == prompt.answer else ""}">{esc(c)}</li>' for c in prompt.choices)
    right = f'<ul class="choices">{choices}</ul>' if choices else f"<p>Right answer: {esc(prompt.answer)}</p>"
    return (
        f'<article class="card clip"><div class="top"><div>{players(prompt)}</div>'
        f'<div><p class="kind">{esc(prompt.kind.replace("_", " "))}</p><p class="question">{esc(prompt.question)}</p>'
        f'{right}</div></div><div class="sides">{"".join(sides)}</div></article>'
    )


def _side(who: str, group: wire.Group, extra: str) -> str:
    trajectory = group.trajectories[0]
    reward = trajectory.reward
    reasoning, answer = split_response(trajectory.text)
    outcome = '<span class="pill right">right</span>' if reward.correct else '<span class="pill wrong">wrong</span>'
    if reward.surrogate:
        outcome = f'<span class="pill surrogate">guess</span> {outcome}'
    said = reasoning if reasoning is not None else trajectory.text
    return (
        f'<div class="side{extra}"><div class="who"><span>{esc(who)}</span><span>{outcome}</span></div>'
        f'<p class="reasoning">{_marked(said, reward)}</p>'
        f'<p class="answer">{esc(answer if answer is not None else "no readable answer")}</p>{_claims(reward)}</div>'
    )


def _marked(text: str, reward: wire.Reward) -> str:
    """The reasoning with its claims coloured."""
    parts = []
    for piece, kind, measured in segments(text, reward):
        title = f' title="measured: {esc(measured)}"' if measured else ""
        parts.append(f'<mark class="{kind}"{title}>{esc(piece)}</mark>' if kind else esc(piece))
    return "".join(parts)


def segments(text: str, reward: wire.Reward) -> list[tuple[str, str, str]]:
    """The text in pieces: each with the class of its verdict and what was measured, both empty between the claims.

    Claims that overlap an earlier one stay plain.
    """
    spans = [(_find(text, c.text), len(c.text), verdict(c)[0], c.measured) for c in reward.claims]
    if reward.surrogate and reward.surrogate_phrase:
        spans.append((_find(text, reward.surrogate_phrase), len(reward.surrogate_phrase), "surrogate", ""))
    pieces, at = [], 0
    for start, length, kind, measured in sorted(s for s in spans if s[0] >= 0 and s[1]):
        if start < at:
            continue
        pieces += [(text[at:start], "", ""), (text[start : start + length], kind, measured)]
        at = start + length
    return [piece for piece in [*pieces, (text[at:], "", "")] if piece[0]]


def _find(text: str, part: str) -> int:
    """Where `part` stands, letter case aside (lower() keeps the length of what models write); -1 if nowhere."""
    exact = text.find(part)
    return exact if exact >= 0 else text.lower().find(part.lower())


def _claims(reward: wire.Reward) -> str:
    if not reward.claims:
        return ""
    rows = []
    for claim in reward.claims:
        kind, words = verdict(claim)
        pill = f'<span class="pill {kind}">{words}</span>'
        rows.append([esc(claim.kind), esc(claim.claimed), esc(claim.measured) or "–", pill])
    head = ["Claim", "Said", "Measured", ""]
    return table(head, rows, right_from=len(head)).replace('class="card scroll"', 'class="scroll"')


def verdict(claim: wire.Claim) -> tuple[str, str]:
    """Class and words."""
    return VERDICTS.get(claim.verdict, ("unchecked", "not checkable"))
