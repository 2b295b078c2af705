"""The frozen reference against the model's own logits, row by row and without padding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from tokenizers import Tokenizer

from earwitness.audio import read_audio, silence
from earwitness.chat import render_prompt
from earwitness.errors import InputError
from earwitness.families.step_audio import audio_tokens
from earwitness.logmel import frames, log_mel
from earwitness.recipe.schema import ToyModel
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from trainer.frozen import FrozenPolicy
from trainer.model.audio import AudioBatch
from trainer.model.toy import make_toy

TEMPERATURE = 0.7
DIMS = ToyModel(
    hidden_size=32, layers=2, heads=4, kv_heads=2, intermediate_size=48, vocab_size=320, max_positions=128,
    encoder_size=16, encoder_layers=2, encoder_heads=2, adapter_size=24, n_mels=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("frozen") / "toy"
    make_toy(str(out), DIMS, ["it rises", "Up or down?"], seed=3)
    return out


@pytest.fixture(scope="module")
def policy(model_dir: Path) -> FrozenPolicy:
    return FrozenPolicy(str(model_dir), "float32")


@pytest.fixture
def group(model_dir: Path, tmp_path: Path) -> wire.Group:
    """One clip, three responses of different lengths."""
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, 0.1 * np.sin(np.arange(12_000) * 0.2), 16_000)
    return encoded(wire.Prompt(id="p", question="Up or down?", answer="up", audio_uri=str(clip)), model_dir)


def encoded(prompt: wire.Prompt, model_dir: Path, without_audio: bool = False) -> wire.Group:
    samples = silence() if without_audio else read_audio(prompt.audio_uri) if prompt.audio_uri else None
    patches = 0 if samples is None else audio_tokens(frames(len(samples)))
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    ids = tokenizer.encode(render_prompt(prompt, [[patches]] if patches else []), add_special_tokens=False).ids
    task = wire.GroupTask(prompt=prompt, sampling=wire.Sampling(temperature=TEMPERATURE), without_audio=without_audio)
    group = wire.Group(task=task, prompt_token_ids=ids)
    for index, length in enumerate((1, 9, 4)):
        group.trajectories.add(index=index, token_ids=[20 + index + i for i in range(length)])
    return group


def expected(policy: FrozenPolicy, group: wire.Group, samples: np.ndarray | None) -> list[list[float]]:
    """Log-probs from the logits of one unpadded row at a time."""
    found = []
    prompt = list(group.prompt_token_ids)
    for trajectory in group.trajectories:
        row = prompt + list(trajectory.token_ids)
        audio, index = None, torch.tensor([-1])
        if samples is not None:
            mel = torch.from_numpy(log_mel(samples, DIMS.n_mels))
            audio, index = AudioBatch(mel[None], torch.tensor([mel.shape[1]])), torch.tensor([0])
        with torch.no_grad():
            states = policy._policy(torch.tensor([row]), audio, index)
        logits = states.hidden[:, 0].double() @ states.weight.double().T / TEMPERATURE
        logprobs = logits.log_softmax(-1)
        found.append([logprobs[t - 1, row[t]].item() for t in range(len(prompt), len(row))])
    return found


def check(policy: FrozenPolicy, group: wire.Group, samples: np.ndarray | None) -> None:
    policy.score(group)
    for trajectory, values in zip(group.trajectories, expected(policy, group, samples), strict=True):
        assert list(trajectory.reference_logprobs) == pytest.approx(values, abs=1e-5)


def test_every_token_has_its_logprob(policy: FrozenPolicy, group: wire.Group) -> None:
    check(policy, group, read_audio(group.task.prompt.audio_uri))


def test_without_audio_means_a_second_of_silence(policy: FrozenPolicy, model_dir: Path) -> None:
    check(
        policy,
        encoded(wire.Prompt(id="p", question="Up?", audio_uri="unread.wav"), model_dir, without_audio=True),
        silence(),
    )


def test_text_only(policy: FrozenPolicy, model_dir: Path) -> None:
    check(policy, encoded(wire.Prompt(id="p", question="Up?"), model_dir), None)


def test_what_cannot_be_scored_is_named(policy: FrozenPolicy, group: wire.Group) -> None:
    group.trajectories[1].token_ids[:] = []
    with pytest.raises(InputError, match=r"trajectory 1, token_ids: is empty"):
        policy.score(group)
    group.trajectories[1].token_ids[:] = [5] * 200
    with pytest.raises(InputError, match="at most 128 tokens"):
        policy.score(group)
