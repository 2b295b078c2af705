"""The shipped listener: what stands in the repository, without running it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from earwitness.chat import render_response
from earwitness.families.architecture import read_architecture
from earwitness.families.step_audio import SPECIAL_TOKENS
from earwitness.probe.kinds import KINDS
from earwitness.probe.write import Traces, make_example
from trainer.model.weight_files import Directory

ROOT = Path(__file__).parents[3]
LISTENER = ROOT / "models" / "listener"
MOST_BYTES = 8 << 20
MOST_TOKENS_A_WORD = 2.2
"""Of a trace: a tokenizer that does not know the words writes them in single bytes, four to six a word."""


def test_it_is_small_and_holds_nothing_but_a_hugging_face_directory():
    files = {file.name: file.stat().st_size for file in LISTENER.iterdir()}
    assert set(files) == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert sum(files.values()) <= MOST_BYTES


def test_its_weights_are_those_of_its_config_in_bfloat16():
    directory = Directory.read(LISTENER)
    assert not directory.damaged
    stored = {name: tensor for file in directory.files for name, tensor in file.tensors.items()}
    assert {name: tensor.shape for name, tensor in stored.items()} == read_architecture(LISTENER).weight_shapes()
    assert {tensor.dtype for tensor in stored.values()} == {"BF16"}


def test_the_special_tokens_take_the_first_ids():
    tokenizer = Tokenizer.from_file(str(LISTENER / "tokenizer.json"))
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))


@pytest.mark.parametrize("guess", [False, True], ids=["true", "surrogate"])
def test_its_tokenizer_knows_the_words_of_every_trace(tmp_path, guess):
    tokenizer = Tokenizer.from_file(str(LISTENER / "tokenizer.json"))
    for index in range(2 * len(KINDS)):
        _, reasoning, response, _ = make_example(str(tmp_path), 5, "cold_start", Traces(float(guess)), index)
        text = render_response(reasoning or "", response or "")
        assert len(tokenizer.encode(text, add_special_tokens=False).ids) <= MOST_TOKENS_A_WORD * len(text.split()) + 4
