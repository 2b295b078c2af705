"""What a checkpoint holds of a learner is what it goes on from, for every type, head and layout of the ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainer_kit import TOY

from earwitness.recipe.schema import ToyModel
from trainer.model.toy import make_toy

HERE = Path(__file__).parent


@pytest.mark.timeout(600)
def test_every_kind_of_learner_goes_on_bit_by_bit_at_every_layout(tmp_path):
    make_toy(str(tmp_path / "model"), ToyModel(**TOY), ["How many beeps? one two I hear a beep."], 1)
    worker = [sys.executable, str(HERE / "learner_state_worker.py")]
    done = subprocess.run(
        [*worker, str(tmp_path / "model"), str(tmp_path / "checkpoints")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent.parent)},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len({name for line in told for name in line}) == 32  # 2 types, 2 heads, 2 optimizers, 4 layouts
    assert [line for line in told for wrong in line.values() if wrong] == []
