"""The page in Chromium, by keyboard: a file, a recording, a question, and claims that turn green and red."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.browser_kit import NEEDS_CHROMIUM, Page, opened, served
from tests.unit.serving.serving_kit import Parrot, server, wav

pytestmark = NEEDS_CHROMIUM

RESPONSE = "The tone is near 440 Hz. It lasts about 3 seconds. <b>Bold</b>.\n</think>\nA. falls"


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A server without a model, on a free port."""
    made = server(Parrot(RESPONSE), token="secret")
    async with served(made) as where:
        yield where


@pytest.fixture
async def page(address: str, tmp_path: Path) -> AsyncIterator[Page]:
    (tmp_path / "tone.wav").write_bytes(wav())
    async with opened(address, tmp_path, tmp_path / "tone.wav") as made:
        await made.until("document.getElementById('key') && !document.getElementById('key').hidden")
        await made.run("document.getElementById('token').value = 'secret'")
        await made.press("Enter", 13)  # the field has the focus
        await made.until("document.getElementById('model').textContent == 'listener'")
        yield made


async def claims(page: Page) -> list[dict[str, Any]]:
    """The list as it is read out."""
    items = "[...document.querySelectorAll('#claims li')]"
    return list(await page.run(f"{items}.map(({{className, textContent}}) => ({{className, textContent}}))"))


async def test_a_clip_is_asked_about_and_its_claims_turn_green_and_red(
    page: Page, address: str, tmp_path: Path
) -> None:
    await page.choose("#file", tmp_path / "tone.wav")
    await page.until("document.getElementById('clip-status').textContent == '1.00 s, 1 sound'")
    assert "440 Hz" in await page.run("document.getElementById('events').textContent")
    assert "1 sounds" in await page.run("document.getElementById('mel').ariaLabel")
    await page.run("document.getElementById('send').focus()")
    await page.press("Enter", 13)
    await page.until("document.getElementById('share').textContent.startsWith('1 of 2 checkable')")
    first, second = await claims(page)
    assert first["className"] == "supported" and "440 Hz" in first["textContent"]
    assert second["className"] == "contradicted"
    assert await page.run("document.getElementById('answer').textContent") == "A. falls"
    assert "<b>Bold</b>" in await page.run("document.getElementById('reasoning').textContent")
    marks = await page.run("[...document.querySelectorAll('mark')].map(({className}) => className)")
    assert marks == ["supported", "contradicted"]
    # What has the focus in the list is lit in the reasoning.
    await page.run("document.querySelector('#claims li').focus()")
    assert await page.run("document.querySelectorAll('mark.near').length") == 1
    drawn = "Math.max(...document.getElementById('mel').getContext('2d').getImageData(0, 0, 300, 100).data)"
    assert await page.run(drawn) > 0
    assert page.complaints == [] or all("401" in words for words in page.complaints)
    assert {url for url in page.requests if not url.startswith((address, "data:", "blob:"))} == set()


async def test_a_recording_is_a_clip(page: Page) -> None:
    """The fake microphone hears the tone again and again."""
    await page.run("document.getElementById('record').focus()")
    await page.press("Enter", 13)
    await page.until("document.getElementById('clip-status').textContent == 'recording, 2 s'")
    assert await page.run("document.getElementById('record').getAttribute('aria-pressed')") == "true"
    await page.press("Enter", 13)
    await page.until("document.getElementById('events').textContent.includes('Hz')")
    assert " s, " in await page.run("document.getElementById('clip-status').textContent")


async def test_everything_has_a_name_that_can_be_read_out(page: Page) -> None:
    """Of the accessibility tree: no control or picture without a name."""
    tree = await page.call("Accessibility.getFullAXTree")
    nodes = [node for node in tree["nodes"] if not node["ignored"]]
    told = {"button", "textbox", "checkbox", "image", "img", "heading", "link"}
    roles = [node["role"]["value"] for node in nodes]
    assert {"button", "textbox", "checkbox", "heading", "link"} <= set(roles)
    nameless = [n["role"]["value"] for n in nodes if n["role"]["value"] in told and not n["name"]["value"]]
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_words_stand_out_from_what_is_behind_them(page: Page, scheme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3), of text, quiet text and verdicts on their grounds."""
    await page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    read = "(names => names.map(n => getComputedStyle(document.documentElement).getPropertyValue(n).trim()))"
    pairs = [(word, "--card") for word in ("--ink", "--soft", "--good", "--bad", "--open", "--accent")]
    pairs += [("--soft", "--paper"), *(("--ink", ground) for ground in ("--good-back", "--bad-back", "--open-back"))]
    for one, other in pairs:
        first, second = map(luminance, await page.run(f"{read}(['{one}', '{other}'])"))
        contrast = (max(first, second) + 0.05) / (min(first, second) + 0.05)
        assert contrast >= 4.5, f"{scheme}: {one} on {other}: {contrast:.1f}"


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb` (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
