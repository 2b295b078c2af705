"""What a person sees of a running job."""

import io

from earwitness.cli.figures import clock, number
from earwitness.cli.follow import Rate, conclusion, follow, step_line
from earwitness.cli.table import final_table
from earwitness.cli.terminal import Terminal
from earwitness.jobs.report.stats import wilson
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric


def a_job(step: int = 0, **fields: object) -> jobs_pb2.Job:
    job = jobs_pb2.Job(job_id="j", stage_index=1, stages=4, stage_type="rl", phase="train", step=step, steps=40)
    job.seconds_left = 75.0
    job.MergeFrom(jobs_pb2.Job(**fields))
    return job


def an_event(step: int, kind: str = "step", message: str = "", **metrics: float) -> jobs_pb2.Event:
    figures = [Metric(name=n.replace("__", "."), value=v) for n, v in metrics.items()]
    return jobs_pb2.Event(sequence=step + 1, time=1000.0 + step, kind=kind, message=message, metrics=figures,
                          job=a_job(step))  # fmt: skip


def shown(events: list[jobs_pb2.Event]) -> str:
    text = io.StringIO()
    follow(events, Terminal(file=text, width=200))
    return text.getvalue()


def test_a_step_line_says_stage_step_rate_time_left_and_figures() -> None:
    line = step_line(a_job(12), 0.5, {"reward.mean": 0.5, "seconds.train": 3.0})
    assert line == "[2/4] rl train  12/40  2.0 s/step  1:15 left  reward 0.500"


def test_unknown_rate_and_time_left_are_left_out() -> None:
    assert step_line(jobs_pb2.Job(stages=4, stage_type="rl", step=3, seconds_left=-1), 0.0, {}) == "[1/4] rl  3"


def test_rate_is_of_the_current_phase() -> None:
    rate = Rate()
    for step in range(5):
        rate.add(a_job(step, phase="select"), 10.0 + step)
    rate.add(a_job(0), 20.0)
    assert rate() == 0.0
    rate.add(a_job(10), 25.0)
    assert rate() == 2.0


def test_rate_starts_anew_when_the_trainer_went_back() -> None:
    rate = Rate()
    rate.add(a_job(10), 1.0)
    rate.add(a_job(4), 2.0)
    assert rate() == 0.0


def test_plain_lines_are_few_and_the_last_step_is_shown() -> None:
    text = shown([an_event(step, loss=1.0 / (step + 1)) for step in range(41)])
    lines = text.splitlines()
    assert len(lines) <= 10
    assert "40/40" in lines[-1]


def test_messages_are_shown_and_progress_is_not_repeated() -> None:
    events = [an_event(0, "stage", "stage 2 of 4: rl"), *(an_event(s, "sample", f"{s} of 40 groups") for s in range(9))]
    text = shown([*events, an_event(40, "drop", "38 groups used, 2 dropped")])
    assert "stage 2 of 4: rl" in text
    assert "38 groups used, 2 dropped" in text
    assert "of 40 groups" not in text


def test_markup_in_messages_is_text() -> None:
    assert "[red]" in shown([an_event(0, "state", "the model wrote [red]")])


def test_the_report_becomes_a_table() -> None:
    metrics = {"accuracy__cold_start": 0.4, "accuracy__final": 0.55, "accuracy__n": 320.0, "seconds__rl": 300.0}
    text = shown([an_event(40, "report", "done", **metrics)])
    assert "40.0 %" in text
    low, high = wilson(0.55, 320)
    assert f"[{100 * low:.1f}, {100 * high:.1f}]" in text
    assert "seconds of rl" in text


def test_intervals_of_the_report_win_over_our_own() -> None:
    text = io.StringIO()
    report = {"accuracy.final": 0.5, "accuracy.n": 10.0, "accuracy.final.low": 0.111, "accuracy.final.high": 0.999}
    gain = {"accuracy.gain": 0.12, "accuracy.gain.low": 0.05, "accuracy.gain.high": 0.19}
    Terminal(file=text, width=200).print(final_table({**report, **gain}))
    assert "[11.1, 99.9]" in text.getvalue()
    assert "12.0 % [5.0, 19.0]" in text.getvalue()


def test_conclusion_tells_success_from_failure() -> None:
    done = a_job(state=jobs_pb2.JOB_STATE_SUCCEEDED, output_uri="file:///tmp/out")
    assert conclusion(done) == ("/tmp/out", 0)
    words, code = conclusion(a_job(state=jobs_pb2.JOB_STATE_FAILED, reason="the data is gone"))
    assert code == 1
    assert "the data is gone" in words
    assert conclusion(a_job(state=jobs_pb2.JOB_STATE_CANCELLED))[1] == 1


def test_clock_and_number() -> None:
    assert [clock(s) for s in (0, 75, 3661)] == ["0:00", "1:15", "1:01:01"]
    assert [number(v) for v in (0.0, 1e-7, 0.5, 1234.5)] == ["0.000", "1.00e-07", "0.500", "1234"]
