"""What all events of the protocol have in common.

A field's type says how it travels, and its default what happens when it doesn't: a
field without a default must be there, or the event means nothing (`MalformedEvent`).
Any other is its default when it is missing, null or of the wrong type; a wrong type is
`ignored`, by name. A place in a list that no list can have (`Index`) makes a `MalformedEvent`
of the event: what it says would land in another place. `codec` reads the classes, so that an
event is described in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

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
    "MAX_INDEX",
    "ClientEvent",
    "Cut",
    "Event",
    "Index",
    "MalformedEvent",
    "Milliseconds",
    "RawClientEvent",
    "ServerEvent",
    "UnknownEvent",
    "light",
    "out_of_range",
]


MAX_INDEX: Final = 65_535
"""The last place in a list. Ours: servers count to a handful, and the worst number the pieces
of a transcript through."""

Index: TypeAlias = Annotated[int, "index"]
"""A place in a list, from 0 to `MAX_INDEX`."""

Milliseconds: TypeAlias = Annotated[int, "milliseconds"]
"""A place in audio. Never negative."""

Cut: TypeAlias = Annotated[int, "cut"]
"""A place in audio, in milliseconds, where something is cut off: if it makes no sense, neither
does the event."""


@light(kw_only=True)
class Event:
    """Anything on the wire, in either direction. Never changed after it is made."""

    type = ""
    """The type on the wire, as GA names it."""

    event_id: str | None = None
    raw: Mapping[str, Any] | None = field(default=None, repr=False, eq=False)
    """The JSON object that the event was read from, all of it. None for one made here."""
    ignored: tuple[str, ...] = field(default=(), repr=False, eq=False)
    """What in it made no sense and was left out, for people: "audio_start_ms is not a number"."""


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
    kind: str = field(default="", eq=False)
    """The same for all that have the same fault, whatever it is about."""
    raw_text: str | None = field(default=None, repr=False)
    """The beginning of what came."""


@frozen(kw_only=True)
class RawClientEvent(ClientEvent):
    """Any JSON object. It is sent as it is."""

    type = "raw"

    payload: Mapping[str, Any] = field(repr=False, hash=False)


def out_of_range(event: ServerEvent) -> tuple[str, str] | None:
    """Name the index that points where nothing can be, and say what is wrong with it.

    What was read from the wire has none: it is for events that were made by hand.
    """
    for name in ("content_index", "output_index"):
        index = getattr(event, name, 0)
        if not 0 <= index <= MAX_INDEX:
            return name, f"is {index}: it counts from 0 to {MAX_INDEX}"
    return None
