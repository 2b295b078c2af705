"""The command `open`: the live page in a browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from earwitness.cli.scale import change
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError
from earwitness.page import PageServer


@finds_mesh
def open_page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for any that is free.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open it in the browser; else only print the address.")] = True,
    *,
    where: Where,
) -> None:
    """Show a mesh and its jobs in a browser, live, until Ctrl-C.

    Served to this machine alone; a mesh elsewhere is reached as every command reaches it.

    Examples:

        earwitness open

        earwitness open -n ew --no-browser --port 8090
    """
    elsewhere = where.address is not None and not where.in_cluster
    with where.connect() as mesh:
        try:
            server = PageServer(mesh, port, None if elsewhere else lambda role, count: change(where, role, count)[0])
        except OSError as error:
            raise InputError("--port", f"{port}: {error.strerror}", "a port that is free, or 0") from error
        with server:
            out.print(server.url)
            err.print("Ctrl-C ends it, and no job")
            if browser:
                webbrowser.open(server.url)
            server.serve_forever()
