"""Messages: what the server's half of a conversation is told, and the client's events.

What was found in the audio (`SpeechStarted`, `SilenceBegan`, `SpeechResumed`,
`SpeechStopped`) has its classes in `realtime_actors.server.turn_detection`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

from realtime_actors.protocol import ClientEvent
from realtime_actors.server.turn_detection import TurnEvent

__all__ = [
    "Finding",
    "GenerationAudio",
    "GenerationEnded",
    "GenerationFailed",
    "GenerationFinding",
    "GenerationText",
    "GenerationToolCall",
    "Message",
    "Opened",
    "Tick",
    "Transcribed",
    "TranscriptionFailed",
]


@frozen(kw_only=True)
class Opened:
    """The connection is up. Comes once, first."""

    unix_time: float
    """What the time of day is: `expires_at` is the only thing that needs to know."""


@frozen(kw_only=True)
class Transcribed:
    """A recognition that was asked for by `Recognise` is done."""

    item_id: str
    attempt: int
    text: str = field(repr=False)


@frozen(kw_only=True)
class TranscriptionFailed:
    """A recognition that was asked for by `Recognise` gave nothing."""

    item_id: str
    attempt: int
    message: str


@frozen
class GenerationText:
    """The next piece of what the model says."""

    response_id: str
    text: str = field(repr=False)


@frozen
class GenerationAudio:
    """The next piece of the model's speech, in the response's output format."""

    response_id: str
    audio: bytes = field(repr=False)


@frozen(kw_only=True)
class GenerationToolCall:
    """The next piece of a tool call's arguments. A new index ends the call before it."""

    response_id: str
    index: int
    name: str
    arguments: str = field(repr=False)
    call_id: str | None = None


@frozen(kw_only=True)
class GenerationEnded:
    """The model has said all. Token counts are None where the brain doesn't count."""

    response_id: str
    reason: Literal["stop", "max_output_tokens", "content_filter"] = "stop"
    input_tokens: int | None = None
    output_tokens: int | None = None


@frozen(kw_only=True)
class GenerationFailed:
    """The model could not go on."""

    response_id: str
    message: str
    code: str = "server_error"


@frozen
class Tick:
    """It is time to look at the clock: `ServerConversation.wakes_at` has come."""


GenerationFinding: TypeAlias = (
    GenerationText | GenerationAudio | GenerationToolCall | GenerationEnded | GenerationFailed
)
Finding: TypeAlias = (
    Opened | TurnEvent | Transcribed | TranscriptionFailed | GenerationFinding | Tick
)
Message: TypeAlias = ClientEvent | Finding
