import json
import math
import pickle
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from earwitness.errors import InputError
from tests.integration.process_kit import wait_for
from tests.unit.trainer.checkpoint_kit import SHARD, log, ranks, tensors, write
from trainer.checkpoint import MANIFEST, Checkpoints, Progress, verify, weights_of
from trainer.checkpoint.folder import STATE, begin, commit
from trainer.checkpoint.pieces import Piece, Pieces, Region, file_of, write_pieces
from trainer.checkpoint.writer import Write
from trainer.errors import CheckpointError

__all__ = ["log", "ranks"]


def slot(cut="rows", shape=(4,)):
    """Stands for a slot of this shape, of one tensor that is cut by rows."""

    def pieces(target, rank, size):
        span = (rank * shape[0], (rank + 1) * shape[0])
        return [SimpleNamespace(name="w", rows=span, columns=None, target=target)]

    return SimpleNamespace(
        cut=cut,
        names=("w",),
        parameter=torch.empty(shape),
        join=lambda shards: [torch.cat(shards)],
        pieces=pieces,
    )


def test_what_was_written_is_read_back(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 3, version=7, lineage=1, used={0: 1, 9: 3}, dropped={4: "all wrong"})
    newest = checkpoints.newest()
    assert newest.progress == Progress(3, 7, 1, False, {0: 1, 9: 3}, {4: "all wrong"})
    with newest.pieces() as pieces:
        assert pieces.shard("a", slot("whole"), 0, 1).tolist() == [3.0, 4.0, 5.0, 6.0]
        assert torch.equal(pieces.own("rng/cpu", 0), torch.get_rng_state())
        with pytest.raises(CheckpointError, match="holds no b"):
            pieces.shard("b", slot(), 0, 1)
        with pytest.raises(CheckpointError, match="holds no rng/cpu of rank 3"):
            pieces.own("rng/cpu", 3)


def test_the_loop_goes_on_while_bytes_are_written_and_what_it_changes_meanwhile_is_not_in_the_file(
    tmp_path, log, monkeypatch
):
    told = []
    checkpoints = Checkpoints(tmp_path, keep=2, log=log, committed=lambda path, step: told.append((path.name, step)))
    released = hold_writes(monkeypatch)
    progress = Progress(step=1, used={0: 1})
    saved = checkpoints.save(progress, lambda: tensors(1))
    progress.used[1] = 2
    assert checkpoints.saving is saved and not told and saved.seconds == 0
    assert checkpoints.newest() is None
    checkpoints.check()
    released.append(True)
    checkpoints.finish()
    assert checkpoints.saving is None and told == [("step-00000001", 1)]
    assert checkpoints.newest().progress.used == {0: 1}
    figures = checkpoints.figures()
    assert figures["checkpoint.bytes"] >= saved.bytes > 0 and figures["checkpoint.seconds"] > 0


def hold_writes(monkeypatch) -> list[bool]:
    """Writing waits until something is in the list."""
    released: list[bool] = []

    def slowly(path, pieces, wrote):
        wait_for("the test to let the write go on", lambda: released, poll_seconds=0.005)
        return write_pieces(path, pieces, wrote)

    monkeypatch.setattr("trainer.checkpoint.writer.write_pieces", slowly)
    return released


def test_a_write_that_fails_in_the_background_ends_the_next_step_by_name(tmp_path, log, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)
    monkeypatch.setattr("trainer.checkpoint.writer.write_pieces", full)
    checkpoints.save(Progress(step=2), lambda: tensors(2))
    with pytest.raises(CheckpointError, match=r"step-00000002.*rank 0 cannot write it.*No space left on device"):
        wait_for("the error", checkpoints.check, poll_seconds=0.005)
    monkeypatch.undo()
    assert checkpoints.newest().progress.step == 1
    write(checkpoints, 2)
    assert checkpoints.newest().progress.step == 2


def test_only_the_last_ones_are_kept(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    for step in (1, 2, 10):
        write(checkpoints, step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000010"]


def test_what_a_lineage_that_was_given_up_wrote_does_not_outlive_the_next_checkpoint(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=1, log=log)
    write(checkpoints, 10)
    (tmp_path / "step-00000010" / MANIFEST).unlink()
    assert checkpoints.newest() is None
    write(checkpoints, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000004"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("missing", "is torn: rank-00000.safetensors is missing"),
        ("corrupt", "rank-00000.safetensors is corrupt"),
        ("truncated", "rank-00000.safetensors is corrupt"),
        ("state", "state.json is corrupt"),
        ("no manifest", "is torn: MANIFEST.json is missing"),
        ("manifest garbled", "cannot be read"),
        ("manifest empty", "names no state.json"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_loudly_for_the_one_before(tmp_path, log, damage, words):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)
    path = write(checkpoints, 2)
    log.stream.truncate(0)
    log.stream.seek(0)
    shard = path / SHARD
    if damage == "missing":
        shard.unlink()
    elif damage == "corrupt":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    elif damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-1])
    elif damage == "state":
        (path / STATE).write_text((path / STATE).read_text().replace('"step": 2', '"step": 3'))
    elif damage == "no manifest":
        (path / MANIFEST).unlink()
    elif damage == "manifest garbled":
        (path / MANIFEST).write_text("{")
    else:
        (path / MANIFEST).write_text("{}")
    with pytest.raises(CheckpointError, match="step-00000002"):
        verify(path)
    assert checkpoints.newest().progress.step == 1
    (line,) = map(json.loads, log.stream.getvalue().splitlines())
    assert line["level"] == "error" and "step-00000002" in line["checkpoint"] and words in line["problem"]
    assert checkpoints.passed_over == [line["problem"]]


def test_ranks_share_the_verification(tmp_path):
    partial = begin(tmp_path, 1)
    digests = {file_of(r): write_pieces(partial / file_of(r), tensors(r), lambda n: None) for r in range(5)}
    path = commit(partial, Progress(step=1), digests, keep=1)
    (path / file_of(3)).write_bytes(b"x")
    found = []
    for rank in range(3):
        try:
            verify(path, rank, 3)
        except CheckpointError:
            found.append(rank)
    assert len(found) == 1


def test_a_write_that_was_interrupted_leaves_nothing_that_counts(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)
    partial = begin(tmp_path, 2)
    (partial / SHARD).write_bytes(b"half")
    assert checkpoints.newest().progress.step == 1
    write(checkpoints, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_the_lead_commits_when_all_ranks_have_written(tmp_path):
    committed = []
    partial = begin(tmp_path, 1)
    lead = Write(partial, 1, 0, tensors(0), committed.append, ranks=2)
    time.sleep(0.1)
    assert not lead.done and not committed
    Write(partial, 1, 1, tensors(1), None, ranks=2).result()
    lead.result()
    assert [sorted(digests) for digests in committed] == [[file_of(0), file_of(1)]]
    assert sorted(p.name for p in partial.iterdir()) == [file_of(0), file_of(1)]


def test_the_lead_hears_of_a_rank_that_cannot_write_and_does_not_wait_for_one_that_will_not(tmp_path, monkeypatch):
    partial = begin(tmp_path, 1)
    lead = Write(partial, 1, 0, tensors(0), lambda digests: None, ranks=2)
    (partial / "rank-00001.failed").write_text("rank 1 cannot write it (disk gone)")
    with pytest.raises(CheckpointError, match="disk gone"):
        lead.result()
    partial = begin(tmp_path, 2)
    lead = Write(partial, 2, 0, tensors(0), lambda digests: None, ranks=2)
    lead.abandon()
    with pytest.raises(CheckpointError, match="given up before rank 1"):
        lead.result()
    monkeypatch.setattr("trainer.checkpoint.writer.PATIENCE_SECONDS", 0.05)
    with pytest.raises(CheckpointError, match="for rank 1 to write its part"):
        Write(begin(tmp_path, 3), 3, 0, tensors(0), lambda digests: None, ranks=2).result()


@pytest.mark.parametrize("seed", range(5))
def test_runs_of_shards_come_together_at_any_size(tmp_path, seed):
    """A parameter cut by rows over `shards` ranks, each shard in runs of random length over replicas' files."""
    random = np.random.default_rng(seed)
    shards, replicas = int(random.choice([1, 2, 4])), int(random.integers(1, 4))
    full = torch.randn(8, 3, dtype=torch.float32).to([torch.float32, torch.bfloat16][seed % 2])
    for number, shard in enumerate(full.chunk(shards)):
        bounds = [0, *sorted(random.integers(0, shard.numel() + 1, replicas - 1)), shard.numel()]
        for replica in range(replicas):
            start, end = bounds[replica], bounds[replica + 1]
            run = shard.flatten()[start:end] if replicas > 1 else shard
            place = Region(number, shards, tuple(shard.shape), int(start))
            pieces = [Piece("w", run, place)] if end > start else []
            write_pieces(tmp_path / file_of(number * replicas + replica), pieces, lambda n: None)
    with Pieces(tmp_path) as pieces:
        for size in (1, 2, 4):
            for rank in range(size):
                assert torch.equal(pieces.shard("w", slot(shape=(8 // size, 3)), rank, size), full.chunk(size)[rank])
    gone = tmp_path / file_of(int(random.integers(shards * replicas)))
    with Pieces(tmp_path) as pieces:
        empty = not any(place for file, place in pieces._where["w"] if file is pieces._files[gone.name])
    gone.unlink()
    if not empty:
        with Pieces(tmp_path) as pieces, pytest.raises(CheckpointError, match=r"holds (only a part of|no) w"):
            pieces.shard("w", slot(shape=(8, 3)), 0, 1 if shards > 1 else 2)


def test_a_checkpoint_cannot_run_code(tmp_path, log):
    class Attack:
        def __reduce__(self):
            return (print, ("code ran",))

    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    path = write(checkpoints, 1)
    (path / SHARD).write_bytes(pickle.dumps(Attack()))
    with pytest.raises(CheckpointError, match="cannot be read"):
        Pieces(path)


def test_weights_of_a_last_checkpoint_and_of_a_model_directory(tmp_path, log):
    def export(folder):
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    checkpoints.save(Progress(step=1), lambda: tensors(1), export)
    checkpoints.finish()
    last = tmp_path / "step-00000001"
    assert weights_of(f"file://{last}") == last / "hf"
    assert weights_of(str(last / "hf")) == last / "hf"
    assert verify(last).step == 1
    (last / "hf" / "config.json").write_text("{ }")
    with pytest.raises(CheckpointError, match=r"hf/config.json is corrupt"):
        verify(last)
    with pytest.raises(InputError, match="no Hugging Face directory"):
        weights_of(str(tmp_path))


def test_a_folder_that_cannot_be_made_is_a_checkpoint_error(tmp_path, log):
    (tmp_path / "file").write_text("")
    checkpoints = Checkpoints(tmp_path / "file" / "inside", keep=2, log=log)
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoints.save(Progress(step=1), lambda: tensors(1))


def test_an_export_that_fails_is_a_checkpoint_error_and_leaves_nothing_that_counts(tmp_path, log):
    def full(folder):
        raise OSError(28, "No space left on device")

    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    with pytest.raises(CheckpointError, match=r"hf: cannot be written .*No space left"):
        checkpoints.save(Progress(step=1), lambda: tensors(1), full)
    assert checkpoints.newest() is None


def test_stores_without_rename_are_refused(log):
    with pytest.raises(InputError, match="s3://bucket/x: is not on a file system"):
        Checkpoints("s3://bucket/x", keep=1, log=log)


def test_the_file_is_safetensors(tmp_path):
    from safetensors.torch import load_file

    tensors = [Piece("x", torch.randn(3, 5)), Piece("y", torch.arange(7, dtype=torch.uint8)), Piece("z", torch.ones(2))]
    counted = []
    write_pieces(tmp_path / "f", tensors, counted.append)
    read = load_file(tmp_path / "f")
    assert all(torch.equal(read[p.name], p.tensor) for p in tensors)
    assert sum(counted) == (tmp_path / "f").stat().st_size
    assert math.isclose(sum(p.tensor.nbytes for p in tensors), 60 + 7 + 8)
