"""Who owns what of the weights, and what stays as it was while the parameters change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.recipe.schema import ToyModel
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors
from trainer.model.toy import make_toy
from trainer.publish.snapshot import Snapshot, owners
from trainer.ranks.parallel import initialize


@settings(deadline=None)  # a busy machine takes its time
@given(st.lists(st.integers(0, 1000), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_everything_has_one_owner_and_nobody_has_much_more_than_another(sizes, replicas, tensor_parallel):
    share = owners(sizes, replicas, tensor_parallel)
    assert len(share) == len(sizes)
    ranks = [(d, t) for d in range(replicas) for t in range(tensor_parallel)]
    loads = {rank: sum(s for s, o in zip(sizes, share, strict=True) if o == rank) for rank in ranks}
    assert sum(loads.values()) == sum(sizes)
    assert max(loads.values()) - min(loads.values()) <= max(sizes, default=0)


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    toy = ToyModel(
        hidden_size=32, layers=1, heads=4, kv_heads=2, intermediate_size=48, vocab_size=320, max_positions=64,
        encoder_size=16, encoder_layers=1, encoder_heads=2, adapter_size=24, n_mels=16,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("snapshot") / "toy"
    make_toy(str(out), toy, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    initialize(1, 1)
    return build_policy(out)


def as_bytes(taken):
    return {name: np.asarray(content).tobytes() for name, _, _, content in taken}


def test_a_snapshot_is_the_export_and_the_committed_one_stays(module):
    snapshot = Snapshot()
    exported = {n: t.detach().cpu().contiguous().numpy().tobytes() for n, t in export_tensors(module)}
    first = snapshot.take(module)
    assert as_bytes(first) == exported
    snapshot.settle(committed=True)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    second = snapshot.take(module)
    assert as_bytes(first) == exported and as_bytes(second) != exported
    snapshot.settle(committed=False)
    third = snapshot.take(module)  # into the memory of the one that was not committed
    assert as_bytes(first) == exported and as_bytes(third) == as_bytes(second)
    assert all(np.shares_memory(a[3], b[3]) for a, b in zip(second, third, strict=True))
