"""A supervised phase that was stopped, killed or saved goes on as if nothing had happened."""

import sys
from pathlib import Path

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import write_data, write_recipe
from trainer_service import TrainerService, losses

from earwitness.wire.trainer.v1 import trainer_pb2 as wire


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    manifest = write_data(folder)
    return folder, manifest, write_recipe(folder, manifest)


def phase(job, checkpoints: str, model: str) -> dict[str, object]:
    folder, manifest, recipe = job
    return {
        "job_id": "j",
        "recipe_yaml": recipe,
        "phase": "tune",
        "model_uri": model,
        "manifest_uri": manifest,
        "checkpoint_uri": str(folder / checkpoints),
    }


def test_killed_and_resumed_is_never_stopped(job, tmp_path):
    recipe = job[2]
    with TrainerService(tmp_path) as trainer:
        made = trainer.call("PrepareModel", job_id="j", recipe_yaml=recipe)
        again = trainer.call("PrepareModel", job_id="j", recipe_yaml=recipe)
        assert made == again and made.parameters > 10_000
        model = made.model_uri

        whole = phase(job, "whole", model)
        assert trainer.call("StartPhase", **whole).step == 0
        trainer.call("StartPhase", **whole)  # repeated: nothing happens
        done = trainer.wait(state=wire.PHASE_STATE_DONE)
        expected = losses(done)
        assert sorted(expected) == [1, 2, 3, 4, 5]
        assert (Path(done.checkpoint_uri) / "hf" / "model.safetensors").is_file()
        assert trainer.call("StartPhase", **whole).step == 5

        # another phase: killed after its checkpoint at step 2 or later, wherever it is then
        cut = trainer.cut_short({**phase(job, "cut", model), "stage_index": 0})
        assert trainer.call("GetStatus").state == wire.PHASE_STATE_IDLE
        trainer.call("StartPhase", **cut)
        resumed = trainer.wait(state=wire.PHASE_STATE_DONE)
        assert resumed.lineage == 1
        after = losses(resumed)
        assert after and min(after) in (3, 5)
        assert after == {step: expected[step] for step in after}  # bit by bit
        for name in ("grad_norm",):
            assert losses(resumed, name) == {s: losses(done, name)[s] for s in after}

        # the last checkpoint damaged: the one before is used, loudly, and the end is the same
        shard = Path(resumed.checkpoint_uri) / "rank-00000.safetensors"
        shard.write_bytes(shard.read_bytes()[:-10])
        trainer.kill()
        trainer.start()
        trainer.call("StartPhase", **cut)
        repaired = trainer.wait(state=wire.PHASE_STATE_DONE)
        assert losses(repaired) == {5: expected[5]}
        assert "checkpoint passed over" in trainer.log.read_text()


def test_stop_save_and_refusals(job, tmp_path):
    recipe = job[2].replace(b"steps: 5", b"steps: 100000")
    folder = job[0]
    with TrainerService(tmp_path) as trainer:
        model = trainer.call("PrepareModel", job_id="j", recipe_yaml=recipe).model_uri
        start = {**phase(job, "long", model), "recipe_yaml": recipe}
        trainer.call("StartPhase", **start)
        trainer.wait(step=2)
        saved = trainer.call("SaveCheckpoint", job_id="j").checkpoint_uri
        assert (Path(saved) / "MANIFEST.json").is_file()
        with pytest.raises(grpc.RpcError) as busy:
            trainer.call("StartPhase", **{**start, "job_id": "other"})
        assert busy.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert trainer.call("StopPhase", job_id="other").step == 0
        stopped = trainer.call("StopPhase", job_id="j").step
        status = trainer.call("GetStatus")
        assert status.state == wire.PHASE_STATE_STOPPED and status.step == stopped >= 2
        assert Path(status.checkpoint_uri).name == f"step-{stopped:08d}"
        assert trainer.call("StartPhase", **start).step == 0
        trainer.wait(step=stopped + 1)
        trainer.call("StopPhase", job_id="j")
        with pytest.raises(grpc.RpcError) as wrong:
            trainer.call("StartPhase", **{**start, "phase": "train", "job_id": "n"})
        assert wrong.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "phase: 'train' in a stage of type sft" in wrong.value.details()
        with pytest.raises(grpc.RpcError) as lost:
            trainer.call("StartPhase", **{**start, "job_id": "n", "model_uri": str(folder / "nowhere")})
            trainer.wait(state=wire.PHASE_STATE_DONE)
        assert lost.value.code() == grpc.StatusCode.INVALID_ARGUMENT
