import math

import numpy as np
import pytest

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.errors import NonFiniteError
from trainer.mels import SILENCE
from trainer.rl.groups import samples_of, spans_of

LIMITS = {"vocab_size": 100, "max_positions": 16}
LONG = [trajectory_pb2.VersionSpan(version=3, tokens=14)]


def group(**changes):
    task = trajectory_pb2.GroupTask(run_id="job/0-train/0", ordinal=5)
    task.prompt.audio_uri = "clip.wav"
    made = trajectory_pb2.Group(task=task, prompt_token_ids=[1, 2, 3])
    for index in range(2):
        trajectory = made.trajectories.add(index=index, token_ids=[7, 8], logprobs=[-0.5, -1.5])
        trajectory.reward.total = float(index)
        trajectory.versions.add(version=3, tokens=2)
    for path, value in changes.items():
        setattr(made.trajectories[1], path, value) if not isinstance(value, list) else _replace(made, path, value)
    return made


def _replace(made, field, values):
    repeated = getattr(made.trajectories[1], field)
    del repeated[:]
    repeated.extend(values)


def test_a_group_becomes_samples():
    samples = samples_of(group(), **LIMITS)
    assert [s.reward for s in samples] == [0.0, 1.0]
    assert [s.ordinal for s in samples] == [5, 5]
    assert samples[1].row.tokens.tolist() == [1, 2, 3, 7, 8]
    assert samples[1].row.prompt_tokens == 3
    assert samples[1].row.clips == ("clip.wav",)
    np.testing.assert_array_equal(samples[1].rollout_logprobs, np.array([-0.5, -1.5], dtype=np.float32))
    assert samples[1].reference_logprobs is None


def test_without_audio_means_silence():
    silent = group()
    silent.task.without_audio = True
    assert samples_of(silent, **LIMITS)[0].row.clips == (SILENCE,)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_name_the_trajectory(bad):
    with pytest.raises(NonFiniteError, match="ordinal 5, trajectory 1: logprobs is not finite"):
        samples_of(group(logprobs=[-0.5, bad]), **LIMITS)
    rewarded = group()
    rewarded.trajectories[1].reward.total = bad
    with pytest.raises(NonFiniteError, match="ordinal 5, trajectory 1: reward is not finite"):
        samples_of(rewarded, **LIMITS)


def test_what_the_reward_service_dropped_is_left_out():
    partly = group()
    partly.trajectories[0].reward.drop_reason = "verifier timed out"
    assert [s.reward for s in samples_of(partly, **LIMITS)] == [1.0]
    partly.trajectories[1].reward.drop_reason = "verifier timed out"
    with pytest.raises(InputError, match=r"no trajectory is left \(verifier timed out\)"):
        samples_of(partly, **LIMITS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logprobs": [-0.5]}, "logprobs: 1 numbers; expected one for each of 2 tokens"),
        ({"token_ids": [], "logprobs": []}, "token_ids: is empty"),
        ({"token_ids": [7, 100]}, "ids below 100"),
        ({"versions": []}, "versions: of 0 tokens; expected one for each of 2 tokens"),
        ({"token_ids": [7] * 14, "logprobs": [0.0] * 14, "versions": LONG}, "at most 16 tokens"),
    ],
)
def test_malformed_trajectories_are_refused_by_name(change, message):
    with pytest.raises(InputError, match="ordinal 5, trajectory 1") as caught:
        samples_of(group(**change), **LIMITS)
    assert message in str(caught.value)


def test_the_weights_are_those_of_any_token_that_counts():
    made = group()
    made.trajectories[1].versions[0].tokens = 1
    made.trajectories[1].versions.add(version=2, tokens=1)
    assert sorted({span.version for span in spans_of(made)}) == [2, 3]
    made.trajectories[1].reward.drop_reason = "verifier timed out"
    assert {span.version for span in spans_of(made)} == {3}


def test_reference_logprobs_are_asked_for_only_if_needed():
    needing = group()
    needing.task.needs_reference = True
    with pytest.raises(InputError, match="reference_logprobs: 0 numbers"):
        samples_of(needing, **LIMITS)
    for trajectory in needing.trajectories:
        trajectory.reference_logprobs.extend([-0.25, -0.5])
    assert samples_of(needing, **LIMITS)[0].reference_logprobs.tolist() == [-0.25, -0.5]
