"""What the program has read of the conversation, so that it edits what it saw.

A program reads the history, thinks about it, and hands in the history as it shall be.
Meanwhile the conversation goes on: items come that it has not read, and those that it has
read get more words. Neither is a change that it wanted.

    history() --> reading 7: u1 "Hello", a1 "Good mor"
                  u2 comes, a1 becomes "Good morning!"
    update_history([a1 "Good mor"])   --> u1 is left out; a1 is as it was read; u2 was not seen

So each reading has a number, and each item the numbers at which it was first read, and at
which it was read differently. From the items that are handed in follows which reading they
can be of.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import Final

from attrs import define, field, frozen

from realtime_actors.core.recent import BY_THE_PROGRAM, DELETED, Recent, RecentSet
from realtime_actors.items import Item, item_to_wire

__all__ = ["Readings", "Seen", "content_of"]

MAX_READINGS: Final = 1_000
"""How many of the last readings may be the one that an edit is of. Ours."""

MAX_VERSIONS: Final = 1_000
"""How many of the last versions of an item are known. Ours: more than there are pieces in the
transcript of a long answer."""


@frozen(kw_only=True)
class Seen:
    """A conversation, as its editor has seen it."""

    has: Callable[[str], bool]
    """Whether the item of this id was in it."""
    is_as_it_was: Callable[[Item], bool]
    """Whether an item is as it was then, or at any other time: not edited, that is."""
    has_moved: Callable[[str], bool] = lambda _: False
    """Whether the item of this id has come to stand somewhere else since then."""
    made: Container[str] = frozenset()
    """Items that the editor has made by an edit before, answered or not."""

    @classmethod
    def of(cls, items: Iterable[Item]) -> Seen:
        """Return exactly these items."""
        known = {item.id: content_of(item) for item in items if item.id is not None}
        return cls(
            has=known.__contains__,
            is_as_it_was=lambda item: known.get(str(item.id)) == content_of(item),
        )


def content_of(item: Item) -> str:
    """Return what an item says, without its id and how far the server is with it."""
    wire = item_to_wire(item)
    return str({name: value for name, value in wire.items() if name not in ("id", "status")})


@define
class _Version:
    content: int  # a hash: an answer is read as often as it grows, and must not be kept each time
    since: int  # the reading


@define
class _Known:
    latest: Item
    first: int  # the reading that it was in first
    versions: list[_Version] = field(factory=list)
    moved: int = 0  # the last reading before it came to stand somewhere else


@define
class Readings:
    """What was read, and when."""

    made: RecentSet[str] = field(factory=lambda: RecentSet(BY_THE_PROGRAM))
    """The items that were made by an edit."""
    _count: int = 0
    _asked_for: deque[int] = field(factory=lambda: deque(maxlen=MAX_READINGS))
    _known: dict[str, _Known] = field(factory=dict)
    _gone: Recent[str, _Known] = field(factory=lambda: Recent(DELETED))

    def asked_for(self, news: Iterable[Item]) -> None:
        """Note that the program has read the history, in which this is new since the last time."""
        self.told(news)
        self._asked_for.append(self._count)

    def told(self, news: Iterable[Item]) -> None:
        """Note that the program has read these items, which are new or have changed."""
        self._count += 1
        for item in news:
            if item.id is None:
                continue
            known = self._known.get(item.id)
            if known is None:
                known = self._known[item.id] = _Known(item, self._count)
            elif known.latest == item:
                continue
            known.latest, content = item, hash(content_of(item))
            if not known.versions or known.versions[-1].content != content:
                known.versions.append(_Version(content, self._count))
                del known.versions[:-MAX_VERSIONS]

    def moved(self, item_ids: Iterable[str]) -> None:
        """Note that these items stand somewhere else now."""
        for item_id in item_ids:
            if item_id in self._known:
                self._known[item_id].moved = self._count

    def deleted(self, item_id: str) -> None:
        """Note that an item is gone. A list that was read before may still have it."""
        known = self._known.pop(item_id, None)
        if known is not None:
            self._gone[item_id] = known

    def seen_by(self, wanted: Iterable[Item]) -> Seen:
        """Return the conversation that these items are an edit of.

        That is the last one that was asked for and fits; else the last that was told and fits.
        """
        earliest, latest = 0.0, math.inf
        for item in wanted:
            since, until = self._times_of(item)
            earliest, latest = max(earliest, since), min(latest, until)
        fitting = [number for number in self._asked_for if earliest <= number <= latest]
        reading = fitting[-1] if fitting else latest
        return Seen(
            has=lambda item_id: (known := self._find(item_id)) is None or known.first <= reading,
            is_as_it_was=self._was_read,
            has_moved=lambda item_id: (
                (known := self._find(item_id)) is not None and reading <= known.moved
            ),
            made=self.made,
        )

    def _find(self, item_id: str | None) -> _Known | None:
        return self._known.get(item_id or "") or self._gone.get(item_id or "")

    def _was_read(self, item: Item) -> bool:
        known, content = self._find(item.id), hash(content_of(item))
        return known is not None and any(each.content == content for each in known.versions)

    def _times_of(self, item: Item) -> tuple[float, float]:
        """Return from which reading to which an item was as it is here, as far as that is known."""
        known = self._find(item.id)
        if known is None:
            return 0.0, math.inf
        content, until = hash(content_of(item)), math.inf
        for version in reversed(known.versions):
            if version.content == content:
                return version.since, until
            until = version.since - 1
        return known.first, math.inf  # it was edited
