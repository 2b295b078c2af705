"""Clips of requests: from base64, from a `data:` URL, or from a host that the server may fetch from."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import numpy as np
from numpy.typing import NDArray

from earwitness.audio import MAX_BYTES, decode_audio
from earwitness.errors import AudioError, InputError

FETCH_SECONDS = 20.0
"""Longest wait for a clip that is fetched, all of it."""
DATA = "data:"


@dataclass(frozen=True)
class Clip:
    """A clip as it came, and as the model hears it."""

    data: bytes
    """The file."""
    samples: NDArray[np.float32]
    """`[samples]`, 16 kHz mono."""


def clip_of(data: bytes, field: str) -> Clip:
    """Decodes a file. Raises AudioError, naming the field, if it cannot be used."""
    return Clip(data, decode_audio(data, field))


def from_base64(text: str, field: str) -> bytes:
    """The bytes. Raises InputError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(field, "is not base64", "the bytes of an audio file in base64") from error


async def from_address(url: str, field: str, hosts: Sequence[str]) -> bytes:
    """The bytes that an `audio_url` names. Raises InputError, its kind AudioError for what could not be had.

    Only `hosts` are asked, over HTTPS, and no redirect is followed: nobody makes the server call an address of its own
    network.
    """
    if url.startswith(DATA):
        head, comma, body = url[len(DATA) :].partition(",")
        if not comma or not head.endswith(";base64"):
            raise InputError(field, "is a data URL of another kind", "data:audio/wav;base64,...")
        return from_base64(body, field)
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError(field, f"is no URL ({error})", "https://...") from error
    if (address.scheme, address.port, address.userinfo) != ("https", None, b"") or address.host not in hosts:
        allowed = " or ".join(f"https://{host}/..." for host in hosts) or "input_audio: this server fetches nothing"
        raise InputError(field, "is no address that this server may fetch from", allowed)
    found = bytearray()
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx.AsyncClient(follow_redirects=False, timeout=FETCH_SECONDS) as client,
            client.stream("GET", address) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise AudioError(field, f"answers with status {response.status_code}", "a file, without redirects")
            async for block in response.aiter_bytes():
                found += block
                if len(found) > MAX_BYTES:
                    raise AudioError(field, f"holds more than {MAX_BYTES:,} bytes", "a shorter file")
    except (httpx.HTTPError, TimeoutError) as error:
        raise AudioError(
            field, f"could not be fetched ({type(error).__name__})", "a file that can be reached"
        ) from error
    return bytes(found)
