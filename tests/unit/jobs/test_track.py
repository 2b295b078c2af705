"""Trackers get everything a job tells, once, and can do it no harm."""

import asyncio
import io
import json
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import soundfile

from earwitness import artifacts
from earwitness.jobs.record import JobRecord
from earwitness.jobs.states import State
from earwitness.jobs.track import Tracking, tracking
from earwitness.jobs.track.tracker import sample_of, tag_of
from earwitness.log import get_logger
from earwitness.recipe.recipe import Recipe
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from tests.integration.process_kit import PATIENCE

STEPS = 30
FIGURES = {"loss.policy": 0.5, "reward.mean": 0.25, "kind.pitch change": 0.75, "seconds.wait": 1.5}
CONFIG = {"name": "n", "seed": 3, "model": {"path": None, "dtype": "float32"}, "stages": [{"type": "rl"}]}
BLOCK, HEAD, FULL, LAST = 32768, struct.Struct("<IHB"), 1, 4
"""Of the log format of a W&B run: checksum, length and kind of a piece."""


def event(sequence: int, kind: str, figures: Mapping[str, float], step: int = 0) -> jobs_pb2.Event:
    job = jobs_pb2.Job(job_id="j-1", stage_index=2, stage_type="rl", phase="train", step=step)
    metrics = [Metric(name=name, value=value) for name, value in figures.items()]
    return jobs_pb2.Event(sequence=sequence, time=1000.0 + step, kind=kind, metrics=metrics, job=job)


def told() -> list[jobs_pb2.Event]:
    steps = [event(i, "step", {name: v + i for name, v in FIGURES.items()}, step=i) for i in range(1, STEPS + 1)]
    return [*steps, event(STEPS + 1, "report", {"accuracy.final": 0.875})]


class Job:
    """A job that has told all it will, in a folder with a report and one evaluated group."""

    def __init__(self, folder: Path, track: list[str]) -> None:
        self.submitted_recipe = SimpleNamespace(track=track)
        self.record = JobRecord("j-1", "r", "n", str(folder), 1, 0.0, state=State.RUNNING)
        self.log = get_logger("test")
        self.store = self
        self.all, self.words = told(), []
        soundfile.write(folder / "clip.wav", np.sin(np.arange(8000) * 0.1) * 0.5, 16_000)
        prompt = wire.Prompt(id="p0", kind="pitch", question="Up?", choices=["up", "down"], answer="up",
                             audio_uri=str(folder / "clip.wav"))  # fmt: skip
        group = wire.Group(task=wire.GroupTask(prompt=prompt))
        trajectory = group.trajectories.add(text="it climbs\n</think>\nup", reward=wire.Reward(correct=True))
        trajectory.reward.claims.add(kind="pitch", verdict=wire.VERDICT_SUPPORTED, claimed="rising", measured="3 st")
        artifacts.write_groups(str(folder / "samples/after.jsonl"), [group])
        report = {"config": CONFIG, "samples": {"final": "samples/after.jsonl"}}
        artifacts.write_json(str(folder / "report.json"), report)

    async def events(self, job_id: str, after: int, count: int) -> list[jobs_pb2.Event]:
        return [e for e in self.all if e.sequence > after][:count]

    async def tell(self, kind: str, words: str) -> None:
        self.words.append((kind, words))


def track(job: Job) -> None:
    async def run() -> None:
        async with Tracking(job):  # type: ignore[arg-type]
            pass

    asyncio.run(run())


class Fake:
    """Remembers, unless told to fail."""

    made: ClassVar[list["Fake"]] = []
    fails = ""

    def __init__(self, folder: Path, job_id: str) -> None:
        self.steps: list[int] = []
        self.results: list[object] = []
        self.samples: list[str] = []
        self.closed = False
        Fake.made.append(self)
        self._act("make")

    def _act(self, what: str) -> None:
        if what == Fake.fails:
            raise OSError("the disk\nis full")

    def scalars(self, phase: str, step: int, time: float, figures: Mapping[str, float]) -> None:
        assert phase == "3-rl" and time == 1000.0 + step and figures["loss.policy"] == 0.5 + step
        self._act("scalars")
        self.steps.append(step)

    def result(self, settings: Mapping[str, object], figures: Mapping[str, float]) -> None:
        self._act("result")
        self.results.append((settings, figures))

    def sample(self, sample: object) -> None:
        self._act("sample")
        self.samples.append(sample.name)  # type: ignore[attr-defined]

    def close(self) -> None:
        self._act("close")
        self.closed = True


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tracker's package takes its time to be imported."""
    monkeypatch.setattr(tracking, "END_SECONDS", PATIENCE)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setitem(tracking.MAKERS, "mlflow", Fake)
    Fake.made, Fake.fails = [], ""
    return Fake


def test_a_tracker_gets_everything_once_and_in_order(tmp_path: Path, fake: type[Fake]) -> None:
    job = Job(tmp_path, ["mlflow"])
    track(job)
    (one,) = fake.made
    assert one.steps == list(range(1, STEPS + 1)) and one.closed and job.words == []
    settings = {"name": "n", "seed": 3, "model.dtype": "float32", "stages.0.type": "rl"}
    assert one.results == [(settings, {"accuracy.final": 0.875})]
    assert one.samples == ["pitch/p0"]


def test_a_service_that_comes_back_goes_on_where_the_trackers_were(tmp_path: Path, fake: type[Fake]) -> None:
    job = Job(tmp_path, ["mlflow"])
    whole, job.all = job.all, job.all[:10]
    track(job)
    job.all = whole
    track(job)
    first, second = fake.made
    assert first.steps + second.steps == list(range(1, STEPS + 1))


@pytest.mark.parametrize("what", ["make", "scalars", "result", "sample", "close"])
def test_a_tracker_that_fails_says_so_once_and_harms_no_other(tmp_path: Path, fake: type[Fake], what: str) -> None:
    pytest.importorskip("tensorboard")
    fake.fails = what
    job = Job(tmp_path, ["mlflow", "tensorboard"])
    track(job)
    words = "tracker mlflow failed, and is left alone from now on: OSError: the disk is full"
    assert job.words == [("worker", words)]
    assert read_tensorboard(tmp_path, "3-rl")["scalars"]["loss/policy"] == [(i, 0.5 + i) for i in range(1, STEPS + 1)]


def test_a_tracker_that_hangs_does_not_hold_the_job(tmp_path: Path, fake: type[Fake], monkeypatch) -> None:
    monkeypatch.setattr(tracking, "END_SECONDS", 0.05)
    hangs, forever = threading.Event(), threading.Event()
    monkeypatch.setattr(Fake, "scalars", lambda self, *_: (hangs.set(), forever.wait()))

    async def run() -> None:
        async with Tracking(Job(tmp_path, ["mlflow"])):  # type: ignore[arg-type]
            await asyncio.to_thread(hangs.wait)

    asyncio.run(run())
    assert not fake.made[0].closed
    forever.set()


def test_what_is_not_installed_is_named_unless_it_is_the_default(tmp_path: Path, monkeypatch) -> None:
    def missing(folder: Path, job_id: str) -> None:
        raise ModuleNotFoundError("No module named 'it'", name="it")

    for name in tracking.MAKERS:
        monkeypatch.setitem(tracking.MAKERS, name, missing)
    job = Job(tmp_path, ["tensorboard", "wandb"])
    track(job)
    assert job.words == [("worker", "no tracker wandb: package 'it' is missing")]


def test_nothing_is_tracked_where_nothing_is_asked_for(tmp_path: Path, fake: type[Fake]) -> None:
    track(Job(tmp_path, []))
    assert fake.made == [] and not (tmp_path / "tensorboard").exists()


def test_a_sample_says_what_was_asked_thought_and_found(tmp_path: Path) -> None:
    Job(tmp_path, [])
    (group,) = artifacts.read_groups(str(tmp_path / "samples/after.jsonl"))
    sample = sample_of(group)
    assert all(
        word in sample.text for word in ("Up?", "it climbs", "**up**, right", "| pitch | rising | 3 st | supported |")
    )
    wave, rate = soundfile.read(io.BytesIO(sample.wave))
    assert (len(wave), rate) == (8000, 16_000)
    group.task.prompt.audio_uri = str(tmp_path / "gone.wav")
    assert sample_of(group).wave is None


def test_recipes_name_trackers() -> None:
    assert Recipe.model_fields["track"].default == ["tensorboard"]


def read_tensorboard(folder: Path, run: str) -> dict:
    """What TensorBoard's own reader finds."""
    from tensorboard.backend.event_processing.event_accumulator import AUDIO, EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard" / run), size_guidance={"scalars": 0, AUDIO: 0, "tensors": 0})
    found.Reload()
    tags, plugins = found.Tags(), defaultdict[str, list[str]](list)
    for tag, metadata in found.summary_metadata.items():
        plugins[metadata.plugin_data.plugin_name].append(tag)
    return {
        "scalars": {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in tags["scalars"]},
        "text": {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in plugins.get("text", ())},
        "audio": {tag: found.Audio(tag)[0] for tag in tags["audio"]},
        "settings": [found.SummaryMetadata(tag).plugin_data.content for tag in plugins.get("hparams", ())],
    }


def test_tensorboard_reads_every_figure_sample_and_setting(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    job = Job(tmp_path, ["tensorboard"])
    track(job)
    assert job.words == []
    found = read_tensorboard(tmp_path, "3-rl")
    assert found["scalars"].keys() == {tag_of(name) for name in FIGURES}
    for name, value in FIGURES.items():
        assert found["scalars"][tag_of(name)] == [(i, value + i) for i in range(1, STEPS + 1)]
    whole = read_tensorboard(tmp_path, "job")
    assert whole["scalars"] == {"accuracy/final": [(0, 0.875)]}
    assert "| pitch | rising | 3 st | supported |" in whole["text"]["pitch/p0"]
    clip = whole["audio"]["pitch/p0/clip"]
    assert soundfile.read(io.BytesIO(clip.encoded_audio_string))[1] == 16_000
    (settings,) = (HParamsPluginData.FromString(content) for content in whole["settings"])
    assert settings.session_start_info.hparams["seed"].number_value == 3
    assert settings.session_start_info.hparams["model.dtype"].string_value == "float32"


def wandb_records(file: Path) -> Iterator[Any]:
    """What an offline run holds: W&B's records, in LevelDB's log format (blocks of 32 KiB, records in pieces)."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, whole = file.read_bytes(), 7, b""  # after the file's own head
    while at < len(content):
        if (left := BLOCK - at % BLOCK) < HEAD.size:  # no head fits into what is left of a block
            at += left
            continue
        _, length, piece = HEAD.unpack_from(content, at)
        at += HEAD.size + length
        whole += content[at - length : at]
        if piece in (FULL, LAST):
            yield Record.FromString(whole)
            whole = b""


def test_wandb_keeps_an_offline_run(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("wandb")
    for variable in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    job = Job(tmp_path, ["wandb"])
    track(job)
    assert job.words == []
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-j-1.wandb")
    curves, summary = defaultdict[str, list[float]](list), dict[str, float]()
    for record in wandb_records(file):
        for item in record.history.item:
            curves["/".join(item.nested_key) or item.key].append(json.loads(item.value_json))
        summary |= {i.key: json.loads(i.value_json) for i in record.summary.update if not i.nested_key}
    assert curves["3-rl/step"] == list(range(1, STEPS + 1))
    for name, value in FIGURES.items():
        assert curves[f"3-rl/{tag_of(name)}"] == [value + i for i in range(1, STEPS + 1)]
    assert summary["accuracy/final"] == 0.875


def test_mlflow_keeps_a_file_store(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    job = Job(tmp_path, ["mlflow"])
    track(job)
    assert job.words == []
    client = MlflowClient((tmp_path / "mlflow").absolute().as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("earwitness").experiment_id])
    assert (run.info.run_name, run.info.status) == ("j-1", "FINISHED")
    assert run.data.params["seed"] == "3" and run.data.metrics["accuracy/final"] == 0.875
    for name, value in FIGURES.items():
        history = client.get_metric_history(run.info.run_id, f"3-rl/{tag_of(name)}")
        assert [(m.step, m.value) for m in history] == [(i, value + i) for i in range(1, STEPS + 1)]
