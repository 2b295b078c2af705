"""Puts the model that a job has taught in the place of the shipped listener, in bfloat16.

    python models/ship.py runs/listener

takes the Hugging Face directory of the job's last supervised stage.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

LISTENER = Path(__file__).parent / "listener"
WEIGHTS = "model.safetensors"
FILE_MODE = 0o644
"""safetensors writes 0600, which other users of a shared folder cannot read."""


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=Path, help="output folder of the job")
    chosen = parser.parse_args()
    taught = sorted(chosen.job.glob("**/checkpoints/*-sft/step-*/hf"))
    if not taught:
        print(f"ship: {chosen.job} has no checkpoints/*-sft/step-*/hf; expected a job that has ended", file=sys.stderr)
        return 1
    size = ship(taught[-1], LISTENER)
    print(f"{LISTENER}: {size:,} bytes from {taught[-1]}")
    return 0


def ship(source: Path, target: Path) -> int:
    """Copies a Hugging Face directory with its weights rounded to bfloat16; returns the bytes of the copy."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.name != WEIGHTS:
            shutil.copyfile(file, target / file.name)
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source / WEIGHTS).items()}
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    (target / WEIGHTS).chmod(FILE_MODE)
    config = json.loads((target / "config.json").read_text(encoding="utf-8"))
    config["torch_dtype"] = config["text_config"]["torch_dtype"] = "bfloat16"
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return sum(file.stat().st_size for file in target.iterdir())


if __name__ == "__main__":
    sys.exit(main())
