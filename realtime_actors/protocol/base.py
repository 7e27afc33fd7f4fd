"""What all events of the protocol have in common.

A field's type says how it travels, and its default what happens when it doesn't: a
field without a default must be there, or the event means nothing (`MalformedEvent`).
Any other is its default when it is missing, null or of the wrong type. `codec` reads
the classes, so that an event is described in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from attrs import frozen as light
else:
    from functools import partial

    from attrs import define

    # Frozen for the type checker only: a frozen class sets its fields through
    # object.__setattr__, which more than doubles the cost of making one. For the events
    # that come fifty times a second, and for what they inherit from.
    light = partial(define, unsafe_hash=True)

__all__ = [
    "ClientEvent",
    "Event",
    "MalformedEvent",
    "RawClientEvent",
    "ServerEvent",
    "UnknownEvent",
    "light",
]


@light(kw_only=True)
class Event:
    """Anything on the wire, in either direction. Never changed after it is made."""

    type = ""
    """The type on the wire, as GA names it."""

    event_id: str | None = None
    raw: Mapping[str, Any] | None = field(default=None, repr=False, eq=False)
    """The JSON object that the event was read from, all of it. None for one made here."""


@light(kw_only=True)
class ServerEvent(Event):
    """Anything that a server sends."""


@light(kw_only=True)
class ClientEvent(Event):
    """Anything that a client sends. A server answers an error with its `event_id` in it."""


@frozen(kw_only=True)
class UnknownEvent(ServerEvent, ClientEvent):
    """An event of a type that we don't know. Whatever is to be known about it is in `raw`."""

    type: str


@frozen(kw_only=True)
class MalformedEvent(ServerEvent, ClientEvent):
    """What came instead of an event. It was dropped; the conversation goes on."""

    type = "malformed"

    reason: str
    """What is wrong with it, for people."""
    raw_text: str | None = field(default=None, repr=False)
    """The beginning of what came."""


@frozen(kw_only=True)
class RawClientEvent(ClientEvent):
    """Any JSON object. It is sent as it is."""

    type = "raw"

    payload: Mapping[str, Any] = field(repr=False, hash=False)
