"""Effects: what the server's half of a conversation wants done, in order.

`realtime_actors.server.client_connection` does it with sockets and engines. What an engine
finds out comes back as a message (see `realtime_actors.server.server_messages`).
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import field, frozen

from realtime_actors.protocol import ServerEvent
from realtime_actors.server.engines.interfaces import BrainRequest
from realtime_actors.server.turn_detection import TurnSettings

__all__ = [
    "CancelGeneration",
    "CancelRecognition",
    "CloseConnection",
    "DetectTurns",
    "Effect",
    "Effects",
    "Emit",
    "Generate",
    "Hear",
    "JudgePause",
    "Recognise",
    "ResetDetector",
    "Speech",
]


@frozen
class Emit:
    """Send an event to the client."""

    event: ServerEvent


@frozen(kw_only=True)
class DetectTurns:
    """Look for turns in the audio that follows, or no longer when `settings` is None."""

    settings: TurnSettings | None
    audio_format: str
    start_ms: int
    """The position of the audio that follows, in milliseconds from the start of all audio."""


@frozen
class Hear:
    """Look for turns in this audio. Answered by turn events, if there are any."""

    audio: bytes = field(repr=False)


@frozen
class ResetDetector:
    """Forget the turn that is going on: its audio is gone."""


@frozen(kw_only=True)
class JudgePause:
    """Tell the turn detector what was said before the pause at `audio_ms`."""

    text: str = field(repr=False)
    audio_ms: int


@frozen(kw_only=True)
class Recognise:
    """Write down what is said in an item's audio.

    Answered by `Transcribed` or `TranscriptionFailed` with the same item and attempt.
    """

    item_id: str
    attempt: int
    audio: bytes = field(repr=False)
    audio_format: str
    language: str | None = None
    prompt: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class CancelRecognition:
    """Stop a recognition: its words are of no use any more."""

    item_id: str
    attempt: int


@frozen(kw_only=True)
class Speech:
    """How a response is to be spoken."""

    voice: str
    speed: float
    audio_format: str


@frozen(kw_only=True)
class Generate:
    """Let the model answer. Answered by the generation messages, with `response_id`."""

    response_id: str
    request: BrainRequest
    speech: Speech | None
    """None: the answer is text only."""


@frozen
class CancelGeneration:
    """Stop what the model is saying: the response is over."""

    response_id: str


@frozen
class CloseConnection:
    """Close the connection, after what was sent before. The last effect of a conversation."""

    code: int
    reason: str


Effect: TypeAlias = (
    Emit
    | DetectTurns
    | Hear
    | ResetDetector
    | JudgePause
    | Recognise
    | CancelRecognition
    | Generate
    | CancelGeneration
    | CloseConnection
)
Effects: TypeAlias = tuple[Effect, ...]
