"""vLLM's weight engine and shards that are not there."""

from types import SimpleNamespace

import pytest
import torch

from earwitness.errors import InfrastructureError


def test_a_shard_that_cannot_be_reached_fails_a_fetch_and_not_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from rollout import weight_engine  # here: vLLM takes 4 s of CPU to import, and every process collects every file

    asked: list[list[str]] = []

    class Reader:
        def __init__(self, urls: list[str]) -> None:
            asked.append(urls)
            raise InfrastructureError("Redis", 2.0, "silent")

    monkeypatch.setattr(weight_engine, "get_world_group", lambda: SimpleNamespace(local_rank=0, world_size=1))
    monkeypatch.setattr(weight_engine, "WeightReader", Reader)
    config = SimpleNamespace(parallel_config=None, model_config=None)
    engine = weight_engine.RedisWeightTransferEngine(SimpleNamespace(), config, torch.device("cpu"), torch.nn.Module())
    engine.init_transfer_engine(weight_engine.RedisInitInfo(["redis://shard"]))
    assert not asked
    for times in (1, 2):  # and the next one tries again
        engine.fetch("job/0", 1)
        assert engine._thread is not None
        engine._thread.join()
        kind, words, _ = engine.fetch_state()
        assert kind == "InfrastructureError" and "silent" in words
        assert asked == [["redis://shard"]] * times
