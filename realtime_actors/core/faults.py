"""Which errors of the server end a session, and which are part of its life.

Codes as seen from the API and from the clients that have to live with it.
"""

from __future__ import annotations

from typing import Final

from realtime_actors.events import ErrorInfo
from realtime_actors.protocol import ErrorDetail

__all__ = ["ACTIVE_RESPONSE", "error_info", "is_active_response", "is_fatal"]

ACTIVE_RESPONSE: Final = "conversation_already_has_active_response"

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
    return error.code == ACTIVE_RESPONSE


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
