"""What a client may say. What is not here is refused by its name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter, model_validator

from serving.chat.request import MAX_TEXT, MAX_TOKENS, Part
from serving.realtime.formats import Format, Pcm

MAX_NAME = 512
"""Characters of an event's name."""
Modalities = tuple[Literal["text", "audio"]]
"""`audio`: the answer is spoken, and its words come as a transcript."""
Most = Annotated[int, Field(ge=1, le=MAX_TOKENS)] | Literal["inf"]


class ServerVad(Part):
    """The server listens for when somebody begins to speak, and when they have ended."""

    type: Literal["server_vad"]
    threshold: float = Field(default=0.5, gt=0.15, lt=1)
    """Probability of speech in a frame of 32 ms."""
    prefix_padding_ms: int = Field(default=300, ge=0, le=10_000)
    """Sound before the speech that belongs to the clip: more, where a question comes behind the sound that it is of."""
    silence_duration_ms: int = Field(default=500, ge=100, le=10_000)
    """A pause so long ends a turn."""
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: None = None


class AudioInput(Part):
    """How sound comes."""

    format: Format = Pcm(type="audio/pcm")
    turn_detection: ServerVad | None = None
    """None: the client says when a turn ends, by a commit."""
    transcription: None = None
    noise_reduction: None = None


class AudioOutput(Part):
    """How sound goes."""

    format: Format = Pcm(type="audio/pcm")
    voice: str | None = Field(default=None, max_length=64)
    """The server has one; None: that."""
    speed: float = Field(default=1, ge=1, le=1)


class Listening(Part):
    """The clip is heard in segments, each as soon as it has been spoken: little is left to compute behind the last."""

    segment_ms: int = Field(default=1_000, ge=500, le=25_000)
    """Models that were not taught to hear in segments hear best in long ones."""
    think_tokens: int = Field(default=0, ge=0, le=256)
    """Most tokens that are thought behind each segment, while the next one is being spoken."""
    pause_ms: int | None = Field(default=None, ge=100, le=10_000)
    """With `server_vad`: a silence so long ends a segment, so that it is thought while the silence goes on which ends
    the turn."""


class Thinking(Part):
    """What is thought before the first word of an answer."""

    mode: Literal["first", "while_speaking"] = "first"
    """`while_speaking`: thoughts and words alternate in segments of `tokens`."""
    tokens: int | None = Field(default=None, ge=0, le=MAX_TOKENS)
    """The think block is closed behind so many; None: where the model closes it."""

    @model_validator(mode="after")
    def _has_segments(self) -> Thinking:
        if self.mode == "while_speaking" and not self.tokens:
            raise ValueError("while_speaking needs tokens, of which a segment has 1 or more")
        return self


class Audio(Part):
    """Sound, in and out."""

    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class SessionConfig(Part):
    """How a session is."""

    type: Literal["realtime"] = "realtime"
    model: str | None = Field(default=None, max_length=200)
    audio: Audio = Audio()
    instructions: str = Field(default="", max_length=MAX_TEXT)
    """The question, where a turn brings no words of its own."""
    output_modalities: Modalities = ("text",)
    max_output_tokens: Most = "inf"
    listening: Listening | None = None
    """None: the clip is heard whole, when it has been committed."""
    thinking: Thinking = Thinking()
    verify: bool = False
    """Check the claims of the reasoning against the clip."""
    temperature: float = Field(default=0.0, ge=0, le=2)


class Event(Part):
    """Anything that a client says."""

    event_id: str | None = Field(default=None, max_length=MAX_NAME)


class Named(BaseModel):
    """Of an event that is refused, its name: the error carries it."""

    event_id: str | None = Field(default=None, max_length=MAX_NAME)


class SessionUpdate(Event):
    """What is named changes; the rest stays."""

    type: Literal["session.update"]
    session: SessionConfig


class Append(Event):
    """More sound."""

    type: Literal["input_audio_buffer.append"]
    audio: str
    """Base64, in the session's format; a sample may be cut."""


class Commit(Event):
    """The sound so far is the clip that is spoken of."""

    type: Literal["input_audio_buffer.commit"]


class Clear(Event):
    """The sound so far is forgotten."""

    type: Literal["input_audio_buffer.clear"]


class Words(Part):
    """Of a turn."""

    type: Literal["input_text"]
    text: str = Field(max_length=MAX_TEXT)


class Item(Part):
    """A turn of the user's in words."""

    type: Literal["message"]
    role: Literal["user"]
    content: list[Words] = Field(min_length=1, max_length=16)
    id: str | None = Field(default=None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class CreateItem(Event):
    """Words for the next response."""

    type: Literal["conversation.item.create"]
    item: Item
    previous_item_id: str | None = Field(default=None, max_length=64)


class ResponseConfig(Part):
    """What holds for one response."""

    instructions: str | None = Field(default=None, max_length=MAX_TEXT)
    max_output_tokens: Most | None = None
    output_modalities: Modalities | None = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16)


class Truncate(Event):
    """An answer was heard so far and no further."""

    type: Literal["conversation.item.truncate"]
    item_id: str = Field(max_length=64)
    content_index: int = Field(ge=0, le=0)
    audio_end_ms: int = Field(ge=0)


class Retrieve(Event):
    """Tell an item of the conversation, as it is held."""

    type: Literal["conversation.item.retrieve"]
    item_id: str = Field(max_length=64)


class Create(Event):
    """Answer now."""

    type: Literal["response.create"]
    response: ResponseConfig = ResponseConfig()


class Cancel(Event):
    """Answer no further."""

    type: Literal["response.cancel"]
    response_id: str | None = Field(default=None, max_length=64)


ClientEvent = Annotated[
    SessionUpdate | Append | Commit | Clear | CreateItem | Truncate | Retrieve | Create | Cancel,
    Field(discriminator="type"),
]
CLIENT_EVENT: TypeAdapter[ClientEvent] = TypeAdapter(ClientEvent)
