"""The reward of a group, part by part.

    audio prompt:  R = sum over the terms of the rule of weight * value
    text prompt:   R = correct
    truncated:     R = 0

The terms stand in `reward.terms`. Grounding is computed and reported for every audio prompt, whichever terms the rule
has.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from earwitness.errors import InfrastructureError, InputError
from earwitness.hearing import clip_uris
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.coherence import is_coherent
from reward.correctness import verify_answer
from reward.correctness.rules import Judge
from reward.format import parse_response
from reward.grounding import Grounding, Read, check_claims
from reward.measure import Measurement, measure_uri
from reward.parse import read_trace
from reward.surrogate import denial_phrase, surrogate_phrase
from reward.terms import REASONING, reward_of, weights_of
from reward.terms.base import Scored

ASKED_AT_ONCE = 16
"""Requests to a judge or a reader at a time: a group of the usual size takes as long as its slowest sample."""

UNVERIFIABLE = (OSError, InfrastructureError, InputError, MemoryError)
"""Failures of the surroundings, not of the trajectory: they drop it, they never score it."""


def score_group(group: trajectory_pb2.Group, judge: Judge | None = None, read: Read = read_trace) -> None:
    """Fills `reward` of every trajectory in place; `judge` is asked where the prompt's verifier is the judge, `read`
    reads the claims.

    The clips are the prompt's own even for the no-audio control, so that the control's supported share is what guessing
    earns. A trajectory that cannot be verified gets `drop_reason` and no other value.
    """
    prompt, rule = group.task.prompt, group.task.reward
    try:
        measured = [measure_uri(uri) for uri in clip_uris(prompt)]
    except UNVERIFIABLE as error:
        for trajectory in group.trajectories:
            trajectory.reward.CopyFrom(dropped(f"clip cannot be measured: {error}"))
        return

    def verified(trajectory: trajectory_pb2.Trajectory) -> trajectory_pb2.Reward:
        try:
            return score(trajectory, prompt, rule, measured, judge, group.task.sampling.max_tokens, read)
        except UNVERIFIABLE as error:
            return dropped(f"answer cannot be verified: {error}")

    if prompt.verifier == trajectory_pb2.VERIFIER_JUDGE or read is not read_trace:
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            rewards = list(pool.map(verified, group.trajectories))
    else:
        rewards = [verified(trajectory) for trajectory in group.trajectories]
    for trajectory, reward in zip(group.trajectories, rewards, strict=True):
        trajectory.reward.CopyFrom(reward)


def score(
    trajectory: trajectory_pb2.Trajectory,
    prompt: trajectory_pb2.Prompt,
    rule: trajectory_pb2.RewardRule,
    measured: Sequence[Measurement],
    judge: Judge | None = None,
    max_tokens: int = 0,
    read: Read = read_trace,
) -> trajectory_pb2.Reward:
    """The reward of one trajectory. measured: the clips in order, none for text-only prompts; `max_tokens`:
    it could have had.

    Raises ValueError if the prompt leaves out what scoring needs, InputError for a rule without terms,
    InfrastructureError if a verifier gave no verdict.
    """
    weights = weights_of(rule)
    response = parse_response(trajectory.text, rule.min_think_chars)
    verified = verify_answer(prompt, response.answer, judge)
    truncated = trajectory.finish_reason == trajectory_pb2.FINISH_REASON_LENGTH
    reasoning = response.reasoning or ""
    grounding = check_claims(reasoning, prompt, measured, read) if measured else Grounding()
    phrase = surrogate_phrase(reasoning) if measured else ""
    denial = (denial_phrase(reasoning) or denial_phrase(response.answer or "")) if measured else ""
    well_formed = response.well_formed and not truncated
    scored = Scored(rule, verified.correct, well_formed, grounding, len(trajectory.token_ids), max_tokens)
    total, parts = reward_of(scored, weights, audio=bool(measured), truncated=truncated)
    return trajectory_pb2.Reward(
        total=total,
        correct=verified.correct and not truncated,
        well_formed=well_formed,
        truncated=truncated,
        reasoning=max((parts[name] for name in REASONING if name in parts), default=0.0),
        supported=grounding.supported,
        contradicted=grounding.contradicted,
        surrogate=bool(phrase),
        surrogate_phrase=phrase,
        denial=bool(denial),
        denial_phrase=denial,
        coherent=is_coherent(prompt, response.reasoning, response.answer),
        claims=grounding.claims,
        answer=verified.answer,
        parts=parts,
        unread=grounding.unread,
        read_by=grounding.read_by,
    )


def dropped(reason: str) -> trajectory_pb2.Reward:
    """The reward of a trajectory that could not be verified."""
    return trajectory_pb2.Reward(drop_reason=reason)
