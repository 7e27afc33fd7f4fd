"""What can be sent: JSON, and no larger than a message may be.

A message that is too large costs the connection: at the server, or here, since servers send
items back. So it is refused before anything counts on its being sent.
"""

from __future__ import annotations

from typing import Final, TypeVar

from realtime_actors.errors import LocalProtocolError
from realtime_actors.protocol import ClientEvent, dialect

__all__ = ["MAX_MESSAGE_BYTES", "check_sendable", "size_of"]

C = TypeVar("C", bound=ClientEvent)

MAX_MESSAGE_BYTES: Final = 16 * 2**20
"""What a connection takes unless its `max_message_size` says otherwise."""

ADDED_BYTES: Final = 1_024
"""For what a server adds to an item that it sends back: ids, a status. Ours."""


def check_sendable(event: C, limit_bytes: int = MAX_MESSAGE_BYTES) -> C:
    """Return the event. Raises `LocalProtocolError` for what is no JSON, or too large."""
    size, allowed = size_of(event), _allowed(limit_bytes)
    if size > allowed:
        raise LocalProtocolError(
            f"a {event.type or 'message'} of {size:,} bytes is too large to be sent: {allowed:,}"
            " are allowed (see ModelConfig.max_message_size). Make images smaller, split texts"
        )
    return event


def size_of(event: ClientEvent) -> int:
    """Return how many bytes an event has as a message."""
    return len(dialect("ga").encode_client(event))


def fits(event: ClientEvent, limit_bytes: int) -> bool:
    """Return whether an event is small enough to be sent."""
    return size_of(event) <= _allowed(limit_bytes)


def _allowed(limit_bytes: int) -> int:
    return limit_bytes - min(ADDED_BYTES, limit_bytes // 8)
