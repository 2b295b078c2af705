"""MLflow: a file store below `mlflow/` unless MLFLOW_TRACKING_URI says otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from earwitness.jobs.track.tracker import Sample, Setting, tag_of

EXPERIMENT = "earwitness"

REFUSED = re.compile(r"[^\w\-./ ]")
"""What its names may not hold."""

LONGEST_PARAM = 500
MOST_PARAMS = 100
"""Characters of a setting, and settings of one call."""


class Mlflow:
    """One run, named as the job."""

    def __init__(self, folder: Path, job_id: str) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlflow").absolute().as_uri())
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        runs = self._client.search_runs([experiment], f"tags.mlflow.runName = '{job_id}'")
        self._run = (runs[0] if runs else self._client.create_run(experiment, run_name=job_id)).info.run_id

    def scalars(self, phase: str, step: int, time: float, figures: Mapping[str, float]) -> None:
        metrics = [
            Metric(REFUSED.sub("_", f"{phase}/{tag_of(name)}"), value, int(time * 1000), step)
            for name, value in figures.items()
        ]
        self._client.log_batch(self._run, metrics=metrics)

    def result(self, settings: Mapping[str, Setting], figures: Mapping[str, float]) -> None:
        params = [Param(REFUSED.sub("_", name), str(value)[:LONGEST_PARAM]) for name, value in settings.items()]
        for start in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(self._run, params=params[start : start + MOST_PARAMS])
        for name, value in figures.items():
            self._client.log_metric(self._run, REFUSED.sub("_", tag_of(name)), value)

    def sample(self, sample: Sample) -> None:
        self._client.log_text(self._run, sample.text, f"samples/{REFUSED.sub('_', sample.name)}.md")

    def close(self) -> None:
        self._client.set_terminated(self._run)
