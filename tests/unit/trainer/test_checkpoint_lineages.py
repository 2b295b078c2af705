"""A trainer that was cut off and comes back never writes over, nor removes, what a newer one wrote."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.trainer.checkpoint_kit import SHARD, log, ranks, write
from trainer.checkpoint import Checkpoints, Progress
from trainer.checkpoint.folder import begin, commit, next_lineage
from trainer.errors import CheckpointError

__all__ = ["log", "ranks"]


def test_lineages_count_starts_even_without_a_checkpoint(tmp_path, log):
    checkpoints = Checkpoints(tmp_path / "deep" / "er", keep=2, log=log)
    assert [checkpoints.next_lineage() for _ in range(3)] == [0, 1, 2]
    assert [checkpoints.next_lineage(7), checkpoints.next_lineage(7), checkpoints.next_lineage()] == [7, 8, 9]
    assert checkpoints.newest() is None


def test_two_starts_at_once_never_get_the_same_lineage(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: next_lineage(tmp_path), range(40)))
    assert sorted(claimed) == list(range(40))


def test_a_trainer_that_was_cut_off_writes_and_removes_no_checkpoint(tmp_path, log):
    old, new = Checkpoints(tmp_path, keep=1, log=log), Checkpoints(tmp_path, keep=1, log=log)
    assert old.next_lineage() == 0
    partial = begin(tmp_path, 12, 0)
    (partial / SHARD).write_bytes(b"half")
    assert new.next_lineage() == 1
    with pytest.raises(CheckpointError, match=r"started again \(lineage 1\), this is lineage 0"):
        commit(partial, Progress(step=12, lineage=0), {}, keep=1)
    write(new, 20, lineage=1)
    begun = begin(tmp_path, 21, 1)
    with pytest.raises(CheckpointError, match=r"started again \(lineage 1\), this is lineage 0"):
        write(old, 13, lineage=0)
    assert begun.is_dir() and new.newest().progress.step == 20


def test_a_commit_between_the_check_and_the_rename_leaves_the_newer_lineages_checkpoints(tmp_path, log, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=1, log=log)
    write(checkpoints, 20, lineage=1)
    monkeypatch.setattr("trainer.checkpoint.folder._check_newest", lambda *_: None)
    write(checkpoints, 12, lineage=0)
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-00000012", "step-00000020"]
