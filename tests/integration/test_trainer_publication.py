"""Ranks write their own parts of a version: together they are the model, whatever the layout, and commit or do not."""

from __future__ import annotations

import io
import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.recipe.schema import ToyModel
from earwitness.redis_server import RedisServer
from earwitness.weights import HostCopy, MissingVersion, WeightPart, WeightPublisher, WeightReader
from earwitness.wire.trajectory.v1.trajectory_pb2 import Passage
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR
from tests.integration.process_kit import PATIENCE, run_ranks
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors
from trainer.model.toy import make_toy
from trainer.publish import publication as under_test
from trainer.publish.publication import Publication
from trainer.ranks.parallel import initialize

RANKS = 4
LAYOUTS = ["dp4:1:1", "tp2-dp2:2:1", "tp2-pp2:2:2"]
VERSIONS = 6
TOY = ToyModel(
    hidden_size=32, layers=2, heads=4, kv_heads=2, intermediate_size=48, vocab_size=320, max_positions=64,
    encoder_size=16, encoder_layers=1, encoder_heads=2, adapter_size=24, n_mels=16,
)  # fmt: skip


class Follower(threading.Thread):
    """Fetches every version of every layout as soon as it is there: the publisher keeps only the newest.

    Each leaves an empty file `LAYOUT-VERSION.seen` in `out`: the publisher waits for those that must not be missed.
    """

    def __init__(self, urls: list[str], out: Path) -> None:
        super().__init__(daemon=True)
        self._out = out
        self._reader = WeightReader(urls)
        self._copy = HostCopy()
        self.seen: dict[tuple[str, int], dict[str, bytes]] = {}
        self.parts: dict[tuple[str, int], set[str]] = {}
        self.kinds: dict[str, str] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            latest = self._reader.latest()
            if latest is None or latest in self.seen:
                self.ended.wait(0.005)
                continue
            try:
                manifest = self._reader.manifest(*latest)
                self._copy.catch_up(self._reader, *latest)
            except MissingVersion:  # on a busy machine the next one is there before this one is read
                continue
            self.seen[latest] = {name: held.data.tobytes() for name, held in self._copy.tensors.items()}
            self.parts[latest] = {chunk.key.rsplit(":", 1)[1].split(".")[0] for chunk in manifest.chunks}
            self.kinds[latest[0]] = self.kinds.get(latest[0], "") + (
                "a" if manifest.kind == VERSION_KIND_ANCHOR else "d"
            )
            (self._out / f"{latest[0].partition('/')[0]}-{latest[1]}.seen").touch()


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Follower, Path]:
    out = tmp_path_factory.mktemp("published")
    make_toy(str(out / "toy"), TOY, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    with ExitStack() as stack:
        urls = [stack.enter_context(RedisServer("weights", out / f"shard-{i}")).url for i in range(2)]
        follower = Follower(urls, out)
        follower.start()
        words = run_ranks(RANKS, "publication_worker.py", str(out / "toy"), str(out), ",".join(urls), *LAYOUTS)
        follower.ended.set()
        follower.join()
    assert words.count("weights not published") == len(LAYOUTS), words[-3000:]  # each one's version 2, once
    return follower, out


@pytest.mark.parametrize("layout", [layout.split(":")[0] for layout in LAYOUTS])
def test_what_is_read_is_the_model_that_was_published(followed: tuple[Follower, Path], layout: str) -> None:
    follower, out = followed
    lineage = f"{layout}/0"
    read = sorted(version for name, version in follower.seen if name == lineage)
    assert read[-1] == VERSIONS - 1 and len(read) >= 2
    for version in read:
        weights = load_file(out / f"{layout}-{version}.safetensors")
        expected = {name: tensor.view(torch.uint8).numpy().tobytes() for name, tensor in weights.items()}
        assert follower.seen[lineage, version] == expected
    assert follower.parts[lineage, VERSIONS - 1] == {f"{rank}d" for rank in range(RANKS)}


def test_one_that_fails_for_good_is_told_at_the_next_step_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gives_up_on_redis: None
) -> None:
    """Training waits for the copy only; the error comes when the next version is due."""
    monkeypatch.setattr(under_test, "ATTEMPTS", 2)
    monkeypatch.setattr(under_test, "RETRY_SECONDS", 0.1)
    make_toy(str(tmp_path / "toy"), TOY, ["the pitch climbs from 220 Hz to 440 Hz"] * 4, seed=3)
    initialize(1, 1)
    module = build_policy(tmp_path / "toy")
    with RedisServer("weights", tmp_path / "shard") as server:
        part, publisher = WeightPart([server.url], "alone/0"), WeightPublisher([server.url], "alone/0")
        carried: list[Passage] = []
        said, tries = io.StringIO(), threading.Event()
        publication = Publication(part, publisher, Logger("publication-test", stream=said), carried.append)
        publication.publish(0, module)
        publication.finish()
        assert publication.figures["publish.whole"] == 1.0
        server.kill()
        attempt = publication._attempt

        def attempt_later(*arguments: Any) -> str:
            assert tries.wait(PATIENCE)
            return attempt(*arguments)

        monkeypatch.setattr(publication, "_attempt", attempt_later)
        publication.publish(1, module)
        assert publication._running is not None and not publication._running.done()  # training goes on
        tries.set()
        with pytest.raises(InfrastructureError, match="weight plane"):
            publication.publish(2, module)
        failed = [line for line in map(json.loads, said.getvalue().splitlines()) if "attempt" in line]
        assert [(line["version"], line["attempt"]) for line in failed] == [(1, 1), (1, 2)]
        server.start()
        publication.publish(3, module)
        publication.finish()
        publication.close()
        assert [(stay.station, stay.lineage, stay.version) for stay in carried] == [
            ("publish", "alone/0", 0), ("publish", "alone/0", 3),
        ]  # fmt: skip
        assert all(stay.begun <= stay.ended for stay in carried)
        reader, copy = WeightReader([server.url]), HostCopy()
        copy.catch_up(reader, "alone/0", 3)
        expected = {name: t.detach().contiguous().numpy().tobytes() for name, t in export_tensors(module)}
        assert {name: held.data.tobytes() for name, held in copy.tensors.items()} == expected
