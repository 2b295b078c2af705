"""The reward of a group, part by part.

    text prompt:   R = correct
    audio prompt:  R = correct_weight * correct + reasoning_weight * reasoning
    truncated:     R = 0

`reasoning` is presence (a well-formed response) or presence scaled by the grounded share. Grounding is computed and
reported for every audio prompt, whichever term the rule uses.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from earwitness.errors import InfrastructureError, InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.coherence import is_coherent
from reward.correctness import verify_answer
from reward.correctness.verify import Judge
from reward.format import parse_response
from reward.grounding import Grounding, check_claims
from reward.measure import Measurement, measure_uri
from reward.surrogate import denial_phrase, surrogate_phrase

MIN_CLAIMS = 1
"""Fewest distinct checkable claims of a trace that earns the grounded term: none said, none earned."""

JUDGED_AT_ONCE = 16
"""Requests to a judge at a time: a group of the usual size takes as long as its slowest sample."""

UNVERIFIABLE = (OSError, InfrastructureError, InputError, MemoryError)
"""Failures of the surroundings, not of the trajectory: they drop it, they never score it."""


def score_group(group: trajectory_pb2.Group, judge: Judge | None = None) -> None:
    """Fills `reward` of every trajectory in place; `judge` is asked where the prompt's verifier is the judge.

    The clip is the prompt's own even for the no-audio control, so that the control's supported share is what guessing
    earns. A trajectory that cannot be verified gets `drop_reason` and no other value.
    """
    prompt, rule = group.task.prompt, group.task.reward
    measurement = None
    if prompt.audio_uri:
        try:
            measurement = measure_uri(prompt.audio_uri)
        except UNVERIFIABLE as error:
            for trajectory in group.trajectories:
                trajectory.reward.CopyFrom(dropped(f"clip cannot be measured: {error}"))
            return

    def verified(trajectory: trajectory_pb2.Trajectory) -> trajectory_pb2.Reward:
        try:
            return score(trajectory, prompt, rule, measurement, judge)
        except UNVERIFIABLE as error:
            return dropped(f"answer cannot be verified: {error}")

    if prompt.verifier == trajectory_pb2.VERIFIER_JUDGE:
        with ThreadPoolExecutor(JUDGED_AT_ONCE) as pool:
            rewards = list(pool.map(verified, group.trajectories))
    else:
        rewards = [verified(trajectory) for trajectory in group.trajectories]
    for trajectory, reward in zip(group.trajectories, rewards, strict=True):
        trajectory.reward.CopyFrom(reward)


def score(
    trajectory: trajectory_pb2.Trajectory,
    prompt: trajectory_pb2.Prompt,
    rule: trajectory_pb2.RewardRule,
    measurement: Measurement | None,
    judge: Judge | None = None,
) -> trajectory_pb2.Reward:
    """The reward of one trajectory. `measurement` is None for text-only prompts.

    Raises ValueError if prompt or rule leave out what scoring needs, InfrastructureError if a verifier gave no verdict.
    """
    response = parse_response(trajectory.text, rule.min_think_chars)
    verified = verify_answer(prompt, response.answer, judge)
    truncated = trajectory.finish_reason == trajectory_pb2.FINISH_REASON_LENGTH
    reasoning = response.reasoning or ""
    grounding = check_claims(reasoning, prompt, measurement) if measurement is not None else Grounding()
    phrase = surrogate_phrase(reasoning) if measurement is not None else ""
    denial = (denial_phrase(reasoning) or denial_phrase(response.answer or "")) if measurement is not None else ""
    well_formed = response.well_formed and not truncated
    term = _reasoning_term(rule, well_formed, grounding)
    return trajectory_pb2.Reward(
        total=_total(rule, measurement is not None, verified.correct, term, truncated),
        correct=verified.correct and not truncated,
        well_formed=well_formed,
        truncated=truncated,
        reasoning=term,
        supported=grounding.supported,
        contradicted=grounding.contradicted,
        surrogate=bool(phrase),
        surrogate_phrase=phrase,
        denial=bool(denial),
        denial_phrase=denial,
        coherent=is_coherent(prompt, response.reasoning, response.answer),
        claims=grounding.claims,
        answer=verified.answer,
    )


def dropped(reason: str) -> trajectory_pb2.Reward:
    """The reward of a trajectory that could not be verified."""
    return trajectory_pb2.Reward(drop_reason=reason)


def _reasoning_term(rule: trajectory_pb2.RewardRule, well_formed: bool, grounding: Grounding) -> float:
    if rule.reasoning_term == trajectory_pb2.REASONING_TERM_PRESENCE:
        return float(well_formed)
    if rule.reasoning_term == trajectory_pb2.REASONING_TERM_GROUNDED:
        enough = grounding.supported + grounding.contradicted >= MIN_CLAIMS
        return grounding.share if well_formed and enough else 0.0
    raise ValueError("reward rule has no reasoning term; expected presence or grounded")


def _total(rule: trajectory_pb2.RewardRule, audio: bool, correct: bool, term: float, truncated: bool) -> float:
    if truncated:
        return 0.0
    if not audio:
        return float(correct)
    return rule.correct_weight * correct + rule.reasoning_weight * term
