"""A model larger than any rank may hold goes in and out, at layouts that do not divide its vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.families.architecture import Architecture
from earwitness.families.family import Family
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen3_asr import QWEN3_ASR
from earwitness.families.step_audio import config_of
from earwitness.families.toy import TOKENS
from earwitness.recipe.schema import ToyModel
from tests.integration.family_toys import make_toy_of
from tests.integration.process_kit import run_ranks
from trainer.model.toy import random_weights, toy_architecture, train_tokenizer
from trainer.model.weight_files import INDEX

RANKS = 4
LAYOUTS = ["tp2-pp2:2:2", "tp4:4:1", "dp4:1:1"]
FILES = 4
MIB = 1 << 20
SLACK = 12 * MIB
"""Python objects, allocator arenas, and a buffer or two of gloo's."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 100 MB of bf16 in four files; 12,001 tokens, which neither two nor four ranks can share evenly."""
    folder = tmp_path_factory.mktemp("streaming") / "model"
    folder.mkdir()
    toy = ToyModel(
        hidden_size=512, layers=8, heads=8, kv_heads=4, intermediate_size=2048, max_positions=64, encoder_size=64,
        encoder_layers=1, encoder_heads=2, adapter_size=64, n_mels=16,
    )  # fmt: skip
    tokenizer = train_tokenizer(["the pitch climbs"], 300)
    tokenizer.save(str(folder / "tokenizer.json"))
    architecture = toy_architecture(toy, 12_001)
    dims = architecture.decoder
    architecture = Architecture(
        architecture.family, type(dims)(**{**vars(dims), "vocab_size": 12_001}), architecture.audio
    )
    config = config_of(architecture.decoder, architecture.audio, eos_token_id=2, pad_token_id=0, dtype="bfloat16")
    (folder / "config.json").write_text(json.dumps(config))
    assert tokenizer.token_to_id(TOKENS[0]) == 0
    weights = {name: tensor.bfloat16() for name, tensor in random_weights(architecture, seed=4).items()}
    places = {name: f"model-{i * FILES // len(weights) + 1:05d}.safetensors" for i, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({n: w for n, w in weights.items() if places[n] == file}, folder / file, metadata={"format": "pt"})
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


@pytest.fixture(scope="module")
def out(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What four ranks made of it in each layout."""
    return streamed(source, tmp_path_factory.mktemp("streamed"), LAYOUTS)


def streamed(source: Path, folder: Path, layouts: list[str]) -> Path:
    """Where four ranks wrote what they made of a model in each layout."""
    run_ranks(RANKS, "streaming_worker.py", str(source), str(folder), *layouts, MALLOC_TRIM_THRESHOLD_="0")
    return folder


def seen(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads((out / f"{name}-{rank}.json").read_text()) for rank in range(RANKS)]


def stored(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


@pytest.mark.parametrize("name", ["tp2-pp2", "tp4"])
def test_no_rank_ever_holds_the_whole_model(source: Path, out: Path, name: str) -> None:
    whole = stored(source)
    largest = max(file.stat().st_size for file in source.glob("*.safetensors"))
    for rank, own in enumerate(seen(out, name)):
        print(f"{name} rank {rank}: share {own['share'] / MIB:.0f} MiB of {whole / MIB:.0f}, grew", own["grown"])
        assert own["share"] < 0.4 * whole
        assert own["grown"]["load"] < own["share"] + SLACK
        assert own["grown"]["save"] < largest + SLACK


@pytest.mark.parametrize("name", [layout.split(":")[0] for layout in LAYOUTS])
def test_every_byte_comes_out_as_it_went_in(source: Path, out: Path, name: str) -> None:
    check_bytes(source, out / name)


def check_bytes(source: Path, out: Path) -> None:
    files = sorted(file.name for file in source.iterdir())
    assert sorted(file.name for file in out.iterdir()) == files
    for file in files:
        assert (out / file).read_bytes() == (source / file).read_bytes(), file


@pytest.mark.parametrize("family", [QWEN2_5_OMNI, QWEN3_ASR], ids=lambda family: family.model_type)
def test_every_byte_of_other_families_too(tmp_path: Path, family: Family) -> None:
    """Three layouts hear a clip alike, and write what they did not load as it was: parts that are not trained of one,
    and the output layer that the other, whose embeddings are tied, has not."""
    source = make_toy_of(family, tmp_path / "model", ["the pitch climbs"], sharpness=2.0)
    weights = {name: tensor.bfloat16() for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    for name in family.beside:
        (source / name).write_bytes(b"voices")
    out = streamed(source, tmp_path, ["tp2-pp2:2:2", "tp2-dp2:2:1", "dp4:1:1"])
    expected = torch.tensor(seen(out, "dp4")[0]["logprobs"])
    for name in ("tp2-pp2", "tp2-dp2", "dp4"):
        check_bytes(source, out / name)
        for own in seen(out, name):
            if own["logprobs"] is not None:
                torch.testing.assert_close(torch.tensor(own["logprobs"]), expected, atol=5e-2, rtol=0)  # bf16


@pytest.mark.parametrize("name", ["tp2-pp2", "tp4"])
def test_padding_of_the_vocabulary_takes_no_probability(out: Path, name: str) -> None:
    expected = torch.tensor(seen(out, "dp4")[0]["logprobs"])
    assert {own["rows"] for own in seen(out, "tp4")} == {3_001}
    found = [torch.tensor(own["logprobs"]) for own in seen(out, name) if own["logprobs"] is not None]
    assert found
    for logprobs in found:
        torch.testing.assert_close(logprobs, expected, atol=2e-2, rtol=0)  # bf16
