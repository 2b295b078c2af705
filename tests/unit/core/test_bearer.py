"""Tokens that gRPC can carry, and those that it would drop or choke on, named before a call and never shown."""

from __future__ import annotations

import grpc
import pytest

from earwitness.bearer import bearer
from earwitness.client import Mesh
from earwitness.errors import InputError
from earwitness.settings import Settings

BAD = ["secret\n", " secret", "secret ", "sécret", "sec\tret", "sec\x00ret", "sec\x7fret", "secret\ufffd"]


@pytest.mark.parametrize("token", ["a", "letters0digits", "p/a s:s@w#o?r%41'\"\\$~", "=="])
def test_what_can_be_carried_is(token: str) -> None:
    assert bearer(token) == f"Bearer {token}"
    assert Settings.from_env({"EW_TOKEN": token}).token == token


@pytest.mark.parametrize("token", BAD)
def test_what_cannot_is_refused_by_name_and_not_shown(token: str) -> None:
    with pytest.raises(InputError, match="EW_TOKEN: holds what gRPC cannot carry") as refused:
        Settings.from_env({"EW_TOKEN": token})
    assert token.strip() not in str(refused.value)
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(InputError, match="token: holds"):
        Mesh(channel, "127.0.0.1:1", token)
