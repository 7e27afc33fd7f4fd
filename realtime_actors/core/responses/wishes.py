"""The responses that are wanted, in their order, and those that were asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors.core.responses.claims import Claim
from realtime_actors.protocol import RawClientEvent, Response, ResponseCreate

__all__ = [
    "PLAIN",
    "Asked",
    "Wanted",
    "Wish",
    "Wishes",
    "event_id_of",
    "metadata_of",
    "with_event_id",
]

Wish: TypeAlias = ResponseCreate | RawClientEvent

PLAIN: Final = ResponseCreate()


@frozen
class Wanted:
    """A response of the conversation that is to be asked for."""

    wish: Wish
    interruptible: bool = True


_PLAINLY_WANTED: Final = Wanted(PLAIN)


@define
class Wishes:
    """What is wanted and was not asked for yet. Wishes for nothing special are one wish."""

    wanted: deque[Wanted] = field(factory=deque)
    beside: list[tuple[Wish, bool]] = field(factory=list)
    """Those out of band, and whether they are to be heard."""
    is_closed: bool = False
    """Nothing more is wanted."""
    _marked: tuple[tuple[Wanted, ...], tuple[tuple[Wish, bool], ...]] = ((), ())

    @property
    def any(self) -> bool:
        """Something is wanted."""
        return bool(self.wanted or self.beside)

    def add(self, wanted: Wanted) -> None:
        """Want a response, after all others."""
        if self.is_closed:
            return
        if wanted != _PLAINLY_WANTED or wanted not in self.wanted:
            self.wanted.append(wanted)

    def add_again(self, wanted: Wanted) -> None:
        """Want a response that was asked for once more, before all others."""
        if wanted != _PLAINLY_WANTED or wanted not in self.wanted:
            self.wanted.appendleft(wanted)

    def drop(self, wanted: Wanted) -> None:
        """Want this response no more."""
        if wanted in self.wanted:
            self.wanted.remove(wanted)

    def next(self) -> Wanted | None:
        """Take the oldest wish."""
        return self.wanted.popleft() if self.wanted else None

    def next_beside(self, *, may_speak: bool) -> list[tuple[Wish, bool]]:
        """Take the wishes for responses out of band: those to be heard if the model may speak."""
        ready = [each for each in self.beside if may_speak or not each[1]]
        for each in ready:
            self.beside.remove(each)
        return ready

    def clear(self) -> None:
        """Want nothing of it any more."""
        self.wanted.clear()
        self.beside.clear()

    def mark(self) -> None:
        """Keep what is wanted now (see `take_back`)."""
        self._marked = tuple(self.wanted), tuple(self.beside)

    def take_back(self) -> None:
        """Drop what was wanted since the mark."""
        self.wanted, self.beside = deque(self._marked[0]), list(self._marked[1])


@define(kw_only=True)
class Asked:
    """A `response.create` that was sent.

    A response that has begun since, and perhaps ended, need not be its answer: the server
    may have made it by itself, with ours still on its way to it and refused there.
    """

    event_id: str | None
    wanted: Wanted | None
    """None when it was asked for because of the claims only."""
    claims: tuple[Claim, ...] = ()
    """Those that it honours."""
    stopped: bool = False
    """Its response is not to be heard."""
    for_good: bool = False
    """Nor is it wanted again if it is refused."""
    doubtful: bool = False
    """The next response may as well be the server's answer to the user."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the response was given to be known by."""
        return {} if self.wanted is None else metadata_of(self.wanted.wish)

    def is_for(self, response: Response) -> bool:
        """Whether a response is surely the answer: it has the metadata that were given."""
        metadata = self.metadata
        return bool(metadata) and metadata == response.metadata


def event_id_of(wish: Wish) -> str | None:
    """Return the name under which a wish is sent, if it has one."""
    if isinstance(wish, RawClientEvent):
        event_id = wish.payload.get("event_id")
        return event_id if isinstance(event_id, str) else None
    return wish.event_id


def metadata_of(wish: Wish) -> Mapping[str, Any]:
    """Return what the response is given to be known by."""
    if isinstance(wish, RawClientEvent):
        response = wish.payload.get("response")
        metadata = response.get("metadata") if isinstance(response, Mapping) else None
        return metadata if isinstance(metadata, Mapping) else {}
    return (wish.response and wish.response.metadata) or {}


def with_event_id(wish: Wish, new_id: Callable[[], str]) -> Wish:
    """Return a wish with a name: its own, or a new one."""
    if event_id_of(wish) is not None:
        return wish
    if isinstance(wish, RawClientEvent):
        return RawClientEvent(payload={**wish.payload, "event_id": new_id()})
    return evolve(wish, event_id=new_id())
