"""What the model computes does not depend on how ranks share it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.families.architecture import read_architecture
from earwitness.recipe.schema import ToyModel
from tests.integration.process_kit import run_ranks
from trainer.model.toy import make_toy, random_weights

LAYOUTS = {
    1: [
        "alone:toy:1:1:float32", "alone-bf16:toy:1:1:bfloat16", "tied-alone:tied:1:1:float32",
        "lora-alone:toy:1:1:float32", "lora-alone-bf16:toy:1:1:bfloat16",
    ],
    2: [
        "tp2:toy:2:1:float32", "dp2:toy:1:1:float32", "pp2:toy:1:2:float32", "tp2-bf16:toy:2:1:bfloat16",
        "tied-tp2:tied:2:1:float32", "tied-pp2:tied:1:2:float32",
        "lora-tp2:toy:2:1:float32", "lora-tp2-whole:toy:2:1:float32", "lora-pp2:toy:1:2:float32",
    ],
    4: [
        "tp2-dp2:toy:2:1:float32", "tp2-pp2:toy:2:2:float32", "tied-tp2-pp2:tied:2:2:float32",
        "lora-tp2-pp2:toy:2:2:float32",
    ],
}  # fmt: skip
"""Layouts by number of ranks: name, model, tensor and pipeline parallelism, type."""
TIED = ["tied-tp2", "tied-pp2", "tied-tp2-pp2"]
LORA = ["lora-tp2", "lora-tp2-whole", "lora-pp2", "lora-tp2-pp2"]
"""With LoRA; `whole`: ranks that share layers do not share what stands between them."""

CANCELLING = 1e-4
"""Largest difference in a tied embedding: a number's gradient has a part from each end of the model; where they cancel,
Adam, which divides by what is left, makes of rounding some of a step. One part alone would be three steps of 1e-3."""
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
def models(toy_dir: Path) -> Path:
    """The toy, and one whose decoder is Qwen3's with tied embeddings."""
    tied = toy_dir.with_name("tied")
    shutil.copytree(toy_dir, tied)
    config = json.loads((tied / "config.json").read_text())
    config["tie_word_embeddings"] = True
    config["text_config"] |= {"model_type": "qwen3", "head_dim": 12, "tie_word_embeddings": True}
    (tied / "config.json").write_text(json.dumps(config))
    weights = random_weights(read_architecture(tied), seed=4)
    for name, tensor in weights.items():
        if name.startswith("model.layers") and tensor.dim() == 2:
            tensor.mul_(5.0)
    save_file(weights, tied / "model.safetensors", metadata={"format": "pt"})
    return toy_dir.parent


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("seen")


def launched(models: Path, out: Path, ranks: int) -> None:
    """Trains with every layout of that many ranks; launches once."""
    if (out / LAYOUTS[ranks][-1].split(":")[0] / "seen.json").exists():
        return
    run_ranks(ranks, "parallel_model_worker.py", str(models), str(out), *LAYOUTS[ranks])


@pytest.fixture(scope="module")
def look(models: Path, out: Path) -> Callable[[str], Seen]:
    """What a layout saw, by its name."""

    def read(name: str) -> Seen:
        ranks = next(ranks for ranks, layouts in LAYOUTS.items() if name in [x.split(":")[0] for x in layouts])
        launched(models, out, ranks)
        seen = json.loads((out / name / "seen.json").read_text())
        return Seen(seen["logprobs"], seen["norms"], load_file(out / name / "weights.safetensors"))

    return read


@pytest.mark.parametrize("layout", ["tp2", "dp2", "pp2", "tp2-dp2", "tp2-pp2", *TIED, *LORA])
def test_layouts_agree(look: Callable[[str], Seen], layout: str) -> None:
    kind = layout.split("-")[0]
    alone, seen = look(f"{kind}-alone" if kind in ("tied", "lora") else "alone"), look(layout)
    assert seen.logprobs == pytest.approx(alone.logprobs, rel=1e-5)
    assert seen.norms == pytest.approx(alone.norms, rel=1e-5)
    assert seen.weights.keys() == alone.weights.keys()
    for name, expected in alone.weights.items():
        close = CANCELLING if kind == "tied" and "embed_tokens" in name else 1e-5
        torch.testing.assert_close(seen.weights[name], expected, atol=close, rtol=0, msg=name)


@pytest.mark.parametrize("layout", ["alone", "tp2", "pp2", "tp2-pp2", *TIED, *LORA])
def test_saved_directories_hold_the_exported_weights(
    look: Callable[[str], Seen], models: Path, out: Path, layout: str
) -> None:
    exported = look(layout).weights
    saved = load_file(out / layout / "model" / "model.safetensors")
    source = models / ("tied" if layout in TIED else "toy")
    assert saved.keys() == exported.keys() == load_file(source / "model.safetensors").keys()
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
