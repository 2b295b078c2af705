"""The folder of a phase's checkpoints while two trainers write to it."""

import os
from pathlib import Path

import pytest

from trainer.checkpoint.folder import begin, partial_of


def test_what_an_older_trainer_still_writes_does_not_stop_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It adds a file to its folder between the look and the removal: the folder is not empty."""
    old = begin(tmp_path, 3, lineage=0)
    remove = os.rmdir

    def busy(path, **options):
        if Path(path).name == old.name:
            (old / "rank-00001.safetensors").write_bytes(b"half")
        remove(path, **options)

    monkeypatch.setattr(os, "rmdir", busy)
    new = begin(tmp_path, 3, lineage=1)
    assert new == partial_of(tmp_path, 3, 1) and not list(new.iterdir())
    monkeypatch.undo()
    begin(tmp_path, 4, lineage=1)
    assert [path.name for path in tmp_path.iterdir()] == [partial_of(tmp_path, 4, 1).name]
