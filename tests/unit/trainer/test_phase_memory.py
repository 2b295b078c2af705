"""A phase that is over leaves no model behind, and every thread of a rank knows its device."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from earwitness.log import get_logger
from earwitness.recipe.schema import Optimizer, ToyModel
from earwitness.wire.trainer.v1 import trainer_pb2 as wire
from services.trainer import __main__ as service
from trainer.batches import Row, collate
from trainer.errors import TrainingError
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.model.toy import make_toy
from trainer.ranks import parallel
from trainer.tuning.supervised import supervised_loss

TOY = ToyModel(hidden_size=64, layers=2, heads=2, kv_heads=2, intermediate_size=64, vocab_size=320, encoder_size=32)


@pytest.fixture
def no_collector():
    """What is freed is freed on purpose. What is there already stays: a look at all of it takes half a second."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_tensor_of_a_finished_phase_is_held(tmp_path, monkeypatch, no_collector, dtype, fails):
    parallel.initialize(1, 1)
    make_toy(str(tmp_path / "model"), TOY, ["How many beeps? one two"], 1)
    held = []

    class Phase:
        def __init__(self, *_):
            module = build_policy(str(tmp_path / "model"), dtype=dtype)
            self.learner = Learner(module, Optimizer(learning_rate=1e-3), 10)

        def run(self):
            batch = collate([(0, Row(torch.arange(8, 24).numpy(), 4))], {}, parallel.device())
            self.learner.update([batch], supervised_loss(12), ["row"])
            model = self.learner.model
            held.extend(weakref.ref(x) for x in [model, *model.parameters(), *(b.grad_data for b in model.buffers)])
            assert all(ref() is not None for ref in held)
            if fails:
                raise TrainingError("as it may")
            return True

    monkeypatch.setattr(service, "PhaseRun", Phase)
    assert service._run_phase(wire.StartPhaseRequest(), None, SimpleNamespace(), get_logger("test"))
    assert len(held) > 50 and [ref for ref in held if ref() is not None] == []


def test_a_thread_that_makes_batches_puts_them_on_the_device_of_its_rank(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)  # as on a thread that nobody has told
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(parallel.device).result() == torch.device("cuda", 3) == parallel.device()
