"""The plan's arithmetic against numbers worked out by hand."""

import math
from dataclasses import replace

import pytest

from earwitness.families.architecture import PUBLISHED, read_architecture
from earwitness.families.dims import DecoderDims
from earwitness.plan.gpus import GPUS
from earwitness.plan.layouts import changes, options, tightest
from earwitness.plan.memory import Parallelism, memory
from earwitness.plan.speed import UTILISATION, flops_of_token, micro_batches, speed
from earwitness.plan.work import Work
from earwitness.recipe.schema import Lora

R1 = read_architecture(PUBLISHED / "step-audio-r1.json")
ENCODER = sum(float(math.prod(shape)) for name, shape in R1.weight_shapes().items() if name.startswith("encoder."))
ONE = Parallelism(1, 1, 1)


@pytest.fixture
def work():
    return Work(
        stage="0 ppo",
        architecture=R1,
        bytes=2,
        sequence=10_240,
        rows=1,
        batch=256,
        updates=2,
        responses=9_728,
        critic=True,
        rl=True,
        entropy=False,
        freeze_encoder=True,
        sequence_parallel=True,
        distributed_optimizer=True,
        recompute=False,
        clips=1,
    )


def test_state_of_one_gpu(work):
    found = memory(work, ONE, 1)
    learning = R1.parameters - ENCODER
    assert found.weights == 2 * R1.parameters
    assert found.gradients == 4 * learning
    assert found.optimizer == 12 * learning  # an fp32 copy and two moments
    head = 158_720 * 5_120
    assert found.critic == 2 * (R1.parameters - head) + 16 * (learning - head)
    assert memory(replace(work, bytes=4), ONE, 1).optimizer == 8 * learning
    assert memory(replace(work, freeze_encoder=False), ONE, 1).gradients == 4 * R1.parameters
    assert memory(replace(work, critic=False), ONE, 1).critic == 0


def test_lora_has_state_for_what_learns_alone(work):
    found = memory(replace(work, lora=Lora(rank=8), critic=False), ONE, 1)
    inputs_outputs = [(5_120, 7_168), (5_120, 5_120), (5_120, 2 * 27_648), (27_648, 5_120)]
    learning = 64 * 8 * sum(map(sum, inputs_outputs))
    beside = 64 * sum(map(math.prod, inputs_outputs))
    assert found.weights == 2 * (R1.parameters + beside) + 4 * learning
    assert found.gradients == 4 * learning
    assert found.optimizer == 8 * learning


def test_tensor_parallelism_shares_layers_and_not_the_listener(work):
    listener = sum(float(math.prod(s)) for n, s in R1.weight_shapes().items() if n.startswith(("encoder.", "adapter.")))
    norms = (2 * 64 + 1) * 5_120
    shared = R1.parameters - listener - norms
    assert memory(work, Parallelism(8, 1, 1), 1).weights == pytest.approx(2 * (shared / 8 + listener + norms))


def test_the_distributed_optimizer_is_shared_by_replicas(work):
    whole = memory(replace(work, distributed_optimizer=False), Parallelism(8, 1, 8), 1)
    shared = memory(work, Parallelism(8, 1, 8), 1)
    assert shared.optimizer == whole.optimizer / 8
    assert (shared.weights, shared.gradients) == (whole.weights, whole.gradients)


def test_activations(work):
    # Transformer Engine's layer: four hidden states around two norms; rotated queries, the whole projection (queries,
    # keys, values), rotated keys, attention's result; gate and up, and their product
    hidden, keys, mlp = 5_120, 2 * 8 * 128, 27_648
    layer = 4 * hidden + 3 * hidden + 1.5 * keys + 3 * mlp
    end = 10_240 * 2 * hidden + 9_728 * hidden  # the final norm's input, the states, those of the response
    adaptor = 375 * (2 * 1_280 + 3 * 2_048)
    kept = 2 * (64 * 10_240 * layer + end + adaptor)
    found = memory(work, ONE, 1)
    assert found.activations + found.logits == pytest.approx(kept + 2 * 10_240 * 4 * mlp)


def test_sequence_parallelism_shares_what_stands_between_layers(work):
    layout = Parallelism(8, 1, 1)
    shared = memory(work, layout, 1).activations
    alone = memory(replace(work, sequence_parallel=False), layout, 1).activations
    assert alone - shared == pytest.approx(2 * 10_240 * 64 * 4 * 5_120 * (1 - 1 / 8))


def test_recompute_keeps_inputs_and_one_layer(work):
    layout = Parallelism(8, 1, 1)
    hidden, keys, mlp = 5_120, 2 * 8 * 128, 27_648
    layer = (7 * hidden + 1.5 * keys + 3 * mlp) / 8
    whole, again = memory(work, layout, 1), memory(replace(work, recompute=True), layout, 1)
    token, space = 2 * 10_240, 4 * mlp / 8
    # a layer's backward pass comes after the logits
    beside = max(0, token * space - whole.logits), max(0, token * (layer + space) - again.logits)
    saved = token * 64 * (layer - hidden / 8) + beside[0] - beside[1]
    assert whole.activations - again.activations == pytest.approx(saved)
    slower = speed(replace(work, recompute=True), layout, GPUS["h100"]).seconds
    assert slower / speed(work, layout, GPUS["h100"]).seconds == pytest.approx(5 / 4)


def test_a_pipeline_keeps_a_micro_batch_for_each_stage_that_follows(work):
    first = memory(replace(work, critic=False), Parallelism(8, 4, 1), 8)
    only = memory(replace(work, critic=False), Parallelism(8, 4, 1), 1)
    assert first.activations > 3.5 * (only.activations - first.activations / 8)
    assert memory(work, Parallelism(8, 4, 1), 2).activations < first.activations


def test_logits(work):
    together = 96 * 1024 * 1024 // 158_720  # tokens whose logits are there at a time
    product = 2 * 158_720 * 5_120
    assert memory(work, ONE, 1).logits == together * 158_720 * (4 + 2) + product
    few = replace(work, responses=100)  # all at once, and kept: fp32 twice, and bf16
    assert memory(few, ONE, 1).logits == 100 * 158_720 * (4 + 4 + 2) + product
    assert memory(replace(few, bytes=4), ONE, 1).logits == 100 * 158_720 * 8
    assert memory(work, Parallelism(1, 2, 1), 8).logits in (0.0, memory(work, ONE, 1).logits)


def test_flops_are_two_for_each_weight_and_those_of_attention(work):
    products = R1.parameters - sum(
        float(math.prod(s))
        for n, s in R1.weight_shapes().items()
        if n.startswith(("encoder.", "adapter."))
        or "norm" in n
        or n.endswith("bias")
        or n == "model.embed_tokens.weight"
    )
    assert flops_of_token(work) == pytest.approx(2 * products + 2 * 64 * 5_120 * 10_240)


def test_seconds_of_a_step(work):
    layout, gpu = Parallelism(8, 2, 4), GPUS["h100"]
    found = speed(work, layout, gpu)
    assert micro_batches(work, layout) == 64
    assert found.bubble == pytest.approx(1 / 65)
    flops = 8 * 2 * 256 * 10_240 * flops_of_token(work)  # log-probs, forward, backward twice; as much for the critic
    assert found.seconds == pytest.approx(flops / (64 * 989e12 * UTILISATION * 64 / 65))
    assert found.tokens == pytest.approx(2 * 256 * 10_240 / found.seconds)
    supervised = speed(replace(work, rl=False, critic=False), layout, gpu)
    assert found.seconds / supervised.seconds == pytest.approx(8 / 3)


def test_what_fits_is_within_the_card_and_within_the_model(work):
    for option in options(work, 64, GPUS["h100"]):
        assert option.layout.gpus == 64 and option.memory.total <= GPUS["h100"].usable
        assert 8 % option.layout.tensor == 0 and 64 % option.layout.pipeline == 0
    assert options(work, 8, GPUS["h100"]) == []
    assert tightest(work, 8, GPUS["h100"]).memory.total > GPUS["h100"].usable
    assert tightest(replace(work, batch=1), 3, GPUS["h100"]) is None  # three replicas of one sequence


def test_changes_make_it_fit_and_settings_come_before_money(work):
    wasteful = replace(
        work, critic=False, rows=4, clips=4, distributed_optimizer=False, sequence_parallel=False, freeze_encoder=False
    )
    gpu = GPUS["h200"]
    assert options(wasteful, 16, gpu) == []
    found = list(changes(wasteful, 16, gpu))
    assert "micro_batch_tokens: 10240" in found[0].words
    assert all(change.memory.total <= GPUS["h200"].usable for change in found if "x H" not in change.words)
    critic = [change.words for change in changes(work, 8, gpu)]
    assert critic[0] == "algorithm: rloo, which has no critic"
    assert [words for words in critic if words.startswith("16 x H200")]
    small = replace(work, architecture=replace(R1, decoder=DecoderDims(512, 1024, 4, 8, 2, 4096, 65_536, 1e-5, 1e6)))
    assert options(small, 1, GPUS["a100"])
