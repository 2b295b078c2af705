"""The page that the server gives, and what it draws."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from serving.room.pages import FOLDER, KINDS
from tests.unit.serving.serving_kit import client, server, wav

PAGES = ["/", *(f"/room/{path.name}" for path in FOLDER.iterdir() if path.suffix in KINDS and path.suffix != ".html")]


@pytest.mark.parametrize("path", PAGES)
async def test_the_page_needs_no_token_and_asks_nobody_else(path: str) -> None:
    async with client(server(token="secret")) as caller:
        answer = await caller.get(path)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert re.findall(r"(?:https?:)?//[\w.]+\.\w+", answer.text) == []


async def test_nothing_else_of_the_folder_is_given() -> None:
    async with client(server()) as caller:
        for path in ("/room/pages.py", "/room/../settings.py", "/room/", "/room/%2e%2e/app.py"):
            assert (await caller.get(path)).status_code == 404


async def test_a_clip_is_measured_for_the_page() -> None:
    made = server()
    try:
        async with client(made) as caller:
            drawn = (await caller.post("/v1/listen", json={"data": base64.b64encode(wav()).decode()})).json()
            bad = await caller.post("/v1/listen", json={"data": base64.b64encode(b"RIFF").decode()})
    finally:
        made.verifier.stop()
    assert drawn["seconds"] == 1.0 and len(drawn["events"]) == 1
    assert np.median([hz for _, hz in drawn["pitch"]]) == pytest.approx(440, rel=0.02)
    mel = drawn["mel"]
    cells = np.frombuffer(base64.b64decode(mel["cells"]), np.uint8).reshape(mel["bands"], mel["columns"])
    assert cells.max() == 255 and cells[:, mel["columns"] // 2].argmax() < mel["bands"] // 2
    assert bad.status_code == 400 and bad.json()["error"]["param"] == "data"
