"""A learner's state goes to a checkpoint and back, whatever optimizer holds it."""

from dataclasses import replace

import pytest
import torch

from earwitness.recipe.schema import Optimizer, ToyModel
from trainer.batches import Row, collate
from trainer.checkpoint.pieces import Pieces, file_of, write_pieces
from trainer.errors import CheckpointError
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.model.toy import make_toy
from trainer.ranks import parallel
from trainer.tuning.supervised import supervised_loss

TOY = ToyModel(hidden_size=64, layers=2, heads=2, kv_heads=2, intermediate_size=64, vocab_size=320, encoder_size=32)
CONFIG = Optimizer(learning_rate=1e-2, weight_decay=0.1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    parallel.initialize(1, 1)
    folder = tmp_path_factory.mktemp("state") / "model"
    make_toy(str(folder), TOY, ["How many beeps? one two"], 1)
    return str(folder)


def update(learner: Learner, seed: int) -> None:
    """A step on gradients that the seed gives."""
    generator = torch.Generator().manual_seed(seed)
    for buffer in learner.model.buffers:
        buffer.grad_data.copy_(torch.randn(buffer.grad_data.shape, generator=generator))
    learner._optimizer.step()
    learner.updates += 1


@pytest.mark.parametrize("distributed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value_head", [False, True])
def test_what_is_restored_goes_on_to_the_bit(model, tmp_path, dtype, distributed, value_head):
    def fresh() -> Learner:
        module = build_policy(model, value_head=value_head, dtype=dtype, freeze_encoder=value_head)
        return Learner(module, CONFIG, 10, distributed_optimizer=distributed)

    one = fresh()
    for seed in (1, 2):
        update(one, seed)
    written = list(one.pieces("policy"))
    kinds = {piece.name.split("/")[1] for piece in written}
    assert kinds == {"weight", "exp_avg", "exp_avg_sq", "updates"}
    write_pieces(tmp_path / file_of(0), written, lambda nbytes: None)
    other = fresh()
    with Pieces(tmp_path) as pieces:
        other.restore("policy", pieces)
    again = {piece.name: piece.tensor for piece in other.pieces("policy")}
    assert all(torch.equal(again[piece.name], piece.tensor) for piece in written) and len(again) == len(written)
    for learner in (one, other):
        update(learner, 3)
    pairs = list(zip(one.model.parameters(), other.model.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_learner_that_was_never_updated_is_restored_as_such(model, tmp_path):
    learner = Learner(build_policy(model), CONFIG, 10)
    write_pieces(tmp_path / file_of(0), list(learner.pieces("policy")), lambda nbytes: None)
    moved = Learner(build_policy(model), CONFIG, 10)
    update(moved, 1)
    fresh = Learner(build_policy(model), CONFIG, 10)
    with Pieces(tmp_path) as pieces:
        fresh.restore("policy", pieces)
    update(fresh, 1)
    assert all(torch.equal(a, b) for a, b in zip(moved.model.parameters(), fresh.model.parameters(), strict=True))


def test_the_rate_counts_the_updates_of_the_learner_itself(model, tmp_path):
    """A policy that waits for its critic begins its own warm-up with its own first update, also after a restart."""
    config = CONFIG.model_copy(update={"warmup_steps": 4})

    def rate(learner: Learner) -> float:
        return learner._optimizer.param_groups[0]["lr"]

    def row(learner: Learner) -> None:
        tokens = torch.arange(8, 24).numpy()
        batch = collate([(0, Row(tokens, 4))], {}, parallel.device())
        learner.update([batch], supervised_loss(12), ["row"])

    critic = Learner(build_policy(model), config, 8)
    policy = Learner(build_policy(model), config, 8)
    for _ in range(4):
        row(critic)  # warms up alone
    row(policy)
    assert rate(critic) == config.learning_rate and rate(policy) == config.learning_rate / 4
    write_pieces(tmp_path / file_of(0), list(policy.pieces("policy")), lambda nbytes: None)
    restored = Learner(build_policy(model), config, 8)
    with Pieces(tmp_path) as pieces:
        restored.restore("policy", pieces)
    row(restored)
    assert (restored.updates, rate(restored)) == (2, config.learning_rate / 2)


def test_a_piece_that_ends_beyond_its_parameter_is_refused(model, tmp_path):
    learner = Learner(build_policy(model), CONFIG, 10)
    written = list(learner.pieces("policy"))
    first = next(n for n, piece in enumerate(written) if piece.place is not None)
    written[first] = replace(written[first], place=replace(written[first].place, start=1))
    write_pieces(tmp_path / file_of(0), written, lambda nbytes: None)
    with Pieces(tmp_path) as pieces, pytest.raises(CheckpointError, match="ends at element") as refused:
        learner.restore("policy", pieces)
    assert written[first].name in str(refused.value)
