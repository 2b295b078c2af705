"""The files of the page. It asks nobody but this server, and says so to the browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER: Final = Path(__file__).parent
KINDS: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
"""Nothing of others is loaded, run or asked, whatever is in a clip's name or a model's words."""


def routes() -> list[Route]:
    """`/`, and what it loads."""
    found = []
    for path in sorted(FOLDER.iterdir()):
        if kind := KINDS.get(path.suffix):
            response = Response(path.read_bytes(), media_type=kind, headers=HEADERS)
            found.append(Route("/" if path.name == "index.html" else f"/room/{path.name}", _always(response)))
    return found


def _always(response: Response) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return response

    return endpoint
