"""What is inside of events: responses, sessions, errors, usage.

Read and written as events are (see `base`). The settings inside of a session and a
response have their flat names here; nesting them is the dialect's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from realtime_actors.config.settings import SessionModelSettings
from realtime_actors.items import Item
from realtime_actors.usage import (
    CachedTokensDetails,
    InputTokenDetails,
    OutputTokenDetails,
    RateLimit,
    TranscriptionUsage,
    Usage,
)

__all__ = [
    "CachedTokensDetails",
    "ConversationInfo",
    "ErrorDetail",
    "InputTokenDetails",
    "LogProb",
    "OutputTokenDetails",
    "RateLimit",
    "Response",
    "SessionInfo",
    "StatusDetails",
    "TranscriptionLanguage",
    "TranscriptionUsage",
    "Usage",
]


@frozen(kw_only=True)
class ErrorDetail:
    """What went wrong."""

    type: str = ""
    """invalid_request_error, server_error, transcription_error, ..."""
    message: str = ""
    code: str | None = None
    param: str | None = None
    """The member of our event that the server objects to."""
    event_id: str | None = None
    """The `event_id` of our event that caused it, when we gave it one."""


@frozen(kw_only=True)
class LogProb:
    """How sure the transcription is of a token."""

    token: str = field(repr=False)
    logprob: float
    bytes: tuple[int, ...] = field(default=(), repr=False)


@frozen(kw_only=True)
class TranscriptionLanguage:
    """A language that was heard, as ISO 639-1."""

    code: str


@frozen(kw_only=True)
class ConversationInfo:
    """The conversation of a session."""

    id: str | None = None


@frozen(kw_only=True)
class StatusDetails:
    """Why a response ended as it did."""

    type: str | None = None
    reason: str | None = None
    """turn_detected or client_cancelled (cancelled); max_output_tokens or content_filter
    (incomplete)."""
    error: ErrorDetail | None = None
    """Of a failed response."""


@frozen(kw_only=True)
class Response:
    """A response, as far as it has come."""

    id: str | None = None
    status: str | None = None
    """in_progress, completed, cancelled, failed or incomplete."""
    status_details: StatusDetails | None = None
    output: tuple[Item, ...] = ()
    """What was said and called, without audio. Empty until the response is done."""
    conversation_id: str | None = None
    """None for a response that is out of band."""
    output_modalities: tuple[str, ...] | None = None
    voice: str | Mapping[str, Any] | None = field(default=None, hash=False)
    output_audio_format: str | None = None
    """pcm16, g711_ulaw or g711_alaw."""
    max_output_tokens: int | Literal["inf"] | None = None
    metadata: Mapping[str, Any] | None = field(default=None, hash=False)
    """What we gave the response, to know it again."""
    usage: Usage | None = None
    """None until the response is done."""
    raw: Mapping[str, Any] | None = field(default=None, repr=False, eq=False)


@frozen(kw_only=True)
class SessionInfo:
    """A session as the server has it."""

    id: str | None = None
    type: str = "realtime"
    """realtime, or transcription."""
    expires_at: int | None = None
    """Unix time in seconds, when the server will end the session."""
    settings: SessionModelSettings = field(factory=SessionModelSettings)
    raw: Mapping[str, Any] | None = field(default=None, repr=False, eq=False)
