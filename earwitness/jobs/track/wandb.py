"""Weights & Biases: offline below `wandb/` unless WANDB_MODE says otherwise (`wandb sync` sends it later)."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path

import soundfile
import wandb

from earwitness.audio import SAMPLE_RATE
from earwitness.jobs.track.tracker import Sample, Setting, tag_of


class Wandb:
    """One run, named as the job."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self._run = wandb.init(
            project="earwitness",
            id=job_id,
            name=job_id,
            dir=str(folder),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
        )
        self._phases: set[str] = set()

    def scalars(self, phase: str, step: int, time: float, figures: Mapping[str, float]) -> None:
        if phase not in self._phases:  # steps begin again in each phase
            self._phases.add(phase)
            self._run.define_metric(f"{phase}/*", step_metric=f"{phase}/step")
        self._run.log({f"{phase}/step": step} | {f"{phase}/{tag_of(name)}": value for name, value in figures.items()})

    def result(self, settings: Mapping[str, Setting], figures: Mapping[str, float]) -> None:
        self._run.config.update(dict(settings))
        self._run.summary.update({tag_of(name): value for name, value in figures.items()})

    def sample(self, sample: Sample) -> None:
        told = {sample.name: wandb.Html(f"<pre>{_escaped(sample.text)}</pre>")}
        if sample.wave is not None:
            wave, _ = soundfile.read(io.BytesIO(sample.wave))
            told[f"{sample.name}/clip"] = wandb.Audio(wave, sample_rate=SAMPLE_RATE)
        self._run.log(told)

    def close(self) -> None:
        self._run.finish()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
