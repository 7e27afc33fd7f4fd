"""What the embedded server asks of its engines: hear, understand, think, speak.

Here live the interfaces and the values that cross them. Nothing here imports an
engine, or anything that has to be installed for one.

All audio is PCM16 mono, little endian. The server resamples: an engine names the rate
it works at and never sees another one. `cancelled` is a function that says whether the
caller has lost interest; engines ask it often enough to stop within some hundred
milliseconds, and then just return early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, Protocol

from attrs import field, frozen

from realtime_actors.errors import RealtimeError
from realtime_actors.items import Item

__all__ = [
    "Brain",
    "BrainOutput",
    "BrainRequest",
    "Cancelled",
    "EngineError",
    "Engines",
    "Finished",
    "Recognizer",
    "TextDelta",
    "ToolCallDelta",
    "Transcript",
    "Voice",
    "VoiceDetector",
    "never",
]

Cancelled = Callable[[], bool]
"""Whether the caller has lost interest. Cheap, and safe to call from any thread."""


def never() -> bool:
    """Return False: the `cancelled` of a caller that waits to the end."""
    return False


class EngineError(RealtimeError):
    """An engine could not do its work. The message is fit to be sent to a client."""


class VoiceDetector(Protocol):
    """Tells speech from everything else, frame by frame. One per connection."""

    rate_hz: int
    frame_ms: int

    def probability(self, frame: bytes) -> float:
        """Return how likely it is that there is speech in this frame, from 0 to 1.

        `frame` lasts exactly `frame_ms` at `rate_hz`. Frames come in order: what was
        heard before counts.
        """

    def reset(self) -> None:
        """Forget what was heard."""


@frozen(kw_only=True)
class Transcript:
    """What a recogniser heard. An empty text means that there was no speech."""

    text: str = field(repr=False)
    average_log_probability: float = 0.0
    no_speech_probability: float = 0.0


class Recognizer(Protocol):
    """Speech to text. Shared by all connections, safe to use from any thread."""

    rate_hz: int

    def transcribe(
        self,
        pcm: bytes,
        *,
        language: str | None = None,
        prompt: str | None = None,
        cancelled: Cancelled = never,
    ) -> Transcript:
        """Write down a stretch of speech of any length.

        `language` is an ISO-639-1 code, None lets the engine decide; `prompt` holds words
        that are likely to come up. Once cancelled, the text is worth nothing.
        """


@frozen(kw_only=True)
class BrainRequest:
    """All that is known when a response is asked for.

    `items` is the conversation in order; what the user said aloud is the `transcript`
    of an `InputAudio` part. `tools` are wire-shaped (`{"type": "function", "name": ...}`),
    `tool_choice` is "auto", "none", "required" or `{"type": "function", "name": ...}`.
    `max_output_tokens` None means no limit.
    """

    instructions: str = field(default="", repr=False)
    items: tuple[Item, ...] = field(default=(), repr=False)
    tools: tuple[Mapping[str, object], ...] = ()
    tool_choice: str | Mapping[str, object] = "auto"
    max_output_tokens: int | None = None


@frozen
class TextDelta:
    """The next piece of what the brain says."""

    text: str = field(repr=False)


@frozen(kw_only=True)
class ToolCallDelta:
    """The next piece of a tool call's arguments, which are JSON when put together.

    Pieces of one call have the same `index` and `name`, and come one after the other:
    a new index ends the call before it. `call_id` None leaves the choice to the server.
    """

    index: int
    name: str
    arguments: str = field(repr=False)
    call_id: str | None = None


@frozen(kw_only=True)
class Finished:
    """The end of a response: the last thing a brain answers, unless it was cancelled.

    Token counts are None where the brain doesn't count.
    """

    reason: Literal["stop", "max_output_tokens", "content_filter"] = "stop"
    input_tokens: int | None = None
    output_tokens: int | None = None


BrainOutput = TextDelta | ToolCallDelta | Finished


class Brain(Protocol):
    """Decides what to say and which tools to call. Shared by all connections."""

    def respond(
        self, request: BrainRequest, *, cancelled: Cancelled = never
    ) -> Iterator[BrainOutput]:
        """Answer piece by piece. Raises `EngineError` when there can be no answer.

        Closing the iterator stops the work.
        """


class Voice(Protocol):
    """Text to speech. Shared by all connections, safe to use from any thread."""

    rate_hz: int

    def speak(
        self, text: str, *, voice: str, speed: float = 1.0, cancelled: Cancelled = never
    ) -> Iterator[bytes]:
        """Speak a text, one sentence or less per chunk.

        Any string is a voice. `speed` goes from 0.25 to 1.5. What cannot be spoken is
        left out; a text without anything to speak gives no chunk.
        """


@frozen(kw_only=True)
class Engines:
    """A set of engines that a server works with."""

    detector: Callable[[], VoiceDetector]
    """Makes a detector for a connection."""
    recognizer: Recognizer | None
    """None: the server takes speech, but can't say what was said."""
    brain: Brain
    voice: Voice
