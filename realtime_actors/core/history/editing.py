"""Changing the conversation by hand: items added, deleted, cut, or the whole replaced.

What the server has to do is sent; the history follows when it says that it has. An item that
it was asked to create can be referred to at once: what is said of it is sent after it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import TypeVar

from attrs import define, evolve, field, frozen

from realtime_actors.core.history.difference import ROOT, Difference, Place, difference, sayable
from realtime_actors.core.history.readings import Readings, Seen
from realtime_actors.core.history.updates import History
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import BY_THE_PROGRAM, DELETED, Recent, RecentSet
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.tools.announcements import Announcements
from realtime_actors.core.tools.tool_calls import ToolCalls
from realtime_actors.errors import ConfigError
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    Item,
    MessageItem,
    item_from_wire,
)
from realtime_actors.protocol import (
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    RawClientEvent,
)

__all__ = ["Editing"]

C = TypeVar("C", bound=ClientEvent)


@frozen
class _Created:
    """An item that the server was asked to create, and has not told yet."""

    item: Item
    previous_id: str | None
    event_id: str | None


@define(kw_only=True)
class Editing:
    """Edits of the conversation. Raise `ConfigError` for items that are not there."""

    outbox: Outbox
    history: History
    calls: ToolCalls
    announcements: Announcements
    responses: ResponseMachine
    readings: Readings
    _created: Recent[str, _Created] = field(factory=lambda: Recent(BY_THE_PROGRAM))
    _removed: RecentSet[str] = field(
        factory=lambda: RecentSet(DELETED)
    )  # what the program has deleted: it may want it back

    def add(self, item: Item, after: str | None = None) -> str:
        """Add an item behind another (`"root"`: before all; None: at the end).

        Return its id: ours, if it has none, so that others can follow it.
        """
        if after is not None and after != ROOT:
            self._check_told(after)
        item_id = item.id or self.outbox.new_item_id()
        if item_id in self.history.conversation or item_id in self._asked_for():
            raise ConfigError(f"the conversation has an item {item_id!r} already")
        told = sayable(item)
        if told is None:
            raise ConfigError(
                "speech without its sound needs a transcript: there is nothing to add"
            )
        self.check_calls([told])
        self._create(evolve(told, id=item_id), after)
        return item_id

    def named(self, item: Item) -> Item:
        """Give an item an id by which it is known to be the program's, where that matters.

        What a server tells of speech, and of the model's messages, is judged and waited for.
        """
        if not isinstance(item, MessageItem):
            return item
        if item.role == "assistant" or any(isinstance(each, InputAudio) for each in item.content):
            item = evolve(item, id=item.id or self.outbox.new_item_id())
        if item.id is not None:
            self.history.created(item.id)
        return item

    def check_calls(self, new: Sequence[Item], gone: Sequence[Item] = ()) -> None:
        """Refuse new items, in their order, if one is the output of a call that is not there.

        `gone` is what is deleted before they are created.
        """
        if not any(isinstance(item, FunctionCallOutputItem) for item in new):
            return
        deleted = {*self._removed, *(item.id for item in gone)}
        places = [place.item for place in self._places() if place.is_told]
        calls = {_call_id(item) for item in places if item.id not in deleted}
        for item in new:
            calls.add(_call_id(item))
            if (
                isinstance(item, FunctionCallOutputItem)
                and item.call_id not in calls
                and not self._is_made_without_item(item.call_id)
            ):
                raise ConfigError(
                    f"the output of the call {item.call_id!r} can't be added: that call is not in"
                    " the conversation, or no more. Leave the output out, or add the call before it"
                )

    def add_raw(self, payload: Mapping[str, object]) -> RawClientEvent:
        """Return what a `conversation.item.create` of the program's own is to be sent as.

        The server will not say that an item comes before all others, so we have to know it.
        """
        item, previous_id = payload.get("item"), payload.get("previous_item_id")
        if not isinstance(item, Mapping):
            return RawClientEvent(payload=payload)
        item_id, event_id = item.get("id"), payload.get("event_id")
        if not isinstance(item_id, str):
            if previous_id != ROOT:
                return RawClientEvent(payload=payload)  # the server will name it
            item_id = self.outbox.new_item_id()
        if previous_id == ROOT:
            self.history.first.add(item_id)
        item = {**item, "id": item_id}
        self.history.created(item_id)
        self._asked_for()
        self._created[item_id] = _Created(
            item_from_wire(item),
            previous_id if isinstance(previous_id, str) else None,
            event_id if isinstance(event_id, str) else None,
        )
        return RawClientEvent(payload={**payload, "item": item})

    def delete(self, item_id: str) -> None:
        """Take an item out of the conversation, unless it is a call that is not answered."""
        self._check(item_id)
        item = self.history.conversation.get(item_id)
        if item is not None and self._is_open_call(item, self._to_begin):
            raise ConfigError(
                f"the item {item_id!r} is a call that is not answered yet: it cannot be deleted"
                " before its output is there"
            )
        self._removed.add(item_id)
        if self.history.is_untold(item_id):
            self.history.deleted(item_id)
        else:
            self.outbox.send(ConversationItemDelete(item_id=item_id))

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> None:
        """Keep of what the model said only the first `audio_end_ms` milliseconds."""
        self._check_told(item_id)
        self.outbox.send(
            ConversationItemTruncate(
                item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
            )
        )

    def retrieve(self, item_id: str) -> None:
        """Ask the server for all that it has of an item."""
        self.outbox.send(ConversationItemRetrieve(item_id=item_id))

    def update(self, wanted: Sequence[Item]) -> None:
        """Make the conversation these items, as far as it was read when they were made up."""
        change = self._difference(wanted, self.readings.seen_by(wanted), restored=self._removed)
        self.check_calls([item for item, _ in change.new], change.gone)
        self._removed.add_all(str(item.id) for item in change.gone)
        self.readings.made.add_all(str(item.id) for item, _ in change.new)
        self._change(change)

    def filter(self, shown: Sequence[Item], wanted: Sequence[Item]) -> None:
        """Make of the conversation that was shown what a filter has made of it."""
        self._change(self._difference(wanted, Seen.of(shown)))

    def filter_untold(
        self, shown: Sequence[Item], wanted: Sequence[Item]
    ) -> tuple[list[Item], set[str]]:
        """Do the same to the history only, for a server that was not told the conversation.

        Return what it is to be told, and the ids of those items that the history does not have.
        """
        change = self._difference(wanted, Seen.of(shown))
        for item in change.gone:
            self.history.deleted(str(item.id))
        items = list(self.history.items)
        for item, previous_id in change.new:
            ids = [each.id for each in items]
            items.insert(ids.index(previous_id) + 1 if previous_id in ids else 0, item)
            if previous_id == ROOT:
                self.history.first.add(str(item.id))
        return items, {str(item.id) for item, _ in change.new}

    def refused(self, event_id: str | None) -> None:
        """Forget an item that was to be created by an event which the server refused."""
        for item_id, created in tuple(self._created.items()):
            if event_id is not None and created.event_id == event_id:
                del self._created[item_id]
                self.history.first.discard(item_id)

    def _change(self, change: Difference) -> None:
        for item in change.gone:
            item_id = str(item.id)
            if not self.history.is_untold(item_id):
                self.outbox.send(ConversationItemDelete(item_id=item_id))
            self.history.deleted(item_id)
        for item, previous_id in change.new:
            self._create(item, previous_id)

    def _difference(
        self, wanted: Sequence[Item], seen: Seen, *, restored: Collection[str] = ()
    ) -> Difference:
        # What was deleted meanwhile does not come back; but the program may put back what it has
        # deleted itself.
        left = [
            item
            for item in wanted
            if item.id is None or item.id in restored or not self.history.is_deleted(item.id)
        ]
        return difference(self._places(), left, seen, self.outbox.new_item_id)

    def _places(self) -> list[Place]:
        """Return the conversation as it will be when the server has answered, in its order."""
        to_begin = self._to_begin
        places = [
            Place(
                item=item,
                is_bound=self._is_open_call(item, to_begin),
                is_told=not self.history.is_untold(item.id),
            )
            for item in self.history.items
        ]
        for created in self._asked_for().values():
            ids = [place.item.id for place in places]
            at = len(places)
            if created.previous_id == ROOT:
                at = 0
            elif created.previous_id in ids:
                at = ids.index(created.previous_id) + 1
            places.insert(at, Place(item=created.item, is_asked_for=True))
        return places

    def _create(self, item: Item, previous_id: str | None) -> None:
        item_id, event_id = str(item.id), self.outbox.new_id()
        if previous_id == ROOT:
            self.history.first.add(item_id)
        self._created[item_id] = _Created(item, previous_id, event_id)
        self.history.created(item_id)
        self.outbox.send(
            ConversationItemCreate(event_id=event_id, item=item, previous_item_id=previous_id)
        )

    def _asked_for(self) -> dict[str, _Created]:
        """Return what the server was asked to create and has not told yet, oldest first."""
        for item_id in tuple(self._created):
            if item_id in self.history.conversation or self.history.is_deleted(item_id):
                del self._created[item_id]
        return self._created

    @property
    def _to_begin(self) -> Set[str]:
        """The items of calls that were told, and have not begun."""
        responses = self.responses
        return self.announcements.to_begin(
            lambda each: responses.has_begun(each) and not responses.is_over(each)
        )

    def _is_open_call(self, item: Item, to_begin: Set[str]) -> bool:
        """Return whether this is a call that is not answered: call and answer must stay a pair.

        One that is being made, or was made and has not begun, is answered once it has.
        """
        if isinstance(item, FunctionCallItem):
            return (
                item.status == "in_progress"
                or item.id in to_begin
                or any(
                    item.call_id == call.server_id or item.id == (call.item_id or call.server_id)
                    for call in self.calls.open
                )
            )
        return self.calls.hosted.is_open(item.id)

    def _is_made_without_item(self, call_id: str) -> bool:
        """Return whether the model has made a call of which the server has told no item."""
        item_id = self.calls.made.get(call_id)
        if item_id is None:
            return call_id in self.calls.made
        return item_id not in self.history.conversation and not self.history.is_deleted(item_id)

    def _check_told(self, item_id: str) -> None:
        self._check(item_id)
        if self.history.is_untold(item_id):
            raise ConfigError(
                f"the server has no item {item_id!r}: it had no words to tell it, when a handoff"
                " changed the connection"
            )

    def _check(self, item_id: str) -> None:
        if item_id not in self.history.conversation and item_id not in self._asked_for():
            raise ConfigError(f"the conversation has no item {item_id!r}")


def _call_id(item: Item) -> str | None:
    """Return what the output of a call names. None for an item that is no call."""
    return (item.call_id or item.id) if isinstance(item, FunctionCallItem) else None
