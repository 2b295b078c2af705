"""The live page in a browser, for tests that do not await."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from earwitness.page import PageServer
from tests.integration import browser_kit
from tests.integration.browser_kit import Page
from tests.integration.process_kit import wait_for


class Browser:
    """A page for a test that does not await: its mesh is driven by calls that wait."""

    def __init__(self, runner: asyncio.Runner, page: Page) -> None:
        self._runner = runner
        self._page = page

    def run(self, program: str) -> Any:
        """The value of a piece of JavaScript."""
        return self._runner.run(self._page.run(program))

    def picture(self, path: Path) -> None:
        """The whole page."""
        self._runner.run(self._page.picture(path))

    def until(self, what: str, program: str) -> Any:
        return wait_for(what, lambda: self.run(program))


@contextlib.contextmanager
def opened(client: Any, folder: Path) -> Iterator[Browser]:
    def scale(role: str, count: int) -> str:
        return f"{count} {role} workers are healthy"

    with PageServer(client, scale=scale) as server, asyncio.Runner() as runner:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        opening = browser_kit.opened(server.url, folder)
        browser = Browser(runner, runner.run(opening.__aenter__()))
        try:
            browser.until("the page", "typeof groups !== 'undefined'")
            yield browser
        finally:
            runner.run(opening.__aexit__(None, None, None))
            server.shutdown()


def points(chart: str) -> str:
    """How many steps a chart shows."""
    return f"Math.max(0, ...[...groups.values()].map((g) => g.byTitle.get({chart!r})?.series[0].steps.length ?? 0))"
