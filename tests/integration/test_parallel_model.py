"""What the model computes does not depend on how ranks share it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.recipe.schema import ToyModel
from tests.integration.process_kit import run_ranks
from trainer.model.toy import make_toy

LAYOUTS = {
    1: ["alone:1:1:float32", "alone-bf16:1:1:bfloat16"],
    2: ["tp2:2:1:float32", "dp2:1:1:float32", "pp2:1:2:float32", "tp2-bf16:2:1:bfloat16"],
    4: ["tp2-dp2:2:1:float32", "tp2-pp2:2:2:float32"],
}
"""Layouts by number of ranks."""

NOISE = 1e-2
"""By how much the worker makes the second rank's gradients larger."""


@dataclass(frozen=True)
class Seen:
    """What one layout saw."""

    logprobs: float
    norms: list[float]
    weights: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def toy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parallel") / "toy"
    toy = ToyModel(
        hidden_size=32, layers=2, heads=4, kv_heads=2, intermediate_size=48, vocab_size=320, max_positions=64,
        encoder_size=16, encoder_layers=1, encoder_heads=2, adapter_size=24, n_mels=16,
    )  # fmt: skip
    make_toy(str(out), toy, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    weights = load_file(out / "model.safetensors")
    for name, tensor in weights.items():
        if name.startswith("model.layers") and tensor.dim() == 2:
            tensor.mul_(5.0)  # so that attention and MLP weigh as much as the embedding
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    return out


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen")


def launched(toy_dir: Path, out: Path, ranks: int) -> None:
    """Trains with every layout of that many ranks; launches once."""
    if (out / LAYOUTS[ranks][-1].split(":")[0] / "seen.json").exists():
        return
    run_ranks(ranks, "parallel_model_worker.py", str(toy_dir), str(out), *LAYOUTS[ranks])


@pytest.fixture(scope="module")
def look(toy_dir: Path, out: Path) -> Callable[[str], Seen]:
    """What a layout saw, by its name."""

    def read(name: str) -> Seen:
        ranks = next(ranks for ranks, layouts in LAYOUTS.items() if name in [x.split(":")[0] for x in layouts])
        launched(toy_dir, out, ranks)
        seen = json.loads((out / name / "seen.json").read_text())
        return Seen(seen["logprobs"], seen["norms"], load_file(out / name / "weights.safetensors"))

    return read


@pytest.mark.parametrize("layout", ["tp2", "dp2", "pp2", "tp2-dp2", "tp2-pp2"])
def test_layouts_agree(look: Callable[[str], Seen], layout: str) -> None:
    alone, seen = look("alone"), look(layout)
    assert seen.logprobs == pytest.approx(alone.logprobs, rel=1e-5)
    assert seen.norms == pytest.approx(alone.norms, rel=1e-5)
    assert seen.weights.keys() == alone.weights.keys()
    for name, expected in alone.weights.items():
        torch.testing.assert_close(seen.weights[name], expected, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize("layout", ["alone", "tp2", "pp2", "tp2-pp2"])
def test_saved_directories_hold_the_exported_weights(
    look: Callable[[str], Seen], toy_dir: Path, out: Path, layout: str
) -> None:
    exported = look(layout).weights
    saved = load_file(out / layout / "model" / "model.safetensors")
    assert saved.keys() == exported.keys() == load_file(toy_dir / "model.safetensors").keys()
    for name, tensor in saved.items():
        assert torch.equal(tensor, exported[name]), name


@pytest.mark.parametrize("sequence_parallel", [True, False])
def test_what_ranks_have_whole_does_not_drift(look: Callable[[str], Seen], out: Path, sequence_parallel: bool) -> None:
    """One rank's gradients are larger: all take the mean, and none is then apart from another by a bit."""
    look("tp2")
    seen = [rank[str(sequence_parallel)] for rank in json.loads((out / "tp2" / "drift.json").read_text())]
    assert [rank["apart"] for rank in seen] == [0.0, 0.0]
    assert [rank["offset"] for rank in seen] == pytest.approx([NOISE / 2, NOISE / 2], rel=1e-3)


def test_bf16_layouts_agree_roughly(look: Callable[[str], Seen]) -> None:
    """bf16 rounds partial sums differently; the norm must still be counted once."""
    alone, seen = look("alone-bf16"), look("tp2-bf16")
    assert seen.logprobs == pytest.approx(alone.logprobs, rel=1e-2)
    assert seen.norms == pytest.approx(alone.norms, rel=5e-2)
