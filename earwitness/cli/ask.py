"""The command `ask`: one question about clips, to a server of `earwitness serve`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from earwitness.audio import decode_audio, read_clip
from earwitness.cli.terminal import out, shows_errors
from earwitness.errors import InfrastructureError, InputError
from earwitness.extras import module_of
from earwitness.loopback import is_loopback

SERVER = "http://127.0.0.1:8000"
SILENT_SECONDS = 120.0
"""Longest wait for the next piece: a big model reads a long prompt first."""
STYLES = {"supported": "green", "contradicted": "red", "not_checkable": "yellow"}
"""Of verdicts."""
EVENT = "data: "
"""Begins a line of the stream."""


@shows_errors
def ask(
    clips: Annotated[
        list[str], typer.Argument(metavar="CLIP...", help="Audio files or URIs, in the order in which they are heard.")
    ],
    question: Annotated[str, typer.Argument(help="What to ask about them.")],
    server: Annotated[str, typer.Option(envvar="EW_SERVER", help="Where `earwitness serve` is.")] = SERVER,
    token: Annotated[str, typer.Option(envvar="EW_TOKEN", help="Its bearer token.")] = "",
    temperature: Annotated[float, typer.Option(help="0: the likeliest answer.", min=0, max=2)] = 0.0,
    verify: Annotated[bool, typer.Option(help="Check what is claimed against the clips.")] = True,
) -> None:
    """Ask a served checkpoint about clips: its reasoning, each claim checked, and the answer.

    Of several, what is claimed of "clip B" or "the second recording" is checked on that one.

    Examples:

        earwitness ask clip.wav "Does the pitch rise or fall? A. rises B. falls"

        earwitness ask a.wav b.wav "In which recording is the tone higher?"
    """
    httpx = module_of("serving", "httpx", "ask")
    files = [read_clip(clip) for clip in clips]
    for clip, data in zip(clips, files, strict=True):
        decode_audio(data, clip)  # what is wrong with it is said before anything is sent
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    direct = is_loopback(urlsplit(server).hostname or "")  # then never through a proxy
    with httpx.Client(base_url=server, headers=headers, timeout=SILENT_SECONDS, trust_env=not direct) as client:
        try:
            model = _checked(client.get("/v1/models"))["data"][0]["id"]
            _show(_events(client, asked(model, files, question, temperature=temperature, verify=verify)))
        except httpx.HTTPError as error:
            words = f"{error} ({type(error).__name__}); is `earwitness serve` running?"
            raise InfrastructureError(server, 0.0, words) from error


def asked(model: str, clips: Sequence[bytes], question: str, **how: Any) -> dict[str, Any]:
    """The request: a question about the audio files `clips`, which stand before it in their order."""
    encoded = [{"data": base64.b64encode(data).decode(), "format": "wav"} for data in clips]
    content: list[dict[str, Any]] = [{"type": "input_audio", "input_audio": audio} for audio in encoded]
    content.append({"type": "text", "text": question})
    return {"model": model, "messages": [{"role": "user", "content": content}], "stream": True, **how}


def _events(client: Any, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The chunks of the answer. Raises InfrastructureError for an answer that ends in an error."""
    with client.stream("POST", "/v1/chat/completions", json=request) as response:
        if response.status_code != 200:
            response.read()
            _checked(response)
        for line in response.iter_lines():
            if line.startswith(EVENT) and line != f"{EVENT}[DONE]":
                yield _refuse_error(json.loads(line.removeprefix(EVENT)))


def _show(events: Iterator[dict[str, Any]]) -> None:
    answering = False
    claims: dict[int, dict[str, Any]] = {}
    grounding: dict[str, Any] | None = None
    for event in events:
        for choice in event["choices"]:
            delta = choice["delta"]
            out.print(delta.get("reasoning_content", ""), style="dim", end="")
            if delta.get("content"):
                out.print("" if answering else "\n\n", delta["content"], sep="", end="")
                answering = True
            if choice["finish_reason"] == "length":
                out.print("\n(cut off: no room for more tokens)", style="yellow", end="")
        claims |= {claim["index"]: claim for claim in event.get("claims", [])}
        out.file.flush()
        grounding = event.get("grounding", grounding)
    out.print()
    if grounding is not None:
        _show_claims([claim for claim in claims.values() if claim["verdict"] in STYLES], grounding)


def _show_claims(claims: list[dict[str, Any]], grounding: dict[str, Any]) -> None:
    out.print()
    for claim in claims:
        words = f"{claim['verdict'].replace('_', ' ')}: “{claim['text']}”, measured: {claim['measured']}"
        out.print(words, style=STYLES[claim["verdict"]])
    if "error" in grounding:
        out.print(f"not checked: {grounding['error']}", style="yellow")
        return
    decided = grounding["supported"] + grounding["contradicted"]
    out.print(f"{grounding['supported']} of {decided} checkable claims supported" if decided else "nothing to check")


def _checked(response: Any) -> dict[str, Any]:
    """A whole answer of the server. Raises InfrastructureError for one that is none."""
    try:
        return _refuse_error(response.json())
    except ValueError as error:
        raise InfrastructureError(str(response.url), 0.0, f"status {response.status_code}, no JSON") from error


def _refuse_error(value: dict[str, Any]) -> dict[str, Any]:
    if error := value.get("error"):
        if error.get("type") == "invalid_request_error":
            raise InputError(error.get("param") or "request", error["message"], "what the message says")
        raise InfrastructureError("an answer", 0.0, error["message"])
    return value
