"""Prompts as token ids, and responses as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from earwitness.audio import AudioError
from earwitness.errors import InputError
from earwitness.families.family import THINK_END
from earwitness.families.step_audio import AUDIO_PATCH, EOT, SPECIAL_TOKENS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.prompts import PromptCodec


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["which is higher"], trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(
        json.dumps({"architectures": ["StepAudio2ForCausalLM"], "text_config": {"eos_token_id": [2, 299]}})
    )
    return tmp_path


def test_a_clip_has_one_placeholder_and_text_none(model_dir: Path) -> None:
    codec = PromptCodec(str(model_dir))
    patch = SPECIAL_TOKENS.index(AUDIO_PATCH)
    spoken = codec.encode(trajectory_pb2.Prompt(question="higher?", audio_uri="unread.wav"), without_audio=True)
    assert spoken.token_ids.count(patch) == 1 and [s.any() for s in spoken.segments] == [False]
    text = codec.encode(trajectory_pb2.Prompt(question="higher?"))
    assert text.token_ids.count(patch) == 0 and text.segments == text.segment_ids == []


def test_a_missing_clip_is_named(model_dir: Path) -> None:
    with pytest.raises(AudioError, match=r"/nowhere\.wav"):
        PromptCodec(str(model_dir)).encode(trajectory_pb2.Prompt(audio_uri="/nowhere.wav"))


def test_the_checkpoints_end_tokens_end_a_turn_and_are_not_part_of_the_text(model_dir: Path) -> None:
    codec = PromptCodec(str(model_dir))
    end, think_end = SPECIAL_TOKENS.index(EOT), SPECIAL_TOKENS.index(THINK_END)
    assert codec.stop_ids == [end, 299]
    word = codec.encode(trajectory_pb2.Prompt(question="higher")).token_ids[3]
    stop = codec.stop_tokens(trajectory_pb2.Sampling())
    assert codec.decode([word, think_end, end], stop) == codec.decode([word, think_end, 299], stop)
    assert codec.decode([word, think_end, end], stop).endswith(THINK_END)


def test_end_tokens_of_a_config_inside_another_count_too(model_dir: Path) -> None:
    config = {
        "architectures": ["Qwen2_5OmniForConditionalGeneration"],
        "thinker_config": {"eos_token_id": 7, "text_config": {"eos_token_id": 8}},
        "talker_config": {"eos_token_id": 9},
    }
    (model_dir / "config.json").write_text(json.dumps(config))
    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.add_special_tokens(["<|im_end|>"])
    tokenizer.save(str(model_dir / "tokenizer.json"))
    assert PromptCodec(str(model_dir)).stop_ids == sorted({7, 8, tokenizer.token_to_id("<|im_end|>")})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('{"eos_token_id": "seven"}', "a token's number"),
        ('{"eos_token_id": [7, [8]]}', "a token's number"),
        ('{"a": ' + "[" * 5000 + "]" * 5000 + "}", "nested deeper"),
        ("[", "is not JSON"),
    ],
)
def test_a_config_that_names_no_tokens_is_an_error(model_dir: Path, config: str, said: str) -> None:
    (model_dir / "generation_config.json").write_text(config)
    with pytest.raises(InputError, match=said):
        PromptCodec(str(model_dir))


def test_strings_of_one_token_end_a_response_too(model_dir: Path) -> None:
    codec = PromptCodec(str(model_dir))
    think_end = SPECIAL_TOKENS.index(THINK_END)
    stop = codec.stop_tokens(trajectory_pb2.Sampling(stop=[THINK_END]))
    assert stop == sorted({*codec.stop_ids, think_end})
    word = codec.encode(trajectory_pb2.Prompt(question="higher")).token_ids[3]
    assert codec.decode([word, think_end], stop) == codec.decode([word], stop)
    with pytest.raises(
        InputError, match=r"sampling.stop: 'in the end' is [0-9]+ tokens; expected strings of one token"
    ):
        codec.stop_tokens(trajectory_pb2.Sampling(stop=["in the end"]))
