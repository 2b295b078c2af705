"""What a caller of `/v1/chat/completions` may say. What is not here is refused by its name: nothing is passed over that
would change the answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_TEXT = 200_000
"""Characters of a question: more than any context holds."""
MAX_TOKENS = 1_000_000
"""Above what any model can: the room that is left decides."""


class Part(BaseModel):
    """Anything of a request. What is of another type than it should be is refused, never read as what it might mean."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextPart(Part):
    """Words."""

    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class InputAudio(Part):
    """A file's bytes."""

    data: str
    """Base64."""
    format: Literal["wav", "mp3", "flac", "ogg"]
    """What the caller believes it to be; the bytes decide."""


class AudioPart(Part):
    """A clip that comes with the request."""

    type: Literal["input_audio"]
    input_audio: InputAudio


class Address(Part):
    """Where a clip is."""

    url: str


class AddressPart(Part):
    """A clip that the server fetches, if it may."""

    type: Literal["audio_url"]
    audio_url: Address


AnyPart = Annotated[TextPart | AudioPart | AddressPart, Field(discriminator="type")]


class Message(Part):
    """The one turn that is answered: models are taught one question about one clip."""

    role: Literal["user"]
    content: list[AnyPart] = Field(min_length=1, max_length=64)
    name: str | None = Field(default=None, max_length=200)

    @field_validator("content", mode="before")
    @classmethod
    def _plain_text(cls, value: Any) -> Any:
        return [{"type": "text", "text": value}] if isinstance(value, str) else value


class StreamOptions(Part):
    """How the stream ends."""

    include_usage: bool = False


class ChatRequest(Part):
    """One question."""

    messages: list[Message] = Field(min_length=1, max_length=1)
    model: str = Field(max_length=200)
    verify: bool = False
    """Check the claims of the reasoning against the clip."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float = Field(default=0.0, ge=0, le=2)
    """0: the likeliest token each time."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    """Older name of `max_completion_tokens`."""
    n: int = Field(default=1, ge=1, le=1)
    modalities: tuple[Literal["text"]] = ("text",)
    # These change no answer here.
    user: str | None = Field(default=None, max_length=2_000)
    metadata: dict[str, str] | None = None
    store: Literal[False] | None = None

    @property
    def longest(self) -> int:
        """Most tokens of the response; 0 for as many as there is room for."""
        return self.max_completion_tokens or self.max_tokens or 0


class ListenRequest(Part):
    """A clip to be measured."""

    data: str
    """Base64."""
