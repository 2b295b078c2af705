"""`earwitness model convert`: another type, other files, the same weights; and what is interrupted goes on."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.errors import InputError
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from tests.integration.family_toys import make_toy_of
from trainer.model import convert as conversion
from trainer.model.convert import convert
from trainer.model.stored import WeightsError
from trainer.model.weight_files import INDEX

TEXTS = ["<think>\nThe first tone is near 440 Hz.\n</think>\nthe first"] * 20
SMALL = 150_000
"""Bytes of a file: fewer than the largest tensor has."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = make_toy_of(QWEN2_5_OMNI, tmp_path_factory.mktemp("convert") / "omni", TEXTS)
    config = json.loads((out / "config.json").read_text())
    config["torch_dtype"] = config["thinker_config"]["torch_dtype"] = "float32"
    (out / "config.json").write_text(json.dumps(config))
    (out / "spk_dict.pt").write_bytes(b"voices")
    return out


def quiet(done: int, of: int) -> None:
    assert 0 < done <= of


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}


def test_another_type_in_several_files(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "bf16"
    done = CliRunner().invoke(
        app, ["model", "convert", str(model), str(target), "--dtype", "bfloat16", "--file-gb", "0.0003"]
    )
    assert done.exit_code == 0, done.output
    index = json.loads((target / INDEX).read_text())
    before, after = tensors(model), tensors(target)
    assert set(index["weight_map"]) == set(after) == set(before)
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in after.values())
    for name, tensor in before.items():
        passing = QWEN2_5_OMNI.names.passes(name)
        assert torch.equal(after[name], tensor if passing else tensor.to(torch.bfloat16)), name
        with safe_open(target / index["weight_map"][name], framework="pt") as file:
            assert name in file.keys()  # noqa: SIM118
    assert len({*index["weight_map"].values()}) > 1
    config = json.loads((target / "config.json").read_text())
    assert config["torch_dtype"] == config["thinker_config"]["torch_dtype"] == "bfloat16"
    assert (target / "spk_dict.pt").read_bytes() == b"voices"
    assert (target / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()


def test_there_and_back_is_every_byte(model: Path, tmp_path: Path) -> None:
    sizes = convert(model, tmp_path / "many", None, SMALL, quiet)
    assert max(size for name, size in sizes.items()) > SMALL > min(sizes.values())
    convert(tmp_path / "many", tmp_path / "one", None, 1 << 40, quiet)
    assert not (tmp_path / "one" / INDEX).exists()
    before, after = tensors(model), tensors(tmp_path / "one")
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_what_was_interrupted_goes_on(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = conversion._write

    def stops(path: Path, parts: list[conversion.Part]) -> None:
        if len(written) == 2:
            (path.with_name(f".{path.name}")).write_bytes(b"half")
            raise KeyboardInterrupt
        written.append(path.name)
        write(path, parts)

    monkeypatch.setattr(conversion, "_write", stops)
    with pytest.raises(KeyboardInterrupt):
        convert(model, tmp_path / "out", "bfloat16", SMALL, quiet)
    assert not (tmp_path / "out").exists()
    first = list(written)
    monkeypatch.setattr(conversion, "_write", lambda path, parts: (written.append(path.name), write(path, parts)))
    sizes = convert(model, tmp_path / "out", "bfloat16", SMALL, quiet)
    assert len(first) == 2
    assert sorted(written) == sorted(sizes)  # each once
    whole = tmp_path / "whole"
    convert(model, whole, "bfloat16", SMALL, quiet)
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_another_plan_begins_anew(model: Path, tmp_path: Path) -> None:
    partial = tmp_path / ".out.partial"
    partial.mkdir()
    (partial / "plan.json").write_text("{}")
    (partial / "model.safetensors").write_bytes(b"of another plan")
    convert(model, tmp_path / "out", None, 1 << 40, quiet)
    assert tensors(tmp_path / "out").keys() == tensors(model).keys()


def test_what_cannot_be_is_said_and_nothing_is_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="is there already"):
        convert(model, model, None, SMALL, quiet)
    large = tmp_path / "large"
    large.mkdir()
    for file in model.iterdir():
        (large / file.name).write_bytes(file.read_bytes())
    weights = load_file(model / "model.safetensors")
    weights["thinker.model.norm.weight"][3] = 1e6
    save_file(weights, large / "model.safetensors")
    with pytest.raises(InputError, match=r"thinker.model.norm.weight: holds numbers that F16 does not"):
        convert(large, tmp_path / "out", "float16", 1 << 40, quiet)
    del weights["thinker.model.norm.weight"]
    save_file(weights, large / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing: thinker.model.norm.weight"):
        convert(large, tmp_path / "out", None, 1 << 40, quiet)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda _: usage(1000))
    with pytest.raises(InputError, match="GB free"):
        convert(model, tmp_path / "out", None, 1 << 40, quiet)
    assert not (tmp_path / "out").exists()
