"""Chromium without a window, driven over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from serving.app import Server
from serving.program import bound
from tests.integration.process_kit import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        """Addresses that the page asked."""
        self.complaints: list[str] = []
        """What it threw, or logged as an error."""
        self._connection = connection
        self._numbers = itertools.count(1)

    async def call(self, method: str, **given: Any) -> dict[str, Any]:
        """A method of the protocol."""
        number = next(self._numbers)
        await self._connection.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            said = json.loads(await asyncio.wait_for(self._connection.recv(), PATIENCE))
            if said.get("id") == number:
                assert "error" not in said, said
                return dict(said["result"])
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        match said.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["params"]["exceptionDetails"]))
            case "Log.entryAdded" if said["params"]["entry"]["level"] == "error":
                self.complaints.append(said["params"]["entry"]["text"])

    async def run(self, script: str) -> Any:
        """The value of an expression of the page; a promise's once it is there."""
        result = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Waits until an expression is true, or has a value; that."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.run(condition)):  # noqa: ASYNC110 (another process is waited for)
                await asyncio.sleep(0.05)
        return found

    async def press(self, key: str, code: int) -> None:
        """A key that a person presses."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                            text="\r" if key == "Enter" and kind == "keyDown" else "")  # fmt: skip

    async def choose(self, selector: str, file: Path) -> None:
        """A file for an input."""
        document = await self.call("DOM.getDocument")
        node = await self.call("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.call("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file)])

    async def picture(self, path: Path) -> None:
        """The whole page, as PNG or, by the name of the file, WebP."""
        how = {"format": "webp", "quality": 60} if path.suffix == ".webp" else {"format": "png"}
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, **how)
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def opened(address: str, folder: Path, microphone: Path | None = None) -> AsyncIterator[Page]:
    """A page in a fresh profile under `folder`, which hears the file `microphone`, if any, in place of a microphone."""
    assert CHROMIUM
    profile = folder / "profile"
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
        "--disable-background-networking", f"--user-data-dir={profile}", "--window-size=1000,1400",
        "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--no-proxy-server",
        *([f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []),
        "--autoplay-policy=no-user-gesture-required", "about:blank",
    ]  # fmt: skip
    with (folder / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        port = await _port(process, profile)
        async with httpx.AsyncClient(trust_env=False) as client:
            tabs = (await client.get(f"http://127.0.0.1:{port}/json")).json()
        tab = next(tab for tab in tabs if tab["type"] == "page")
        async with connect(tab["webSocketDebuggerUrl"], max_size=None, proxy=None) as connection:
            page = Page(connection)
            for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=address)
            yield page
    finally:
        process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), PATIENCE)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def served(made: Server) -> AsyncIterator[str]:
    """Where a server listens, on a free port."""
    listening = bound(replace(made.settings, port=0))
    web = uvicorn.Server(uvicorn.Config(made.app(), lifespan="off", log_config=None))
    serving = asyncio.create_task(web._serve([listening]))
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    web.should_exit = True
    await serving
    made.verifier.stop()


async def _port(process: asyncio.subprocess.Process, profile: Path) -> int:
    """Where it can be driven."""
    told = profile / "DevToolsActivePort"
    async with asyncio.timeout(PATIENCE):
        while not told.exists() or not told.read_text().strip():
            assert process.returncode is None, "chromium ended"
            await asyncio.sleep(0.05)
    return int(told.read_text().split()[0])
