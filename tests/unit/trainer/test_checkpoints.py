import io
import json

import pytest
import torch

from earwitness.errors import InputError
from earwitness.log import Logger
from trainer.checkpoint import MANIFEST, Checkpoints, Progress, local_path, verify, weights_of
from trainer.errors import CheckpointError


@pytest.fixture
def log():
    return Logger("trainer", stream=io.StringIO())


def write(checkpoints, step, **progress):
    tensors = {"weights": {"a": torch.arange(4.0) + step}, "rng": torch.get_rng_state()}
    return checkpoints.write(Progress(step=step, **progress), "tp0-pp0", tensors, lead=True, barrier=lambda: None)


def test_what_was_written_is_read_back(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 3, version=7, lineage=1, used={0: 1, 9: 3}, dropped={4: "all wrong"})
    newest = checkpoints.newest()
    assert newest.progress == Progress(3, 7, 1, False, {0: 1, 9: 3}, {4: "all wrong"})
    assert newest.load("tp0-pp0")["weights"]["a"].tolist() == [3.0, 4.0, 5.0, 6.0]


def test_only_the_last_ones_are_kept(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    for step in (1, 2, 10):
        write(checkpoints, step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000010"]


@pytest.mark.parametrize("damage", ["missing", "corrupt", "truncated", "no manifest", "manifest garbled"])
def test_a_damaged_checkpoint_is_passed_over_loudly_for_the_one_before(tmp_path, log, damage):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)
    path = write(checkpoints, 2)
    shard = path / "tp0-pp0.pt"
    if damage == "missing":
        shard.unlink()
    elif damage == "corrupt":
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
    elif damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-1])
    elif damage == "no manifest":
        (path / MANIFEST).unlink()
    else:
        (path / MANIFEST).write_text("{")
    with pytest.raises(CheckpointError, match="step-00000002"):
        verify(path)
    assert checkpoints.newest().progress.step == 1
    (line,) = map(json.loads, log.stream.getvalue().splitlines())
    assert line["level"] == "error" and "step-00000002" in line["checkpoint"] and line["problem"]


def test_a_write_that_was_interrupted_leaves_nothing_that_counts(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)

    def die():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoints.write(Progress(step=2), "tp0-pp0", {}, lead=True, barrier=die)
    assert checkpoints.newest().progress.step == 1
    write(checkpoints, 2)
    assert checkpoints.newest().progress.step == 2


def test_another_layout_is_refused_by_name(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    write(checkpoints, 1)
    with pytest.raises(CheckpointError, match="holds tp0-pp0, not tp1-pp0"):
        checkpoints.newest().load("tp1-pp0")


def test_a_checkpoint_cannot_run_code(tmp_path, log):
    class Attack:
        def __reduce__(self):
            return (print, ("code ran",))

    checkpoints = Checkpoints(tmp_path, keep=2, log=log)
    checkpoints.write(Progress(step=1), "tp0-pp0", {"x": Attack()}, lead=True, barrier=lambda: None)
    with pytest.raises(Exception, match=r"[Ww]eights.only"):
        checkpoints.newest().load("tp0-pp0")


def test_lineages_count_starts_even_without_a_checkpoint(tmp_path, log):
    checkpoints = Checkpoints(tmp_path / "deep" / "er", keep=2, log=log)
    assert [checkpoints.next_lineage() for _ in range(3)] == [0, 1, 2]
    assert checkpoints.newest() is None


def test_weights_of_a_last_checkpoint_and_of_a_model_directory(tmp_path, log):
    checkpoints = Checkpoints(tmp_path, keep=2, log=log)

    def export(folder):
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    last = checkpoints.write(Progress(step=1), "tp0-pp0", {}, lead=True, barrier=lambda: None, export=export)
    assert weights_of(f"file://{last}") == last / "hf"
    assert weights_of(str(last / "hf")) == last / "hf"
    assert verify(last).step == 1
    with pytest.raises(InputError, match="no Hugging Face directory"):
        weights_of(str(tmp_path))


def test_stores_without_rename_are_refused():
    with pytest.raises(InputError, match="s3://bucket/x: is not on a file system"):
        local_path("s3://bucket/x")
