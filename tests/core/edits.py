"""What always holds when the program edits the conversation, whatever happens meanwhile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from attrs import define, field

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.core.effects import Answer, Effects, Publish, Refuse, Send
from realtime_actors.core.history.readings import content_of
from realtime_actors.core.messages import Asked
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    items_from_input,
)
from realtime_actors.snapshot import Snapshot
from tests.core.machine import AnyMessage

__all__ = ["EditsWatch"]


@define
class EditsWatch:
    """Follows what the program is told of the conversation, and what is sent to change it."""

    told: defaultdict[str, set[str]] = field(factory=lambda: defaultdict(set))
    """What the program was told of each item, at any time."""
    on_the_wire: set[str] = field(factory=set)
    """Items that the server has told, or was asked to create."""
    made: set[str] = field(factory=set)
    """Those of them that it was asked to create."""
    gone: set[str] = field(factory=set)
    """Those that were deleted, or are to be: the program may want them back."""
    calls: dict[str, str | None] = field(factory=dict)
    """The items of calls, and how the calls are called. None: by several names."""
    open: set[str] = field(factory=set)
    """Calls that are not answered."""
    items_of: defaultdict[str, set[str]] = field(factory=lambda: defaultdict(set))
    """The items of each call, by what its output names."""
    without_item: set[str] = field(factory=set)
    """Calls that were made by their arguments: there may be no item of them."""

    def step(self, message: AnyMessage, effects: Effects) -> None:
        """Check one message and its effects."""
        if isinstance(message, wire.ServerEvent):
            self._heard(message)
        if isinstance(message, Asked) and isinstance(message.verb, messages.UpdateHistory):
            self._check_update(items_from_input(message.verb.items), effects)
        for effect in effects:
            match effect:
                case Publish(event=events.HistoryAddedEvent(item=item)):
                    self._tell([item])
                case Publish(event=events.HistoryUpdatedEvent(history=history)):
                    self._tell(history)
                case Answer(value=Snapshot() as history):
                    self._tell(history)
                case Publish(event=events.ToolStartEvent(call_id=call_id)):
                    self.open.add(call_id)
                case Publish(event=events.ToolEndEvent(call_id=call_id)):
                    self.open.discard(call_id)
                case Send(event=wire.ConversationItemCreate(item=item, previous_item_id=after)):
                    assert after in (None, "root") or after in self.on_the_wire, f"after {after}"
                    self.on_the_wire.add(str(item.id))
                    self.made.add(str(item.id))
                    if isinstance(item, FunctionCallItem):
                        self.items_of[item.call_id or str(item.id)].add(str(item.id))
                    elif isinstance(item, FunctionCallOutputItem) and item.id is not None:
                        self._check_output(item.call_id)
                case Send(event=wire.ConversationItemDelete(item_id=item_id)):
                    of_call = self.calls.get(item_id)
                    is_open = of_call is not None and of_call in self.open
                    assert not is_open, f"deletes the item of a call: {of_call}"
                    assert item_id in self.on_the_wire, f"deletes what is not there: {item_id}"
                    self.gone.add(item_id)

    def _check_output(self, call_id: str) -> None:
        """Check that the program adds an output behind its call."""
        is_there = bool(self.items_of[call_id] - self.gone) or call_id in self.without_item
        assert is_there, f"the output of a call that is not there: {call_id}"

    def _check_update(self, items: Iterable[Item], effects: Effects) -> None:
        """Check that nothing goes that was to stay, or that nobody has seen; and nothing twice."""
        if any(isinstance(each, Refuse) for each in effects):
            return
        listed = [item for item in items if isinstance(item, Item)]
        as_told = {
            item.id for item in listed if content_of(item) in self.told.get(str(item.id), ())
        }
        sent = [each.event for each in effects if isinstance(each, Send)]
        for event in sent:
            if isinstance(event, wire.ConversationItemDelete):
                assert event.item_id not in as_told, f"was to stay: {event.item_id}"
                seen = event.item_id in self.told or event.item_id in self.made
                assert seen, f"was never seen: {event.item_id}"
        new = [each for each in sent if isinstance(each, wire.ConversationItemCreate)]
        assert len(new) <= len(listed) - len(as_told - self.gone), "adds what is there"

    def _heard(self, event: wire.ServerEvent) -> None:
        if isinstance(event, wire.ConversationItemDeleted):
            self.gone.add(event.item_id)
        if isinstance(event, wire.ResponseFunctionCallArgumentsDone):
            self.without_item |= {each for each in (event.call_id, event.item_id) if each}
        items = [getattr(event, "item", None)]
        if isinstance(event, wire.ResponseDone):
            items += event.response.output
        for item in items:
            if item is not None and item.id is not None:
                self.on_the_wire.add(item.id)
                if isinstance(item, FunctionCallItem):
                    call_id = item.call_id or item.id
                    self.items_of[call_id].add(item.id)
                    if self.calls.get(item.id) == item.id:
                        del self.calls[item.id]  # now it may be said what it is called
                    if self.calls.get(item.id, call_id) != call_id:
                        self.calls[item.id] = None  # it is said to be another call's, too
                    elif call_id not in self.calls.values():  # it is called by its first item
                        self.calls.setdefault(item.id, call_id)
        item_id = getattr(event, "item_id", None)
        if item_id is not None:
            self.on_the_wire.add(item_id)

    def _tell(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.id is not None:
                self.told[item.id].add(content_of(item))
