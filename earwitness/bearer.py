"""The token of a mesh as gRPC carries it: metadata, which takes printable ASCII and drops blanks at its ends."""

from __future__ import annotations

from earwitness.errors import InputError


def bearer(token: str, name: str = "token") -> str:
    """Value of the metadata `authorization`. Raises InputError, which names the token `name` and does not show it."""
    if not (token.isascii() and token.isprintable()) or token != token.strip():
        problem = "holds what gRPC cannot carry, a line's end or a blank at an end perhaps"
        raise InputError(name, problem, "printable ASCII characters, of a file without the line's end")
    return f"Bearer {token}"
