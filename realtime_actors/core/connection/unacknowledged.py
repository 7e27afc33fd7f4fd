"""What the server was told of the conversation, and has not shown that it has.

    created, deleted or cut --the server shows it, or refuses--> known
              |-------------- the connection is lost -----------> part of what the next one is told

An item belongs to the conversation for us once the server has shown it. What is on its way when
the connection is lost is in nobody's hands: so it is kept here, and comes with the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from realtime_actors import protocol as wire
from realtime_actors.core.recent import Recent
from realtime_actors.items import (
    FunctionCallOutputItem,
    InputAudio,
    Item,
    MessageItem,
    item_from_wire,
)

__all__ = ["Created", "Unacknowledged"]

ROOT: Final = "root"


@frozen(kw_only=True)
class Created:
    """An item that the server was asked to create."""

    item: Item
    after: str | None
    """The item that it follows, `"root"`, or None where nothing was there yet."""
    event_id: str | None


@define
class Unacknowledged:
    """What is on its way, oldest first."""

    _created: Recent[int, Created] = field(factory=Recent)
    _deleted: Recent[str, None] = field(factory=Recent)
    _cut: Recent[tuple[str, int], int] = field(factory=Recent)
    _count: int = 0

    def sent(self, event: wire.ClientEvent, last_id: Callable[[], str | None]) -> None:
        """Note what goes to the server; `last_id` gives the item that is the last by now."""
        match event:
            case wire.ConversationItemCreate(item=item, previous_item_id=previous_id):
                if item.id is not None:
                    self._deleted.pop(item.id, None)  # it is told anew
                self._note(item, previous_id or last_id(), event.event_id)
            case wire.RawClientEvent(payload={"type": "conversation.item.create", **rest}):
                self._raw(rest, last_id)
            case wire.ConversationItemDelete(item_id=item_id):
                self._deleted[item_id] = None
                for number, created in tuple(self._created.items()):
                    if created.item.id == item_id:
                        del self._created[number]
            case wire.ConversationItemTruncate(item_id=item_id, content_index=index):
                self._cut[item_id, index] = event.audio_end_ms
            case _:
                pass  # it changes nothing in the conversation

    def came(self, event: wire.ServerEvent) -> None:
        """Note what the server shows that it has done."""
        match event:
            case (
                wire.ConversationItemAdded(item=item)
                | wire.ConversationItemCreated(item=item)
                | wire.ConversationItemDone(item=item)
            ):
                if self._created:
                    self._shown(item)
            case wire.ConversationItemDeleted(item_id=item_id):
                self._deleted.pop(item_id, None)
            case wire.ConversationItemTruncated(item_id=item_id, content_index=index):
                self._cut.pop((item_id, index), None)
            case _:
                pass  # it says nothing of these

    def refused(self, event_id: str | None, about: str | None) -> None:
        """The server has refused something: the event of this name, or one about this item."""
        for number, created in tuple(self._created.items()):
            is_named = event_id is not None and created.event_id == event_id
            is_about = event_id is None and about is not None and created.item.id == about
            if is_named or is_about:
                del self._created[number]
        if about is not None:
            self._deleted.pop(about, None)

    def not_sent(self, events: Iterable[wire.ClientEvent]) -> None:
        """These were not sent after all, and whoever asked for them was told so."""
        for event in events:
            match event:
                case wire.ConversationItemCreate(item=item):
                    self._forget(item)
                case wire.ConversationItemDelete(item_id=item_id):
                    self._deleted.pop(item_id, None)
                case wire.ConversationItemTruncate(item_id=item_id, content_index=index):
                    self._cut.pop((item_id, index), None)
                case _:
                    pass  # it was not noted

    @property
    def deleted(self) -> Sequence[str]:
        """The items that the server was asked to delete."""
        return tuple(self._deleted)

    @property
    def cut(self) -> Sequence[tuple[str, int, int]]:
        """The parts that it was asked to cut, and where, in milliseconds."""
        return tuple((item_id, index, ms) for (item_id, index), ms in self._cut.items())

    def take(self, items: Iterable[Item], new_id: Callable[[], str]) -> tuple[list[Item], set[str]]:
        """Put the items that are on their way into the conversation. It all begins anew then.

        Gives the conversation, and the ids of those that are new in it: each has one.
        """
        whole, new = list(items), set[str]()
        for created in self._created.values():
            item = created.item if created.item.id else evolve(created.item, id=new_id())
            ids = [each.id for each in whole]
            if item.id in ids:
                continue
            at = len(whole)
            if created.after == ROOT:
                at = 0
            elif created.after in ids:
                at = ids.index(created.after) + 1
                while at < len(whole) and whole[at].id in new:
                    at += 1  # those that were created before it for the same place
            whole.insert(at, item)
            new.add(str(item.id))
        self.clear()
        return whole, new

    def clear(self) -> None:
        """Nothing is on its way any more."""
        self._created.clear()
        self._deleted.clear()
        self._cut.clear()

    def _note(self, item: Item, after: str | None, event_id: str | None) -> None:
        if any(created.item is item for created in self._created.values()):
            return  # it is noted
        self._count += 1
        self._created[self._count] = Created(item=item, after=after, event_id=event_id)

    def _raw(self, payload: Mapping[str, object], last_id: Callable[[], str | None]) -> None:
        given = payload.get("item")
        if isinstance(given, dict):
            item, previous_id = item_from_wire(given), payload.get("previous_item_id")
            event_id = payload.get("event_id")
            after = previous_id if isinstance(previous_id, str) else last_id()
            self._note(item, after, event_id if isinstance(event_id, str) else None)

    def _shown(self, item: Item) -> None:
        number = next((n for n, each in self._created.items() if _is_same(each.item, item)), None)
        if number is not None:
            del self._created[number]

    def _forget(self, item: Item) -> None:
        same = [number for number, each in self._created.items() if each.item is item]
        for number in same:
            del self._created[number]


def _is_same(created: Item, shown: Item) -> bool:
    """Whether the item that the server shows is one that it was asked to create."""
    if isinstance(created, FunctionCallOutputItem):
        return isinstance(shown, FunctionCallOutputItem) and created.call_id == shown.call_id
    if created.id is not None:
        return created.id == shown.id
    return (
        isinstance(created, MessageItem)
        and isinstance(shown, MessageItem)
        and created.role == shown.role
        and not any(isinstance(part, InputAudio) for part in shown.content)
    )
