"""How the parts combine, verdicts on a real file, and what cheating earns."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import measure
from reward.score import score_group
from reward.terms import weights_of

HONEST = "The first tone is near 440 Hz and the second is near 620 Hz, so the second is higher.\n</think>\nsecond"
PRESENCE = trajectory_pb2.REASONING_TERM_PRESENCE
SUPPORTED, CONTRADICTED = trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_CONTRADICTED


def rewards(group: trajectory_pb2.Group) -> list[trajectory_pb2.Reward]:
    score_group(group)
    return [trajectory.reward for trajectory in group.trajectories]


def test_an_honest_trace_earns_everything(make_group):
    (reward,) = rewards(make_group(HONEST))
    assert reward.total == pytest.approx(1.0)
    assert (reward.correct, reward.well_formed, reward.coherent, reward.surrogate) == (True, True, True, False)
    assert (reward.supported, reward.contradicted) == (3, 0)
    assert [claim.verdict for claim in reward.claims] == [SUPPORTED] * 3
    assert reward.claims[0].measured.endswith("Hz")
    assert reward.answer == "second"


def test_claims_are_contradicted_with_the_measured_value(make_group):
    (reward,) = rewards(
        make_group(
            "The first tone is near 800 Hz and lasts 1.2 s, so the first is higher. I hear 5 beeps.\n</think>\nfirst"
        )
    )
    assert [claim.verdict for claim in reward.claims] == [CONTRADICTED] * 4
    assert "439 Hz" in reward.claims[0].measured
    assert reward.total == 0


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("The second is about 8 dB louder than the first.", SUPPORTED),
        ("The second is about 3 dB louder than the first.", CONTRADICTED),
        ("The first is louder.", CONTRADICTED),
        ("The second lasts about 0.6 s.", SUPPORTED),
        ("The second lasts about 0.3 s.", CONTRADICTED),
        ("The second is longer than the first.", SUPPORTED),
        ("The first is about -20 dB.", SUPPORTED),
        ("The third tone is near 620 Hz.", CONTRADICTED),
        ("It is noise.", CONTRADICTED),
        ("There is no clear pitch.", CONTRADICTED),
        ("It is a sine wave.", SUPPORTED),
        ("There are only odd harmonics.", CONTRADICTED),
        ("The clip lasts 1.4 s.", SUPPORTED),
        ("The clip lasts 2.4 s.", CONTRADICTED),
        ("The pitch rises.", SUPPORTED),
        ("The rhythm is regular.", trajectory_pb2.VERDICT_NOT_CHECKABLE),
        ("Perhaps the second is higher.", trajectory_pb2.VERDICT_NOT_CHECKABLE),
    ],
)
def test_verdicts(make_group, sentence, verdict):
    (reward,) = rewards(make_group(sentence + "\n</think>\nsecond"))
    assert [claim.verdict for claim in reward.claims] == [verdict]


def test_formula(make_group):
    texts = [HONEST, HONEST.replace("</think>\nsecond", "</think>\nfirst"), "short</think>\nsecond", "x</think>\nfirst"]
    assert [r.total for r in rewards(make_group(*texts, term=PRESENCE))] == pytest.approx([1.0, 0.2, 0.8, 0.0])


def test_grounded_scales_presence_by_what_is_supported_beyond_chance(make_group):
    half = "The first tone is near 440 Hz and the second is near 900 Hz.\n</think>\nsecond"
    (reward,) = rewards(make_group(half))
    one, two = (claim.chance for claim in reward.claims)
    assert reward.reasoning == pytest.approx(0.5 * (1 - one - two) / (2 - one - two))
    assert 0.2 < reward.reasoning < 0.25
    assert reward.total == pytest.approx(0.8 + 0.2 * reward.reasoning)


def test_a_rule_of_weights_is_the_rule_of_older_messages(make_group):
    for term, name in ((PRESENCE, "presence"), (trajectory_pb2.REASONING_TERM_GROUNDED, "grounded")):
        old, new = make_group(HONEST, "no", term=term), make_group(HONEST, "no", term=term)
        new.task.reward.CopyFrom(trajectory_pb2.RewardRule(weights={"correct": 0.8, name: 0.2}, min_think_chars=16))
        assert rewards(new) == rewards(old)
        assert set(new.trajectories[0].reward.parts) == {"correct", name}


def test_a_rule_may_have_any_of_the_terms_and_no_others(make_group):
    group = make_group(HONEST)
    group.task.reward.CopyFrom(trajectory_pb2.RewardRule(weights={"presence": 0.5, "grounded": 0.25}))
    assert rewards(group)[0].total == pytest.approx(0.75)
    for rule, words in (
        (trajectory_pb2.RewardRule(weights={"brevity": 1.0}), "'brevity' is no term; expected weights of correct"),
        (trajectory_pb2.RewardRule(), "has no weights"),
    ):
        with pytest.raises(InputError, match=words):
            weights_of(rule)


@pytest.mark.parametrize(
    ("tokens", "value"),
    [(0, 0.0), (60, 0.0), (61, -0.025), (80, -0.5), (99, -0.975), (100, -1.0), (140, -1.0)],
)
@pytest.mark.parametrize("audio", [True, False])
def test_the_last_tokens_before_the_limit_cost_ever_more(make_group, tokens, value, audio):
    """DAPO's eq. 13 with a limit of 100 and a buffer of 40."""
    group = make_group(HONEST, **({} if audio else {"audio_uri": ""}))
    group.task.sampling.max_tokens = 100
    group.task.reward.CopyFrom(
        trajectory_pb2.RewardRule(
            weights={"correct": 0.75, "presence": 0.25, "overlong": 0.5}, options={"overlong.buffer_tokens": 40}
        )
    )
    group.trajectories[0].token_ids.extend(range(tokens))
    (reward,) = rewards(group)
    assert reward.parts["overlong"] == pytest.approx(value)
    assert reward.total == pytest.approx(1.0 + 0.5 * value)
    group.trajectories[0].finish_reason = trajectory_pb2.FINISH_REASON_LENGTH
    (reward,) = rewards(group)
    assert reward.total == pytest.approx(0.5 * value)  # nothing else of what was cut off


def test_truncation_scores_nothing(make_group):
    group = make_group(HONEST)
    group.trajectories[0].finish_reason = trajectory_pb2.FINISH_REASON_LENGTH
    (reward,) = rewards(group)
    assert (reward.total, reward.correct, reward.truncated, reward.well_formed) == (0.0, False, True, False)


def test_text_prompts_are_rewarded_by_correctness_alone(make_group):
    group = make_group(HONEST, "no think block", audio_uri="")
    assert [r.total for r in rewards(group)] == [1.0, 0.0]
    assert not group.trajectories[0].reward.claims


def test_an_unreadable_clip_drops_and_never_scores(make_group, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF but not really")
    for uri in (str(broken), str(tmp_path / "missing.wav")):
        for reward in rewards(make_group(HONEST, HONEST, audio_uri=uri)):
            assert "clip cannot be measured" in reward.drop_reason
            assert not reward.correct


def test_order_and_company_change_nothing(make_group):
    texts = [HONEST, "I would guess the first.\n</think>\nfirst", "The pitch falls.\n</think>\nsecond"]
    forward = rewards(make_group(*texts))
    backward = rewards(make_group(*texts[::-1]))
    alone = [rewards(make_group(text))[0] for text in texts]
    assert forward == backward[::-1] == alone


CHEATS = {
    "every onset": " ".join(f"A tone starts at {n / 10:.1f} s." for n in range(14)),
    "typical values": "The pitch is about 440 Hz, the tempo is 120 BPM, the level is -20 dB. I hear three sounds.",
    "what every clip has": "There is silence at some point. It has a beginning and an end. The volume varies a little.",
    "guessing": "Questions like this usually mean the second, so I would guess the second.",
    "word stuffing": "pitch timbre loudness harmonics spectral centroid rhythm tempo onset decay resonance",
    "number stuffing": " ".join(f"The first tone is near {hz} Hz." for hz in range(100, 2000, 100)),
    "repetition of a truth beside a lie": "The second is longer. " * 20 + "The first tone is near 900 Hz.",
    "opposite claims": "The second is higher. The first is higher.",
    "empty think": "",
    "blank think": " \n\t\u200b",
    "copied question": "Which tone is higher? A. first\nB. second",
    "named choices": "The choices are first and second, the second is an option.",
    "inaudible things": "The rhythm is regular and the tempo speeds up, which takes three events.",
    "doubts": "The second might be higher. Perhaps the first is longer. It could be noise.",
    "denials": "It is not noise. It is not a square wave. It is not a sawtooth.",
    "restated premise": "There are two tones.",
    "every frequency listed": " ".join(f"The first tone is near {hz} Hz." for hz in range(400, 500, 4)) * 2
    + " ".join(f"A tone is at {hz} Hz." for hz in range(60, 2400, 60)),
    "every count listed": " ".join(f"I hear {count} tones." for count in range(1, 12)),
    "both sides of a border": "The pitch rises. The pitch stays level. The pitch falls.",
    "both choices": "The first is higher or the second is higher. (A) the first is higher (B) the second is higher",
    "what no microphone hears": "The speaker wears a red coat, is 40 years old, and the room is 20 degrees warm.",
    "sides of a mono clip": "The sound is on the left. The second tone is on the right. It moves from left to right.",
    "a rate of no speech": "The speaker says about 5 syllables per second and talks fast.",
    "acoustic words": "I listen to timbre, pitch contour, onset, decay, spectral envelope, loudness and harmonics.",
    "look-alike letters": "The s\u0435cond is high\u0435r. Th\u0435 second is long\u0435r. Th\u0435r\u0435 is a tone.",
    "quoted truths": '"The second is higher." Somebody wrote "The second is longer than the first."',
    "questions": "Is the second higher? Does the second last longer? Is the first near 440 Hz?",
    "hypotheses": "If the second were higher, it would be near 620 Hz. It should be longer, it could be louder.",
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheating_earns_less_than_an_honest_short_trace(make_group, name):
    cheat, honest = rewards(
        make_group(f"{CHEATS[name]}\n</think>\nsecond", HONEST, question="Which of the two tones is higher?")
    )
    assert cheat.correct
    assert honest.correct
    assert cheat.total < honest.total
    assert cheat.reasoning <= 0.5


@pytest.mark.parametrize(
    "name", ["word stuffing", "acoustic words", "copied question", "what no microphone hears", "doubts", "denials",
             "restated premise", "what every clip has", "sides of a mono clip", "questions",
             "quoted truths", "hypotheses", "both choices"],
)  # fmt: skip
def test_what_states_nothing_that_can_be_checked_earns_nothing(make_group, name):
    (cheat,) = rewards(make_group(f"{CHEATS[name]}\n</think>\nsecond", question="Which of the two tones is higher?"))
    assert (cheat.supported, cheat.reasoning) == (0, 0.0)


def test_a_measured_value_is_earned_once(make_group):
    many = "The first tone is near 425 Hz. The first tone is near 460 Hz.\n</think>\nsecond"
    (reward,) = rewards(make_group(many))
    assert (reward.supported, reward.contradicted) == (1, 0)


def test_contradicting_oneself_counts_against(make_group):
    both = "The second is higher. The second is lower.\n</think>\nsecond"
    (reward,) = rewards(make_group(both))
    assert (reward.supported, reward.contradicted) == (1, 1)


def test_near_a_border_neither_of_two_exclusive_claims_can_be_told(clips):
    rng = np.random.default_rng(5)
    clip = clips.mix([(0.1, clips.tone(np.geomspace(300, 319, 12_800), 0.8), -20.0)], 1.1, 40.0, rng)
    said = "The pitch rises. The pitch stays level. The pitch falls."
    found = check_claims(said, trajectory_pb2.Prompt(), measure(clip))
    assert (found.supported, found.contradicted) == (0, 1)
    assert found.claims[2].verdict == CONTRADICTED


@pytest.mark.parametrize(
    "text",
    [
        "second\n</think>\n" + HONEST,
        "second. " + HONEST.replace("</think>\nsecond", ""),
        HONEST + "</think>\nsecond",
        HONEST.replace("</think>", "<\u200b/think>"),
        HONEST.replace("second\n", "sеcond\n").replace("</think>\nsecond", "</think>\nsеcond"),
    ],
    ids=["second block", "answer inside think", "two closings", "look-alike tag", "look-alike answer"],
)
def test_broken_form_earns_less(make_group, text):
    cheat, honest = rewards(make_group(text, HONEST))
    assert cheat.total < honest.total
