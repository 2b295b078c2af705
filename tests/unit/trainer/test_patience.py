"""A server that does not answer is asked again, and not for ever."""

import pytest

from earwitness.errors import InfrastructureError, InputError
from earwitness.log import Logger
from trainer import patience


def test_it_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.0)
    answers = iter([InfrastructureError("Redis", 4.5, "silent"), InfrastructureError("Redis", 4.5, "away"), "here"])

    def ask() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patience.patiently(ask, Logger("test")) == "here"
    said = capfd.readouterr().err
    assert "silent" in said and "away" in said


@pytest.mark.parametrize(
    "error", [InfrastructureError("Redis", 4.5, "away"), InputError("Redis", "is unfit", "a fit one")]
)
def test_what_lasts_and_what_waiting_does_not_mend_is_an_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", -1.0)

    def ask() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        patience.patiently(ask, Logger("test"))
    assert raised.value is error
