"""Addresses of this machine: what goes there never goes through a proxy, whatever the environment says."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """True for `localhost` and every address of the loopback interface."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def direct(address: str) -> list[tuple[str, int]]:
    """Options of a gRPC channel to host:port: gRPC would ask `http_proxy` for a way to our own processes."""
    return [("grpc.enable_http_proxy", 0)] if is_loopback(address.rpartition(":")[0]) else []
