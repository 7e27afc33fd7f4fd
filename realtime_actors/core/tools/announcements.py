"""Which of the things that a server says of calls are said of the same call.

A call is announced by its item, when it begins and when it is done, by its arguments, and by
the response that made it. Not every server gives each of these, nor gives them the same ids:
some number their calls anew in each response, or all the same, some leave ids out, some make
up others for each event. So calls are told apart within their response, by the first of

- the item's id, unless the ids of the calls differ;
- the call's id, unless this kind of announcement gave it to another item already, or one with
  other arguments;
- the name and the arguments, where one has no id that the other has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from realtime_actors.core.recent import Recent, RecentSet

__all__ = ["Announcement", "Announcements", "How", "ToldCall", "is_json"]

How: TypeAlias = Literal["added", "pieces", "arguments", "item", "response"]
"""By its item, begun or done; by its arguments, in pieces or whole; by its response."""


def is_json(arguments: str) -> bool:
    """Return whether arguments are JSON. A part of them, cut off by an interruption, never is."""
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return True


@frozen(kw_only=True)
class Announcement:
    """What was said of a call. What is None was not said."""

    how: How
    item_id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = field(default=None, repr=False)


@define
class ToldCall:
    """A call of one response, as far as it was told."""

    call_id: str | None = None
    """The server's id of it."""
    name: str | None = None
    arguments: str | None = field(default=None, repr=False)
    began_as: str | None = None
    """Our id of it, once it has begun (see `tool_calls`)."""
    is_cut: bool = False
    """Its item was not finished."""
    is_reported: bool = False
    """Subscribers know that it can't be answered."""
    pieces: list[str] = field(factory=list)
    """Its arguments, as far as they came one by one."""
    _items: dict[How, str] = field(factory=dict)
    _told: set[How] = field(factory=set)
    _first: str = ""  # its arguments, as its item had them when it began

    @property
    def item_id(self) -> str | None:
        """The id of its item: the first that was told."""
        return next(iter(self._items.values()), None)

    @property
    def server_id(self) -> str | None:
        """What the server knows the call by. None: there is no way to answer it."""
        return self.call_id or self.item_id

    @property
    def all_arguments(self) -> str:
        """Its arguments, however they were told."""
        return self.arguments or "".join(self.pieces) or self._first

    @property
    def item_ids(self) -> Iterable[str]:
        """All the ids that were told for its item."""
        return self._items.values()

    def take(self, said: Announcement) -> None:
        """Note what an announcement has to say: what was not known, and newer arguments."""
        self._told.add(said.how)
        if said.item_id is not None:
            self._items.setdefault(said.how, said.item_id)
        self.call_id = self.call_id or said.call_id
        self.name = self.name or said.name
        if said.how == "added":
            self._first = said.arguments or ""
        elif self.arguments is None or said.arguments:
            self.arguments = said.arguments

    def is_item(self, said: Announcement) -> bool:
        """Return whether the announcement means this call, by the item's id."""
        differ = None not in (said.call_id, self.call_id) and said.call_id != self.call_id
        return said.item_id in self._items.values() and not differ

    def is_call(self, said: Announcement) -> bool:
        """Return whether the announcement means this call, by the call's id."""
        if said.call_id != self.call_id:
            return False
        if said.item_id is None or not self._items:
            return said.how not in self._told or self._says(said)
        return said.how not in self._items and self._says(said)

    def may_be(self, said: Announcement) -> bool:
        """Return whether nothing speaks against it that the announcement means this call."""
        has_ids_in_common = (said.item_id is not None and bool(self._items)) or (
            said.call_id is not None and self.call_id is not None
        )
        return not has_ids_in_common and said.how not in self._told and self._says(said)

    def _says(self, said: Announcement) -> bool:
        same_name = None in (said.name, self.name) or said.name == self.name
        if said.how == "added" or said.arguments is None or self.arguments is None:
            return same_name
        return same_name and _are_same(said.arguments, self.arguments)


@define
class Announcements:
    """The calls that were told, by response."""

    _made: Recent[str | None, list[ToldCall]] = field(factory=Recent)
    _completed: RecentSet[str | None] = field(factory=RecentSet)

    def find(self, response_id: str | None, said: Announcement) -> ToldCall:
        """Return the call that is meant, a new one if none was told yet."""
        told = self._made.setdefault(response_id, [])
        call = _find(told, said)
        if call is None:
            call = ToldCall()
            told.append(call)
        return call

    def of(self, response_id: str | None) -> tuple[ToldCall, ...]:
        """Return the calls that a response made, in order."""
        return tuple(self._made.get(response_id, ()))

    def to_begin(self, goes_on: Callable[[str | None], bool]) -> set[str]:
        """Return the items of calls that were told and have not begun.

        Only those of responses that go on: the calls of others may never begin.
        """
        return {
            item_id
            for response_id, told in self._made.items()
            if goes_on(response_id)
            for call in told
            if call.began_as is None
            for item_id in call.item_ids
        }

    def completed(self, response_id: str | None) -> None:
        """Note that a response has ended well: what it called is to be run."""
        self._completed.add(response_id)

    def is_completed(self, response_id: str | None) -> bool:
        return response_id in self._completed

    def began(self, response_id: str | None) -> None:
        """Forget the response before one that began without an id."""
        if response_id is None:
            self._made.pop(None, None)
            self._completed.discard(None)

    def moved(self) -> None:
        """Forget all: on another connection, ids may come again."""
        self._made.clear()
        self._completed.clear()


def _find(told: list[ToldCall], said: Announcement) -> ToldCall | None:
    tests = [ToldCall.may_be]
    if said.call_id is not None:
        tests.insert(0, ToldCall.is_call)
    if said.item_id is not None:
        tests.insert(0, ToldCall.is_item)
    return next((call for test in tests for call in told if test(call, said)), None)


def _are_same(one: str, other: str) -> bool:
    """Return whether arguments are the same JSON, however it is written."""
    if one.strip() == other.strip():
        return True
    try:
        return bool(json.loads(one or "{}") == json.loads(other or "{}"))
    except (ValueError, RecursionError):
        return False
