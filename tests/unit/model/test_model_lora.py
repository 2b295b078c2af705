"""LoRA: what learns, and that the policy is the merged matrix to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from earwitness.errors import InputError
from earwitness.recipe.schema import Lora, Optimizer
from trainer.checkpoint.folder import Progress, commit
from trainer.checkpoint.pieces import Pieces, file_of, write_pieces
from trainer.checkpoint.unpacked import unpack
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors
from trainer.model.logprobs import response_logprobs
from trainer.model.lora import merge
from trainer.model.peft import save_adapter
from trainer.model.policy import PolicyModel
from trainer.ranks.figures import BAD_ROW, NO_ROW

LORA = Lora(rank=3, alpha=6.0)
SCALE = 2.0
TOKENS = torch.randint(20, 300, (3, 24), generator=torch.Generator().manual_seed(1))
NAMES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def learning(policy: PolicyModel) -> dict[str, torch.nn.Parameter]:
    return {name: p for name, p in policy.named_parameters() if p.requires_grad}


def moved(toy_dir: Path, **options: object) -> PolicyModel:
    """B is no longer zero."""
    policy = build_policy(toy_dir, lora=LORA, seed=7, **options)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in learning(policy).items():
            if name.endswith(".up"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    merge(policy)
    return policy


def loss(policy: PolicyModel) -> torch.Tensor:
    return -response_logprobs(policy(TOKENS), TOKENS).sum()


def test_it_begins_as_the_model_and_only_its_matrices_learn(toy_dir: Path) -> None:
    plain, policy = build_policy(toy_dir), build_policy(toy_dir, lora=LORA, seed=7)
    assert torch.equal(loss(policy), loss(plain))
    assert {name.rsplit(".lora.", 1)[1] for name in learning(policy)} == {"up", "down"}
    assert len(learning(policy)) == 2 * 2 * 4
    again, other = (build_policy(toy_dir, lora=LORA, seed=seed) for seed in (7, 8))
    for name, parameter in learning(policy).items():
        assert torch.equal(parameter, learning(again)[name])
        assert name.endswith(".up") or not torch.equal(parameter, learning(other)[name])


@pytest.mark.parametrize("recompute", [False, True])
def test_gradients_are_those_of_the_merged_matrix(toy_dir: Path, recompute: bool) -> None:
    """dA = s B' dW and dB = s dW A', where dW is what the whole model's training finds for W + s B A."""
    policy = moved(toy_dir, recompute=recompute)
    loss(policy).backward()
    whole = build_policy(toy_dir)
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            parameter.copy_(policy.get_parameter(name))
    loss(whole).backward()
    found = learning(policy)
    for path in {name.rsplit(".lora.", 1)[0] for name in found}:
        down, up = found[f"{path}.lora.down"], found[f"{path}.lora.up"]
        slope = whole.get_parameter(f"{path}.weight").grad
        torch.testing.assert_close(down.grad, SCALE * up.T @ slope, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(up.grad, SCALE * slope @ down.T, rtol=1e-4, atol=1e-4)
    assert all(parameter.grad is None for parameter in policy.parameters() if not parameter.requires_grad)


def test_targets_say_which_matrices(toy_dir: Path) -> None:
    policy = build_policy(toy_dir, lora=Lora(rank=2, targets="attention"))
    assert {name.split(".")[-3] for name in learning(policy)} == {"linear_qkv", "linear_proj"}


def test_a_critic_learns_its_head_too(toy_dir: Path) -> None:
    critic = build_policy(toy_dir, value_head=True, lora=LORA)
    assert {name for name in learning(critic) if ".lora." not in name} == {
        "language_model.output_layer.weight",
        "language_model.output_layer.bias",
    }


@pytest.fixture(scope="module")
def trained(toy_dir: Path) -> Learner:
    """Two updates in bf16."""
    policy = build_policy(toy_dir, dtype=torch.bfloat16, lora=LORA, seed=7)
    learner = Learner(policy, Optimizer(learning_rate=1e-2), 2)
    update(learner, 2)
    return learner


def update(learner: Learner, times: int) -> None:
    for _ in range(times):
        rows = type("Rows", (), {"tokens": TOKENS, "audio": None, "audio_index": None, "segments": None})
        learner.update(
            [rows], lambda states, _: (-response_logprobs(states, TOKENS).mean(), {BAD_ROW: torch.tensor(NO_ROW)}), []
        )


def test_what_is_published_is_the_merged_matrix_and_nothing_else_moved(toy_dir: Path, trained: Learner) -> None:
    before = {name: w.to(torch.bfloat16) for name, w in load_file(toy_dir / "model.safetensors").items()}
    after = dict(export_tensors(trained.model))
    assert after.keys() == before.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"model.layers.{i}.{part(n)}.{n}.weight" for i in range(2) for n in NAMES}
    low = learning(trained.model.module)
    prefix = "language_model.decoder.layers.1.mlp.linear_fc2"
    product = SCALE * low[f"{prefix}.lora.up"].double() @ low[f"{prefix}.lora.down"].double()
    name = "model.layers.1.mlp.down_proj.weight"
    expected = (before[name].double() + product).float()
    torch.testing.assert_close(after[name].float(), expected, rtol=2**-8, atol=1e-6)  # half a step of bf16's numbers


def part(name: str) -> str:
    return "mlp" if name in NAMES[4:] else "self_attn"


def test_a_checkpoint_holds_what_learns_and_brings_the_policy_back(
    toy_dir: Path, trained: Learner, tmp_path: Path
) -> None:
    pieces = list(trained.pieces("policy"))
    assert all(".lora_" in piece.name or piece.name.endswith("/updates") for piece in pieces)
    write_pieces(tmp_path / file_of(0), pieces, lambda _: None)
    policy = build_policy(toy_dir, dtype=torch.bfloat16, lora=LORA, seed=99)
    again = Learner(policy, Optimizer(learning_rate=1e-2), 2)
    with Pieces(tmp_path) as stored:
        again.restore("policy", stored)
    for (name, mine), (_, theirs) in zip(export_tensors(again.model), export_tensors(trained.model), strict=True):
        assert torch.equal(mine, theirs), name


def test_an_adapter_alone_is_not_unpacked(toy_dir: Path, trained: Learner, tmp_path: Path) -> None:
    saved = checkpoint_of(trained, tmp_path / "step")
    with pytest.raises(InputError, match="holds an adapter alone"):
        unpack(saved, toy_dir, tmp_path / "out")


def test_a_checkpoint_in_the_middle_is_unpacked(toy_dir: Path, tmp_path: Path) -> None:
    """What learns comes from it, a frozen encoder from the directory that the phase began with."""
    learner = Learner(build_policy(toy_dir, freeze_encoder=True), Optimizer(learning_rate=1e-2), 1)
    update(learner, 1)
    saved = checkpoint_of(learner, tmp_path / "step")
    unpack(saved, toy_dir, tmp_path / "out")
    expected, found = dict(export_tensors(learner.model)), load_file(tmp_path / "out/model.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    with pytest.raises(InputError, match="is there already"):
        unpack(saved, toy_dir, tmp_path / "out")


def checkpoint_of(learner: Learner, folder: Path) -> Path:
    """As a phase writes it."""
    partial = folder.with_name(".partial")
    partial.mkdir()
    digest = write_pieces(partial / file_of(0), list(learner.pieces("policy")), lambda _: None)
    return commit(partial, Progress(step=1), {file_of(0): digest}, 1)


def test_the_adapter_apart_and_its_base_make_the_merged_model(toy_dir: Path, tmp_path: Path) -> None:
    """As PEFT puts them together: W + lora_alpha / r · B A of each module that is named."""
    policy = moved(toy_dir)
    save_adapter(policy, LORA, toy_dir, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    tensors = load_file(tmp_path / "adapter/adapter_model.safetensors")
    assert len(tensors) == 2 * len(config["target_modules"]) == 2 * 2 * len(NAMES)
    base, merged = load_file(toy_dir / "model.safetensors"), dict(export_tensors(policy))
    for module in config["target_modules"]:
        up, down = (tensors.pop(f"base_model.model.{module}.lora_{which}.weight") for which in "BA")
        expected = base.pop(f"{module}.weight") + config["lora_alpha"] / config["r"] * up @ down
        torch.testing.assert_close(merged.pop(f"{module}.weight"), expected, rtol=0, atol=1e-5)
    assert not tensors
    assert all(torch.equal(merged[name], tensor) for name, tensor in base.items())
