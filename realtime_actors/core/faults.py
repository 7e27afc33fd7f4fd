"""Which errors of the server end a session, and which are part of its life.

Codes as seen from the API and from the clients that have to live with it.
"""

from __future__ import annotations

from typing import Final

from realtime_actors.events import ErrorInfo
from realtime_actors.protocol import ErrorDetail

__all__ = [
    "ACTIVE_RESPONSE",
    "error_info",
    "is_active_response",
    "is_fatal",
    "is_no_response_active",
]

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"
NO_RESPONSE_ACTIVE: Final = "response_cancel_not_active"

_FATAL: Final = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "insufficient_quota",
        "invalid_api_key",
        "session_expired",
    }
)
"""Trying again never helps."""


def is_active_response(error: ErrorDetail) -> bool:
    """Whether a `response.create` was refused because a response is active."""
    if ACTIVE_RESPONSE in (error.code, error.type):  # some servers have their codes in `type`
        return True
    return error.code is None and "already has an active response" in error.message.lower()


def is_no_response_active(error: ErrorDetail) -> bool:
    """Whether a `response.cancel` was refused because no response is active (any more)."""
    if NO_RESPONSE_ACTIVE in (error.code, error.type):
        return True
    words = f"{error.code} {error.type} {error.message}".lower().replace("_", " ")
    return "no active response" in words or "cancel not active" in words


def is_fatal(error: ErrorDetail) -> bool:
    """Whether the session is over, for good."""
    return error.code in _FATAL or error.type in _FATAL


def error_info(error: ErrorDetail, *, default: str = "server_error") -> ErrorInfo:
    """The server's words as a public value. `default` is the type for servers that give none."""
    return ErrorInfo(
        type=error.type or default,
        message=error.message or "",
        code=error.code,
        param=error.param,
        event_id=error.event_id,
    )
