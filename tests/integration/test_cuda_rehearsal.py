"""The trainer's branches for CUDA, rehearsed on tensors that only say they are there: see `cuda_rehearsal.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.trainer_kit import recipe_of, write_data, write_recipe
from trainer.model.toy import make_toy

HERE = Path(__file__).parent
APART = {"float32": 1e-4, "bfloat16": 0.05}
"""Most that a figure on the branches for CUDA may differ from that on those for the CPU, of its size: attention is by
another kernel, which sums in another order and rounds elsewhere. Measured: 2e-5 and 0.013."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rehearsal")
    manifest = write_data(folder)
    toy = recipe_of(write_recipe(folder, manifest)).model.toy
    make_toy(str(folder / "model"), toy, ["How many beeps? one two I hear a beep."], 1)
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1"},
        capture_output=True, text=True,
    )  # fmt: skip


def rehearsed(scene: Path, where: str, dtype: str) -> dict[str, Any]:
    program = str(HERE / "cuda_rehearsal.py")
    done = run(program, where, str(scene / "model"), str(scene / "cold_start.jsonl"), dtype)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("dtype", "ranks"), [("float32", ["0", "1"]), pytest.param("bfloat16", ["1"], marks=pytest.mark.long)]
)
def test_local_ranks_train_each_on_a_device_of_its_own_as_on_the_cpu(scene: Path, dtype: str, ranks: list[str]) -> None:
    plain, *told = (rehearsed(scene, where, dtype) for where in ("cpu", *ranks))
    for rank, one in zip(ranks, told, strict=True):
        assert one["weights"] == [f"cuda:{rank}"]
        assert one["pieces"] == ["cpu"]  # what a checkpoint takes is on the host
        assert one["figures"] == told[0]["figures"]
    for phase, steps in plain["figures"].items():
        assert len(steps) == 5
        for expected, found in zip(steps, told[0]["figures"][phase], strict=True):
            assert found == pytest.approx(expected, rel=APART[dtype], abs=APART[dtype] / 100), phase


WRONG = {
    "torch.ones(3, device='cuda') + torch.ones(3)": "found ['cpu', 'cuda:0']",
    "torch.ones(3, device='cuda:1') + torch.ones(3).cuda()": "found ['cuda:0', 'cuda:1']",
    "torch.nn.Linear(2, 2).to('cuda')(torch.ones(1, 2))": "found ['cpu', 'cuda:0']",
    "torch.ones(3).to('cuda').numpy()": "can't convert",
}
"""What is on the wrong device, and what is said of it."""

SMALL = f"""
from tests.integration.cuda_rehearsal import *
pretend()
for words in {list(WRONG)}:
    with Pretend():
        try:
            exec(words)
        except Exception as error:
            print(json.dumps([words, str(error)]))
torch.cuda.set_device(1)
with ThreadPoolExecutor(1) as pool:
    devices = pool.submit(torch.cuda.current_device).result(), torch.cuda.current_device()
print(json.dumps(["devices", " ".join(map(str, devices))]))
"""


@pytest.fixture(scope="module")
def small() -> dict[str, str]:
    """What came of each of the words above, and the devices that a new thread and its maker ask; of one process."""
    done = run("-c", SMALL)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("words", WRONG)
def test_the_rehearsal_sees_what_is_on_the_wrong_device(small: dict[str, str], words: str) -> None:
    assert WRONG[words] in small[words]


def test_a_new_thread_asks_the_first_device_as_cuda_has_it(small: dict[str, str]) -> None:
    """As batches once were made: on the first device whatever the rank."""
    assert small["devices"] == "cuda:0 cuda:1"
