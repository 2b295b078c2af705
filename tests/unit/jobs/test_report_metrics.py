"""The figures of a report, flat, as the job's last event carries them."""

from earwitness.jobs.report import report_metrics


def test_figures_get_dotted_names_and_intervals_low_and_high() -> None:
    report = {
        "accuracy": {"final": 0.5, "cold_start": None, "n": 320, "interval": {"final": [0.4, 0.6], "gain": None}},
        "think_tokens": {"final": 20.0},
        "logprob_gap": 1e-5,
        "seconds": {"install": None, "rl": 10.0},
        "config": {"seed": 1},
    }
    assert report_metrics(report) == {
        "accuracy.final": 0.5,
        "accuracy.final.low": 0.4,
        "accuracy.final.high": 0.6,
        "accuracy.n": 320.0,
        "think_tokens.final": 20.0,
        "logprob_gap": 1e-5,
        "seconds.rl": 10.0,
    }


def test_a_job_without_rl_has_no_gap() -> None:
    assert report_metrics({"logprob_gap": None}) == {}
