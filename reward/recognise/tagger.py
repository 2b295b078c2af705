"""What sounds: a network that the person names, an ONNX file with the classes of AudioSet (extra `tagger`).

The contract: one float32 input, `[samples]` or `[batch, samples]`, mono at full scale 1; the first output are scores
from 0 to 1, `[labels]` with or without dimensions of batch and frames before it. The rate stands in the file beside it
(`labels.py`) or in the network's metadata as `sample_rate`. All of it is checked when the network is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import soxr
from numpy.typing import NDArray

from earwitness.audio import SAMPLE_RATE
from earwitness.errors import InputError, shown
from reward.recognise.labels import EXPECTED, beside, columns
from reward.recognise.track import NotHeard, Samples, Threshold, Track

THRESHOLD = Threshold(there=0.5, gone=0.05)
"""Classes of AudioSet are rare: most scores of what does not sound are below 0.01, and of what does above one half
where the network is sure. Wide apart, because no two networks are calibrated alike."""
WINDOW_SECONDS = 1.0
"""A network that takes any length hears so much at a time: YAMNet's windows are 0.96 s."""
STEP = 0.5
"""Seconds from one window to the next."""
WAVEFORM = "one input of float32, [samples] or [batch, samples] at a rate that is stated"


class Tagger:
    """Scores of windows, `WINDOW_SECONDS` or what the network takes, each half a second."""

    labels: tuple[str, ...]

    def __init__(self, model: Path) -> None:
        """Raises InputError naming the file and what of it does not fit."""
        self._where = str(model)
        self._session = _session(model)
        given = beside(model)
        self._columns = columns(given.labels)
        self.labels = tuple(self._columns)
        if not self.labels:
            raise InputError(self._where, "none of its labels is one of AudioSet's", EXPECTED)
        self._rate = given.sample_rate or self._own_rate()
        self._input, self._batched, self._window = self._takes()
        self._check_scores(len(given.labels))

    def recognise(self, samples: Samples) -> Mapping[str, Track]:
        """A track for each source among its labels; where several labels are one source, the highest score is its."""
        sound = np.asarray(soxr.resample(samples, SAMPLE_RATE, self._rate), dtype=np.float32)
        step = round(STEP * self._rate)
        frames = max(1, -(-len(sound) // step))
        before = (self._window - step) // 2  # a window stands around the middle of its frame
        padded = np.zeros(frames * step + self._window, dtype=np.float32)
        padded[before : before + len(sound)] = sound
        scores = np.stack([self._scores(padded[n * step : n * step + self._window]) for n in range(frames)])
        if not np.isfinite(scores).all():
            raise NotHeard("the tagger's scores of this clip are no numbers")
        reach = before / self._rate
        return {
            key: Track(STEP, scores[:, indices].max(axis=1), THRESHOLD, reach=reach)
            for key, indices in self._columns.items()
        }

    def _scores(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of a window `[samples]`, `[labels]`: the highest of its frames."""
        given = window[None] if self._batched else window
        (scores, *_) = self._session.run(None, {self._input: given})
        scores = np.asarray(scores, dtype=np.float32)
        return scores.reshape(-1, scores.shape[-1]).max(axis=0) if scores.ndim else scores[None]

    def _own_rate(self) -> int:
        stated = self._session.get_modelmeta().custom_metadata_map.get("sample_rate", "")
        if not (stated.isascii() and stated.isdigit() and 4_000 <= int(stated[:7]) <= 96_000):
            problem = f"its sample_rate is {shown(stated)}" if stated else "no sample_rate is stated"
            raise InputError(self._where, problem, EXPECTED + ", with sample_rate in the network's metadata")
        return int(stated)

    def _takes(self) -> tuple[str, bool, int]:
        """Name of the input, whether it has a batch, and how many samples it hears at a time."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) not in (1, 2):
            said = ", ".join(f"{one.type} {one.shape}" for one in inputs)
            raise InputError(self._where, f"its inputs are {said}", WAVEFORM)
        *batch, length = inputs[0].shape
        if batch and isinstance(batch[0], int) and batch[0] != 1:
            raise InputError(self._where, f"it takes {batch[0]} clips at a time", WAVEFORM + "; a batch of one")
        fixed = isinstance(length, int)
        if fixed and length < STEP * self._rate:
            raise InputError(self._where, f"it hears {length} samples at {self._rate} Hz", f"at least {STEP} s")
        return inputs[0].name, bool(batch), length if fixed else round(WINDOW_SECONDS * self._rate)

    def _check_scores(self, count: int) -> None:
        """Two windows, silence and noise, have as many scores as there are labels, each from 0 to 1."""
        noise = 0.1 * np.random.default_rng(0).standard_normal(self._window, dtype=np.float32)
        for window in (np.zeros_like(noise), noise):
            try:
                scores = self._scores(window)
            except Exception as error:  # onnxruntime raises types of its own for whatever a network does not take
                problem = f"it does not take a window of {len(window)} samples: {str(error)[:200]}"
                raise InputError(self._where, problem, WAVEFORM) from error
            if len(scores) != count:
                raise InputError(self._where, f"it gives {len(scores)} scores", f"{count}, as there are labels")
            if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
                low, high = float(scores.min()), float(scores.max())
                raise InputError(
                    self._where, f"its scores are from {low:.3g} to {high:.3g}", "0 to 1: a sigmoid at the end"
                )


def _session(model: Path) -> onnxruntime.InferenceSession:
    if not model.is_file():
        raise InputError(str(model), "there is no such file", "an ONNX file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a reward worker has one core
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # see above
        raise InputError(str(model), f"it cannot be loaded: {str(error)[:200]}", "an ONNX file") from error
