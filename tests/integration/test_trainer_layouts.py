"""What is learned does not depend on how ranks and micro-batches share the work; `pytest -s` prints the table."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import recipe_of, write_data, write_recipe

from tests.integration.process_kit import run_ranks
from trainer.model.toy import make_toy

HERE = Path(__file__).parent
TOLERANCE = 1e-5
BASE = "1 rank, micro-batches of 2"
ALONE = {
    BASE: {"micro": 2},
    "1 rank, micro-batches of 1": {"micro": 1},
    "1 rank, micro-batches of 4": {"micro": 4},
    "1 rank, packed, micro-batches of 2": {"micro": 2, "packed": True},
    "1 rank, packed, micro-batches of 4": {"micro": 4, "packed": True},
}
TOGETHER = {
    "TP 2": {"micro": 2, "tensor": 2},
    "TP 2, sequence parallel": {"micro": 2, "tensor": 2, "sequence": True},
    "TP 2, sequence parallel, packed": {"micro": 4, "tensor": 2, "sequence": True, "packed": True},
    "PP 2": {"micro": 2, "pipeline": 2},
    "PP 2, packed": {"micro": 4, "pipeline": 2, "packed": True},
    "DP 2": {"micro": 2},
    "DP 2, distributed optimizer": {"micro": 2, "distributed": True},
    "DP 2, distributed optimizer, packed": {"micro": 4, "distributed": True, "packed": True},
    "poisoned": {"micro": 2, "distributed": True, "loops": ["poisoned"]},
}
FROZEN_BASE = "1 rank, frozen encoder"
LEARNING = ["sft", "ppo"]
FROZEN_ALONE = {FROZEN_BASE: {"micro": 2, "frozen": True, "loops": LEARNING}}
FROZEN_TOGETHER = {
    "TP 2, sequence parallel, frozen encoder": {
        "micro": 2, "tensor": 2, "sequence": True, "frozen": True, "loops": LEARNING,
    },
    "PP 2, packed, frozen encoder": {"micro": 4, "pipeline": 2, "packed": True, "frozen": True, "loops": LEARNING},
    "DP 2, distributed optimizer, frozen encoder": {
        "micro": 2, "distributed": True, "frozen": True, "loops": LEARNING,
    },
}  # fmt: skip
LORA_BASE = "1 rank, LoRA"
LORA_ALONE = {LORA_BASE: {"micro": 2, "lora": True}}
LORA_TOGETHER = {
    "TP 2, sequence parallel, LoRA": {"micro": 2, "tensor": 2, "sequence": True, "lora": True},
    "PP 2, packed, LoRA": {"micro": 4, "pipeline": 2, "packed": True, "lora": True},
    "DP 2, distributed optimizer, LoRA": {"micro": 2, "distributed": True, "lora": True},
}
FIGURES = {
    "sft": ["loss", "grad_norm"],
    "ppo": ["loss.policy", "loss.value", "kl", "entropy", "logprob_gap.mean", "grad_norm", "grad_norm.critic"],
    "dpo": ["loss", "margin", "accuracy", "grad_norm"],
}


@dataclass(frozen=True)
class Outcome:
    """Of five steps."""

    figures: list[dict[str, float]]
    """Of each step, on rank 0."""
    weights: dict[str, torch.Tensor]
    """Full tensors of the policy (0.) and the critic (1.)."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Launches one rank, then two, on the first use of each; then reads what they wrote."""
    folder = tmp_path_factory.mktemp("layouts")
    manifest = write_data(folder)
    toy = recipe_of(write_recipe(folder, manifest)).model.toy
    model = str(folder / "model")
    make_toy(model, toy, ["How many beeps? one two I hear a beep."], 1)

    started: set[int] = set()

    def read(name: str, loop: str) -> Outcome:
        alone = ALONE | FROZEN_ALONE | LORA_ALONE
        ranks = 1 if name in alone else 2
        if ranks not in started:  # once, also if it fails
            started.add(ranks)
            layouts = alone if ranks == 1 else TOGETHER | FROZEN_TOGETHER | LORA_TOGETHER
            run_ranks(ranks, "trainer_layouts_worker.py", model, manifest, str(folder), json.dumps(layouts))
        every = json.loads((folder / f"{name}.{loop}.json").read_text())
        return Outcome(every[0], load_file(folder / f"{name}.{loop}.safetensors"))

    return folder, read


@pytest.mark.parametrize("loop", FIGURES)
@pytest.mark.parametrize("layout", [name for name in [*ALONE, *TOGETHER] if name not in (BASE, "poisoned")])
def test_five_steps_are_equal_in_every_layout(outcomes, layout, loop):
    _, read = outcomes
    _equal(read(BASE, loop), read(layout, loop), layout, loop)


@pytest.mark.parametrize("loop", LEARNING)
@pytest.mark.parametrize("layout", FROZEN_TOGETHER)
def test_five_steps_behind_a_frozen_encoder_are_equal_in_every_layout(outcomes, layout, loop):
    _, read = outcomes
    _equal(read(FROZEN_BASE, loop), read(layout, loop), layout, loop)


@pytest.mark.parametrize("loop", FIGURES)
@pytest.mark.parametrize("layout", LORA_TOGETHER)
def test_five_steps_with_lora_are_equal_in_every_layout(outcomes, layout, loop):
    _, read = outcomes
    _equal(read(LORA_BASE, loop), read(layout, loop), layout, loop)


@pytest.mark.parametrize("loop", FIGURES)
def test_with_lora_the_decoders_matrices_alone_are_learned(outcomes, loop):
    folder, read = outcomes
    start = load_file(folder / "model" / "model.safetensors")
    outcome = read(LORA_BASE, loop)
    moved = {
        name[2:] for name, weight in outcome.weights.items() if not torch.equal(weight, start.get(name[2:], weight))
    }
    assert moved == {name for name in start if name.startswith("model.layers.") and name.endswith("_proj.weight")}
    # Before any update the two are the same policy.
    assert outcome.figures[0] == pytest.approx({**outcome.figures[0], **first(read(BASE, loop), loop)}, abs=1e-6)


def first(outcome: Outcome, loop: str) -> dict[str, float]:
    """What a loop says of its first step before it has learned."""
    return {name: outcome.figures[0][name] for name in FIGURES[loop] if name in ("loss", "margin", "entropy")}


def test_a_frozen_encoder_stays_and_all_else_learns(outcomes):
    folder, read = outcomes
    start = load_file(folder / "model" / "model.safetensors")
    for loop, figure in zip(LEARNING, ["loss", "entropy"], strict=True):
        frozen, learning = read(FROZEN_BASE, loop), read(BASE, loop)
        for name, weight in frozen.weights.items():
            if name[2:].startswith("encoder."):
                assert torch.equal(weight, start[name[2:]]), name
            elif name[2:] in start:
                assert not torch.equal(weight, start[name[2:]]), name
        # Before any update the two are the same policy, but for a clip's encoding alone or beside others.
        assert frozen.figures[0][figure] == pytest.approx(learning.figures[0][figure], abs=1e-6)


def _equal(base: Outcome, other: Outcome, layout: str, loop: str) -> None:
    assert len(base.figures) == 5
    gaps = {
        name: max(abs(a[name] - b[name]) for a, b in zip(base.figures, other.figures, strict=True))
        for name in FIGURES[loop]
    }
    assert base.weights.keys() == other.weights.keys()
    gaps["parameters"] = max(float((other.weights[n] - w).abs().max()) for n, w in base.weights.items())
    print(f"| {layout} | {loop} | " + ", ".join(f"{name} {gap:.1e}" for name, gap in gaps.items()) + " |")
    assert max(gaps.values()) < TOLERANCE, gaps


def test_five_steps_move_the_parameters_far_more_than_layouts_differ(outcomes):
    folder, read = outcomes
    start = load_file(folder / "model" / "model.safetensors")
    for loop in FIGURES:
        moved = {
            n: float((w - start[n[2:]]).abs().max()) for n, w in read(BASE, loop).weights.items() if n[2:] in start
        }
        assert max(moved.values()) > 50 * TOLERANCE, loop


@pytest.mark.parametrize("layout", [BASE, "TP 2, sequence parallel", "PP 2, packed", "DP 2, distributed optimizer"])
def test_the_first_update_of_every_step_meets_the_policy_of_the_old_logprobs(outcomes, layout):
    _, read = outcomes
    figures = read(layout, "ppo").figures
    assert [f["first.ratio_gap"] for f in figures] == [0.0] * 5
    assert [f["first.kl"] for f in figures] == [0.0] * 5


def test_a_number_that_is_none_is_refused_by_all_ranks_and_changes_nothing(outcomes):
    folder, read = outcomes
    read("poisoned", "poisoned")
    seen = json.loads((folder / "poisoned.poisoned.json").read_text())
    assert [len(figures) for figures in seen] == [1, 1]
    assert [figures[0]["unchanged"] for figures in seen] == [True, True]
    assert {figures[0]["refused"] for figures in seen} == {
        "ordinal 2, trajectory 3: loss is not finite; the update is not taken"
    }
