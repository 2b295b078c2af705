"""How the parts combine, verdicts on a real file, and what cheating earns."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.score import score_group

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


def test_grounded_scales_presence_by_the_supported_share(make_group):
    half = "The first tone is near 440 Hz and the second is near 900 Hz.\n</think>\nsecond"
    (reward,) = rewards(make_group(half))
    assert reward.reasoning == pytest.approx(0.5)
    assert reward.total == pytest.approx(0.9)


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
