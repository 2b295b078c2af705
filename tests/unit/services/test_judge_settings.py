"""The judge's variables: off by default, and every mistake named."""

import pytest

from earwitness.errors import InputError
from reward.endpoint import endpoint_settings


def test_off_by_default() -> None:
    assert endpoint_settings("EW_JUDGE", {}) is None


def test_on() -> None:
    environ = {"EW_JUDGE_URL": "http://judge:8000/v1", "EW_JUDGE_MODEL": "m", "EW_JUDGE_KEY": "k"}
    settings = endpoint_settings("EW_JUDGE", environ)
    assert endpoint_settings("EW_READER", environ) is None
    assert settings is not None
    assert (settings.url, settings.model, settings.key) == ("http://judge:8000/v1", "m", "k")


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"EW_JUDGE_URL": "judge:8000"}, "EW_JUDGE_URL"),
        ({"EW_JUDGE_URL": "file:///etc/passwd", "EW_JUDGE_MODEL": "m"}, "EW_JUDGE_URL"),
        ({"EW_JUDGE_URL": "http://judge/v1"}, "EW_JUDGE_MODEL"),
    ],
)
def test_mistakes_are_named(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(InputError, match=variable):
        endpoint_settings("EW_JUDGE", environ)
