"""vLLM with each layer split over two processes: versions reach both, and what it computes is what the trainer does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from safetensors.numpy import load_file, save_file

from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA
from tests.integration.rollout_setting import LINEAGE, Setting, serving_first_weights
from tests.integration.rollout_toy import TOY, weight_tensors

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

RANKS = 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    async with serving_first_weights(tmp_path_factory.mktemp("ranks"), tensor_parallel=RANKS) as setting:
        yield setting


def heads(worker: Any) -> list[int]:
    """Runs in each rank's process: attention heads of its decoder layers. (The CPU's back end hides the weights.)"""
    modules = worker.model_runner.model.named_modules()
    return [module.num_heads for name, module in modules if name.endswith("self_attn") and ".layers." in name]


async def test_each_rank_has_its_share_and_together_they_are_the_trainers_model(setting: Setting) -> None:
    shares = await setting.engine._llm.collective_rpc(heads)
    assert len(shares) == RANKS
    assert all(share and set(share) == {TOY.heads // RANKS} for share in shares), shares
    setting.check_agreement("the first version", await setting.generate_all(), setting.model_dir)


async def test_an_anchor_and_deltas_reach_every_rank(setting: Setting) -> None:
    new = setting.other_model()
    numbers = np.random.default_rng(5)
    before = await setting.generate_all()
    for version in (2, 3, 4):
        manifest = setting.publisher.publish(version, weight_tensors(new))
        assert (manifest.kind == VERSION_KIND_DELTA) == (version > 2)
        await setting.engine.serve(LINEAGE, version)
        assert setting.engine.sync.nbytes == sum(chunk.nbytes for chunk in manifest.chunks)  # fetched once, for both
        after = await setting.generate_all()
        assert {span.version for _, ts in after for t in ts for span in t.versions} == {version}
        assert [list(t.token_ids) for t in before[0][1]] != [list(t.token_ids) for t in after[0][1]]
        setting.check_agreement(f"version {version}", after, new)
        before = after
        weights = load_file(new / "model.safetensors")
        for name, tensor in weights.items():
            weights[name] = np.where(numbers.random(tensor.shape) < 0.05, tensor * 1.5, tensor).astype(np.float32)
        save_file(weights, new / "model.safetensors")
