"""Ports that nobody listens on, and that nobody is given meanwhile."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from earwitness.local import ports
from earwitness.local.ports import HOST, free_ports


def test_they_are_free_and_different_and_below_those_of_connections() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    assert max(found) < int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with socket.socket() as one:
        one.bind((HOST, found[0]))


def test_one_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (only,) = free_ports(1)
    (tmp_path / "range").write_text(f"{only + 1}\t60999\n")
    for name, value in (("_LOWEST", only), ("_TRIES", 1), ("_RANGE", tmp_path / "range")):
        monkeypatch.setattr(ports, name, value)
    with socket.socket() as taken:
        taken.bind((HOST, only))
        with pytest.raises(OSError, match="of 1 ports 0 are free") as failure:
            free_ports(1)
        assert failure.value.errno == errno.EADDRINUSE
    assert free_ports(1) == [only]
