"""Where a Redis server is, read from a URL: the only place that knows how such URLs are written.

    redis://[user:password@]host[:port][/database]      rediss:// with TLS; ?db=0 goes before /database
    unix://[user:password@]/path/of/socket[?db=0]

A password may hold any character, also `/`, `#`, `?`, `[` and `@`, as it is or percent-encoded: everything up to the
last `@` belongs to it. No error and no text of an address ever shows it.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from earwitness.errors import InputError, shown

SCHEMES = ("redis", "rediss", "unix")
PORT = 6379
BETWEEN = re.compile(rf",(?=\s*(?:(?:{'|'.join(SCHEMES)})://|,*\s*$))")
"""Between two URLs of a list, or after the last."""

PORTS = range(1, 2**16)
DATABASES = range(2**31)
"""Redis takes a database's number as a C int."""

EXPECTED = "redis://[:password@]host[:port][/database], rediss:// with TLS, or unix:///path/of/socket"

CERTIFICATES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Options that name a file: authorities, our certificate, its key."""

CHECKS = {"required": ssl.CERT_REQUIRED, "none": ssl.CERT_NONE}
"""Values of `ssl_cert_reqs`."""


@dataclass(frozen=True)
class RedisAddress:
    """One server and how to log in."""

    scheme: str
    host: str = ""
    port: int = PORT
    path: str = ""
    """Of the socket, for unix."""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: tuple[tuple[str, str], ...] = ()
    """Options of TLS, as the query gives them."""

    def __str__(self) -> str:
        """As it may be shown: without the password."""
        user = f"{self.username}@" if self.username else ""
        if self.scheme == "unix":
            return f"unix://{user}{self.path}" + (f"?db={self.database}" if self.database else "")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}/{self.database}"

    def arguments(self) -> dict[str, Any]:
        """What a redis-py connection is made with."""
        login = {"db": self.database, "username": self.username, "password": self.password}
        if self.scheme == "unix":
            return {**login, "path": self.path}
        tls = {name: CHECKS[value] if name == "ssl_cert_reqs" else value for name, value in self.tls}
        return {**login, "host": self.host, "port": self.port, **tls}


def with_password(url: str, password: str) -> str:
    """The URL with that password, percent-encoded, where it names a user and no password of its own."""
    scheme, separator, rest = url.partition("://")
    user, at, where = rest.partition("@")
    if not password or not at or set(user) & set(":/"):
        return url
    return f"{scheme}{separator}{user}:{quote(password, safe='', errors='surrogateescape')}@{where}"


def several(text: str) -> tuple[str, ...]:
    """The URLs of a list with commas between them; one within a URL, in its password say, is no end of it."""
    return tuple(url.strip() for url in BETWEEN.split(text) if url.strip())


def parse(url: str, name: str = "Redis URL") -> RedisAddress:
    """The address that a URL says. Raises InputError, which names it `name` and never shows what may be a password."""
    if any("\ud800" <= character <= "\udfff" for character in url):
        raise InputError(name, "holds bytes that are no UTF-8", EXPECTED)
    scheme, separator, rest = url.strip().partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        kind = f"of an unknown kind, {shown(scheme)}" if separator else "without a scheme"
        raise InputError(name, f"is {kind}", EXPECTED)
    login, at, where = _login(rest, scheme)
    user, colon, password = login.partition(":")
    where, _, query = where.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    given: dict[str, Any] = {
        "username": _plain(user) or None,
        "password": _plain(password) if at and colon else None,
        "tls": _tls(options, scheme, name),
    }
    if scheme == "unix":
        if not where.startswith("/") or where.endswith("/"):
            raise InputError(name, "names no socket", EXPECTED)
        chosen = _number(options.get("db", ""), name, "database", 0)
        return RedisAddress("unix", path=_plain(where), database=chosen, **given)
    address, _, database = where.partition("/")
    host, port = _host(address, name)
    chosen = _number(options.get("db") or database, name, "database", 0)
    return RedisAddress(scheme, host=host, port=_number(port, name, "port", PORT, PORTS), database=chosen, **given)


def _login(rest: str, scheme: str) -> tuple[str, str, str]:
    """What stands before the last `@`, that `@` or nothing, and what follows. A socket's path may hold one, too."""
    if scheme != "unix":
        login, at, where = rest.rpartition("@")
        return login, at, where
    if rest.startswith("/"):
        return "", "", rest
    login, at, path = rest.rpartition("@/")
    return login, at, f"/{path}" if at else path


def _plain(text: str) -> str:
    """`text` with percent codes read, or as it is where they are no UTF-8: then they are none."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _host(address: str, name: str) -> tuple[str, str]:
    if address.startswith("["):
        host, bracket, port = address[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise InputError(name, "has a host with one bracket", EXPECTED)
        try:
            IPv6Address(host := unquote(host))
        except ValueError as error:
            raise InputError(name, "has a host in brackets that is no IPv6 address", EXPECTED) from error
        return host, port[1:]
    host, _, port = address.partition(":")
    labels = host.removesuffix(".").split(".")
    if not all(labels) or not all(letter.isalnum() or letter in "-_" for letter in "".join(labels)):
        raise InputError(name, "has no host, or one that cannot be", EXPECTED)
    return host, port


def _number(text: str, name: str, what: str, default: int, allowed: range = DATABASES) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) not in allowed:
        raise InputError(name, f"has a {what} that is no number from {allowed[0]} to {allowed[-1]}", EXPECTED)
    return int(text)


def _tls(options: dict[str, str], scheme: str, name: str) -> tuple[tuple[str, str], ...]:
    tls = {key: value for key, value in options.items() if key != "db"}
    known = {*CERTIFICATES, "ssl_cert_reqs"} if scheme == "rediss" else set()
    for key, value in tls.items():
        if key not in known:
            raise InputError(name, f"has the option {shown(key)}", f"db; with rediss also {', '.join(CERTIFICATES)}")
        if key in CERTIFICATES and not Path(value).is_file():
            raise InputError(name, f"names {shown(value)} as {key}, which is no file", "a PEM file")
        if key == "ssl_cert_reqs" and value not in CHECKS:
            raise InputError(name, f"has ssl_cert_reqs {shown(value)}", " or ".join(CHECKS))
    return tuple(sorted(tls.items()))
