"""Pages to listen to: a sample of a manifest, and what an evaluation got wrong."""

from __future__ import annotations

from collections.abc import Sequence

from earwitness.jobs.report.cards import card, side_by_side
from earwitness.jobs.report.html import document, esc
from earwitness.manifest import Example
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire


def render_sample(name: str, examples: Sequence[Example], total: int) -> str:
    """Examples of a manifest of `total`, with their clips, answers and traces, as one page without a script."""
    shown = "".join(card(example.prompt, _sides(example)) for example in examples)
    lead = f"{len(examples)} of {total:,} lines. Clips are cut at 15 s."
    return document(name, f"<header><h1>{esc(name)}</h1><p>{esc(lead)}</p></header>{shown}")


def _sides(example: Example) -> list[str]:
    if example.reasoning is None:
        return []
    answer = example.prompt.answer if example.response is None else example.response
    return [
        f'<div class="side"><div class="who"><span>{esc(example.prompt.id)}</span></div>'
        f'<p class="reasoning">{esc(example.reasoning)}</p><p class="answer">{esc(answer)}</p></div>'
    ]


def render_mistakes(name: str, groups: Sequence[wire.Group]) -> str:
    """Groups whose first sample is wrong, a dozen in turns over the kinds."""
    wrong = [group for group in groups if group.trajectories and not group.trajectories[0].reward.correct]
    lead = f"{len(wrong):,} of {len(groups):,} first answers are wrong by the strict rule; these are some of each kind."
    cards = side_by_side([("this model", wrong)])
    return document(f"{name}: what went wrong", f"<header><h1>{esc(name)}</h1><p>{esc(lead)}</p></header>{cards}")
