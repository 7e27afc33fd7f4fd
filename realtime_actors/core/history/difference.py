"""What has to be done to a conversation so that it becomes another one.

Items are the same by their ids, and if they are as they were read: one that has grown since
stays. A new item, which has no id, is the same as one that says the same in the same place:
handing in a list twice adds nothing twice. What was not seen when the other conversation
was made up stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, evolve, field, frozen

from realtime_actors.core.history.readings import Seen, content_of
from realtime_actors.core.history.retelling import in_words
from realtime_actors.errors import ConfigError
from realtime_actors.items import ContentPart, InputAudio, Item, MessageItem, OutputAudio

__all__ = ["ROOT", "Difference", "Place", "difference", "sayable"]

ROOT = "root"
"""In place of an item's id: before all items."""


@frozen(kw_only=True)
class Place:
    """An item where it is now."""

    item: Item
    is_asked_for: bool = False
    """The server was asked to create it, and has not answered."""
    is_bound: bool = False
    """It can't go, nor change: it is a call that is not answered."""
    is_told: bool = True
    """The server has it, or was asked to."""


@frozen(kw_only=True)
class Difference:
    """What to delete, then what to create."""

    gone: tuple[Item, ...]
    new: tuple[tuple[Item, str], ...]
    """Items as a client may tell them, and the id of what each follows, or `ROOT`. Their own
    ids are new."""


def difference(
    places: Sequence[Place], wanted: Sequence[Item], seen: Seen, new_id: Callable[[], str]
) -> Difference:
    """Compare the conversation as it is with an edit of the conversation that was seen.

    Raises `ConfigError` when items changed places, or one that can't change was changed.
    """
    comparison = _Comparison(places, wanted, seen)
    comparison.match_by_id()
    comparison.match_by_content()
    return Difference(gone=tuple(comparison.gone()), new=tuple(comparison.new(new_id)))


def sayable(item: Item) -> Item | None:
    """Tell speech in its words where there is no sound. None if that leaves nothing."""
    if not isinstance(item, MessageItem) or not item.content:
        return item
    content = tuple(
        told
        for part in item.content
        if (told := in_words(part) if _is_silent(part) else part) is not None
    )
    return evolve(item, content=content) if content else None


@define
class _Comparison:
    places: Sequence[Place]
    wanted: Sequence[Item]
    seen: Seen
    match: dict[int, int] = field(factory=dict)  # wanted: where it is
    edited: set[int] = field(factory=set)  # places

    def match_by_id(self) -> None:
        where = {place.item.id: at for at, place in enumerate(self.places)}
        for number, item in enumerate(self.wanted):
            at = where.get(item.id) if item.id is not None else None
            if at is None:
                continue
            if at in self.edited or at in self.match.values():
                raise ConfigError(f"the item {item.id!r} is in the list twice")
            place = self.places[at]
            if self.seen.is_as_it_was(item) or content_of(item) == content_of(place.item):
                self.match[number] = at
            elif place.is_bound:
                raise ConfigError(
                    f"the item {item.id!r} cannot be changed: it is a call that is not answered yet"
                )
            else:
                self.edited.add(at)
        # Those that were moved meanwhile, by the server, are in the list where they were.
        found = [
            at
            for number, at in self.match.items()
            if not self.seen.has_moved(str(self.wanted[number].id))
        ]
        if found != sorted(found):
            raise ConfigError("items of a conversation cannot change places: delete and add them")

    def match_by_content(self) -> None:
        taken = self.edited | set(self.match.values())
        start = 0
        for number, item in enumerate(self.wanted):
            if number in self.match:
                start = self.match[number] + 1
            elif item.id is None:
                content = content_of(item)
                for at in range(start, self._next_match(number, start)):
                    place = self.places[at]
                    if (
                        at not in taken
                        and self._was_seen(place)
                        and content_of(place.item) == content
                    ):
                        self.match[number] = at
                        start = at + 1
                        break

    def gone(self) -> Iterable[Item]:
        kept = set(self.match.values())
        for at, place in enumerate(self.places):
            if place.item.id is None or place.is_bound or at in kept:
                continue
            if at in self.edited or self._was_seen(place):
                yield place.item

    def new(self, new_id: Callable[[], str]) -> Iterable[tuple[Item, str]]:
        previous = ROOT
        for number, item in enumerate(self.wanted):
            at = self.match.get(number)
            if at is not None:
                place = self.places[at]
                previous = str(place.item.id) if place.item.id and place.is_told else previous
                continue
            told = sayable(item)
            if told is not None:
                name = new_id()
                yield evolve(told, id=name), previous
                previous = name

    def _next_match(self, number: int, start: int) -> int:
        later = (at for other, at in self.match.items() if other > number and at >= start)
        return min(later, default=len(self.places))

    def _was_seen(self, place: Place) -> bool:
        item_id = place.item.id
        if item_id is None:
            return True
        return item_id in self.seen.made or (not place.is_asked_for and self.seen.has(item_id))


def _is_silent(part: ContentPart) -> bool:
    return isinstance(part, InputAudio | OutputAudio) and part.audio is None
