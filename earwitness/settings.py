"""What a service reads from its environment, parsed once at the edge."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from earwitness.bearer import bearer
from earwitness.errors import InputError, shown
from earwitness.loopback import is_loopback
from earwitness.redis_address import parse, several, with_password


@dataclass(frozen=True)
class Settings:
    """Addresses, names and secrets of one process of the mesh."""

    queue_url: str = ""
    """Redis URL of the queue server."""
    weights_urls: tuple[str, ...] = ()
    """Redis URLs of the weight shards, in shard order."""
    weights_anchors: str = ""
    """Folder for the bytes of whole weight versions, a path or an fsspec URI that trainer and rollout workers reach;
    empty: the shards hold them (trainer only)."""
    listen: str = "127.0.0.1:0"
    """host:port of the gRPC server; port 0 lets the system choose."""
    trainer: str = ""
    """host:port of the trainer (jobs service only)."""
    trainer_gone_seconds: int = 120
    """A trainer that does not answer for this long is gone (jobs service only): a restart imports torch and Megatron,
    tens of seconds. The pods of a gang wait longer for each other, and so must we for them."""
    recogniser: str = ""
    """host:port of the recogniser; empty: there is none (reward workers only)."""
    name: str = ""
    """Unique name of this process in the mesh."""
    token: str = ""
    """Bearer token that callers must show; empty: none is asked for."""
    tls_cert: str = ""
    """File of the certificate chain (PEM); with `tls_key` the server speaks TLS."""
    tls_key: str = ""
    """File of the private key (PEM)."""
    tls_ca: str = ""
    """File of the authorities (PEM) that calls to other services trust."""
    metrics_port: int = 0
    """Port of the Prometheus endpoint; 0: none."""
    health_port: int = 0
    """Port that answers only grpc.health.v1, without TLS or token, which probes of Kubernetes cannot show; 0: none."""
    claim_idle_ms: int = 10_000
    """Milliseconds after which the queue lets another worker take over a silent worker's task."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read EW_* variables; EW_REDIS_PASSWORD is put into URLs that name a user and no password.

        Raises InputError naming the variable that is wrong.
        """
        password = environ.get("EW_REDIS_PASSWORD", "")
        settings = cls(
            queue_url=with_password(environ.get("EW_QUEUE_URL", ""), password),
            weights_urls=tuple(with_password(u, password) for u in several(environ.get("EW_WEIGHTS_URLS", ""))),
            weights_anchors=environ.get("EW_WEIGHTS_ANCHORS", ""),
            listen=environ.get("EW_LISTEN", "127.0.0.1:0"),
            trainer=environ.get("EW_TRAINER", ""),
            trainer_gone_seconds=number(environ, "EW_TRAINER_GONE_SECONDS", 120, 86_400, least=1),
            recogniser=environ.get("EW_RECOGNISER", ""),
            name=environ.get("EW_NAME", "") or f"{socket.gethostname()}-{os.getpid()}",
            token=environ.get("EW_TOKEN", ""),
            tls_cert=environ.get("EW_TLS_CERT", ""),
            tls_key=environ.get("EW_TLS_KEY", ""),
            tls_ca=environ.get("EW_TLS_CA", ""),
            metrics_port=number(environ, "EW_METRICS_PORT", 0, 65_535),
            health_port=number(environ, "EW_HEALTH_PORT", 0, 65_535),
            claim_idle_ms=number(environ, "EW_CLAIM_IDLE_MS", 10_000, 3_600_000),
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Raises InputError for combinations that cannot be meant."""
        host, _, port = self.listen.rpartition(":")
        if not host or not _is_number(port, 0, 65_535):
            raise InputError("EW_LISTEN", f"{self.listen!r} is not an address", "host:port, for example 127.0.0.1:7070")
        if self.recogniser and not re.fullmatch(r"[^\s/]+:[0-9]{1,5}", self.recogniser):
            raise InputError("EW_RECOGNISER", f"{shown(self.recogniser)} is not an address", "host:port")
        for variable, url in [("EW_QUEUE_URL", self.queue_url), *(("EW_WEIGHTS_URLS", u) for u in self.weights_urls)]:
            if url:
                parse(url, variable)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise InputError("EW_TLS_CERT, EW_TLS_KEY", "only one of the two is set", "both or none")
        for variable, file in [("CERT", self.tls_cert), ("KEY", self.tls_key), ("CA", self.tls_ca)]:
            if file and not Path(file).is_file():
                raise InputError(f"EW_TLS_{variable}", f"there is no file {file!r}", "a PEM file")
        bearer(self.token, "EW_TOKEN")
        if not self.token and not is_loopback(host):
            raise InputError("EW_TOKEN", f"is empty while EW_LISTEN={self.listen} can be reached from outside",
                             "a secret, or a loopback address in EW_LISTEN")  # fmt: skip


def number(environ: Mapping[str, str], variable: str, default: int, largest: int, least: int = 0) -> int:
    """A whole number of the environment. Raises InputError naming the variable."""
    text = environ.get(variable, "") or str(default)
    if not _is_number(text, least, largest):
        problem = f"{shown(text)} is not a number in range"
        raise InputError(variable, problem, f"a whole number from {least} to {largest}")
    return int(text)


def _is_number(text: str, least: int, largest: int) -> bool:
    """Whether it is one in plain digits: those of other scripts, raised ones and endless ones are none."""
    return bool(re.fullmatch(r"[0-9]{1,18}", text)) and least <= int(text) <= largest
