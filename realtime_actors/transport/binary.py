"""Events in binary messages: the protocol has none, but gateways make them of texts."""

from __future__ import annotations

from collections.abc import Callable

from realtime_actors.protocol import MalformedEvent, ServerEvent

__all__ = ["read_binary"]


def read_binary(
    payload: bytes | bytearray, decode: Callable[[bytes | bytearray], ServerEvent]
) -> ServerEvent:
    """Return the event in a binary message, a `MalformedEvent` if there is none."""
    if payload[:64].lstrip()[:1] == b"{":
        event = decode(payload)
        if event.raw is not None:
            return event
    reason = f"a binary message of {len(payload)} bytes that is no JSON: events are JSON text"
    return MalformedEvent(reason=reason, kind="binary")
