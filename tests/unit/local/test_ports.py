"""Ports that nobody listens on, and that nobody is given meanwhile."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
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


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Three ports, of which alone one is chosen, of a loopback address that no other process uses."""
    (tmp_path / "range").write_text("20003\t60999\n")
    pid = os.getpid()
    address = f"127.{1 + (pid >> 16) % 254}.{pid >> 8 & 255}.{1 + pid % 254}"
    for name, value in (("_LOWEST", 20000), ("_TRIES", 3), ("_RANGE", tmp_path / "range"), ("HOST", address)):
        monkeypatch.setattr(ports, name, value)
    monkeypatch.setattr(ports, "_PROMISED", ports.deque())
    return [20000, 20001, 20002]


def test_one_that_is_taken_is_passed_over(few: list[int]) -> None:
    with socket.socket() as taken:
        taken.bind((ports.HOST, few[0]))
        with pytest.raises(OSError, match="of 3 ports 2 are free") as failure:
            free_ports(3)
        assert failure.value.errno == errno.EADDRINUSE
    assert sorted(free_ports(3)) == few  # those that it had found are nobody's


def test_none_is_given_twice_while_whoever_has_it_lives(few: list[int]) -> None:
    asks = (
        "import sys\nfrom pathlib import Path\nfrom earwitness.local import ports\n"
        "ports._LOWEST, ports._TRIES, ports._RANGE, ports.HOST = 20000, 3, Path(sys.argv[1]), sys.argv[2]\n"
        "print(*ports.free_ports(2), flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", asks, str(ports._RANGE), ports.HOST]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        given = {int(port) for port in other.stdout.readline().split()}
        assert len(given) == 2
        assert set(free_ports(1)) == set(few) - given
        with pytest.raises(OSError, match="of 3 ports 0 are free"):
            free_ports(1)
        other.communicate()
    assert set(free_ports(2)) == given


def test_the_oldest_is_free_again(few: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_MOST_PROMISED", 2)
    oldest, *others = (free_ports(1)[0] for _ in few)
    assert {oldest, *others} == set(few)
    assert free_ports(1) == [oldest]
