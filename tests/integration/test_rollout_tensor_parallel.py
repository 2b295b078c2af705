"""vLLM with each layer split over two processes: versions reach both, and what it computes is what the trainer does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA
from tests.integration.rollout_setting import LINEAGE, Setting, change_some, serving_first_weights
from tests.integration.rollout_toy import TOY, weight_tensors

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
        before = await setting.check_served(LINEAGE, version, new, before)
        assert setting.engine.sync.nbytes == sum(chunk.nbytes for chunk in manifest.chunks)  # fetched once, for both
        change_some(new, numbers)
