"""How much of the logits is in memory at a time, as benchmarks/trainer.py sees it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from trainer.model import logprobs as module
from trainer.model.logprobs import States, response_logprobs

VOCAB, TOKENS, AT_ONCE = 1009, 257, 16
LOGITS_BYTES = 4 * AT_ONCE * VOCAB


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "trainer.py"
    spec = importlib.util.spec_from_file_location("trainer_benchmark", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["trainer_benchmark"] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def states() -> States:
    torch.manual_seed(0)
    return States(torch.randn(TOKENS, 1, 8, requires_grad=True), torch.randn(VOCAB, 8, requires_grad=True))


def test_two_forms_of_a_few_tokens_at_most(
    benchmark: ModuleType, states: States, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS", AT_ONCE * VOCAB)
    tokens = torch.randint(VOCAB, (1, TOKENS))
    weight = {states.weight.untyped_storage()._cdata}
    with benchmark.Watch(VOCAB, weight) as watch:
        total = response_logprobs(states, tokens).sum()
    assert LOGITS_BYTES <= watch.peak <= 2 * LOGITS_BYTES
    with benchmark.Watch(VOCAB, weight) as watch:
        total.backward()
    gradient = states.weight.numel() * 4
    assert watch.peak <= 2 * LOGITS_BYTES + gradient


def test_the_watch_sees_what_a_plain_softmax_holds(benchmark: ModuleType, states: States) -> None:
    with benchmark.Watch(VOCAB, {states.weight.untyped_storage()._cdata}) as watch:
        (states.hidden[:, 0] @ states.weight.T).log_softmax(-1).sum().backward()
    assert watch.peak >= 2 * 4 * TOKENS * VOCAB
