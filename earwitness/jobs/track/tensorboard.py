"""TensorBoard's event files, below `tensorboard/`: a run for each phase, and one for the whole job."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from earwitness.audio import SAMPLE_RATE
from earwitness.jobs.track.tracker import Sample, Setting, tag_of

WHOLE = "job"
"""Run of what is of no phase."""


class TensorBoard:
    """Writes with TensorBoard's own writer."""

    def __init__(self, folder: Path, job_id: str) -> None:
        self._folder = folder / "tensorboard"
        self._job_id = job_id
        self._writers: dict[str, Any] = {}

    def scalars(self, phase: str, step: int, time: float, figures: Mapping[str, float]) -> None:
        values = [Summary.Value(tag=tag_of(name), simple_value=value) for name, value in figures.items()]
        self._write(phase, Event(wall_time=time, step=step, summary=Summary(value=values)))

    def result(self, settings: Mapping[str, Setting], figures: Mapping[str, float]) -> None:
        now = clock.time()
        self._write(WHOLE, Event(wall_time=now, summary=hparams_pb(dict(settings), trial_id=self._job_id)))
        self.scalars(WHOLE, 0, now, figures)

    def sample(self, sample: Sample) -> None:
        text = make_tensor_proto([sample.text.encode()])
        values = [Summary.Value(tag=sample.name, metadata=create_summary_metadata("", ""), tensor=text)]
        if sample.wave is not None:
            audio = Summary.Audio(
                sample_rate=SAMPLE_RATE, num_channels=1, encoded_audio_string=sample.wave, content_type="audio/wav"
            )
            values.append(Summary.Value(tag=f"{sample.name}/clip", audio=audio))
        self._write(WHOLE, Event(wall_time=clock.time(), summary=Summary(value=values)))

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _write(self, run: str, event: Any) -> None:
        if run not in self._writers:
            self._writers[run] = EventFileWriter(str(self._folder / run))
        self._writers[run].add_event(event)
