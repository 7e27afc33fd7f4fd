"""Which losses are worth another attempt, and which would only be lost again.

The close codes are those that OpenAI's own Python client tries again after, and 1014, by which a
gateway says that it could not reach the server. A code that says that the server does not want us
(1000, 1008, 4000 and above), or not what we send (1002, 1003, 1007, 1009, 1010), says the same to
the next connection.
"""

from __future__ import annotations

from typing import Final

from realtime_actors.core.server_errors import is_fatal_code
from realtime_actors.errors import (
    ConfigError,
    RealtimeError,
    SessionUpdateError,
    StartCause,
    StartError,
)

__all__ = ["RETRIED_CLOSE_CODES", "RETRIED_STATUSES", "is_worth_an_attempt", "may_come_back"]

RETRIED_CLOSE_CODES: Final = frozenset({1001, 1005, 1006, 1011, 1012, 1013, 1014, 1015})
"""Going away, no status, broken, server fault, restart, try again later, bad gateway, TLS."""

RETRIED_STATUSES: Final = frozenset({408, 425, 429, *range(500, 600)})
"""HTTP statuses of a refused upgrade that may be other ones in a moment."""

_FINAL_CAUSES: Final = frozenset({StartCause.CONFIG, StartCause.AUTHENTICATION})

_PASSING_CODES: Final = frozenset(
    {"inference_rate_limit_exceeded", "rate_limit_exceeded", "server_error"}
)
"""Codes of the server by which settings may be refused that it takes the next time."""


def may_come_back(code: int | None) -> bool:
    """Whether a connection that was closed with this code is worth another one."""
    return code is None or code in RETRIED_CLOSE_CODES


def is_worth_an_attempt(error: RealtimeError) -> bool:
    """Whether the next attempt to connect may go better than one that failed so."""
    match error:
        case StartError(status=int(status)):
            return status in RETRIED_STATUSES
        case StartError(cause=cause):
            return cause not in _FINAL_CAUSES
        case SessionUpdateError(code=code):
            return code in _PASSING_CODES and not is_fatal_code(code)
        case ConfigError():
            return False
        case _:
            return True
