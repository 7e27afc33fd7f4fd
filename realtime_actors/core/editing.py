"""Changing the conversation by hand: items added, deleted, cut, or the whole replaced.

What the server has to do is sent; the history follows when it says that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, evolve

from realtime_actors.core.effects import Effects, Send
from realtime_actors.core.history import History
from realtime_actors.core.retelling import in_words
from realtime_actors.core.tool_calls import ToolCalls
from realtime_actors.errors import ConfigError
from realtime_actors.items import ContentPart, InputAudio, Item, MessageItem, OutputAudio
from realtime_actors.protocol import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    RawClientEvent,
)

__all__ = ["Editing"]

ROOT = "root"
"""In place of an item's id: before all items."""


@define
class Editing:
    """Edits of the conversation. Raise `ConfigError` for items that are not there."""

    new_id: Callable[[], str]
    history: History
    calls: ToolCalls

    def add(self, item: Item, after: str | None = None) -> tuple[str, Effects]:
        """Add an item behind another (`"root"`: before all; None: at the end).

        Gives its id with the effects: ours, if it has none, so that others can follow it.
        """
        if after is not None and after != ROOT:
            self._check_told(after)
        item_id = item.id or f"item_{self.new_id()}"
        if item_id in self.history.conversation:
            raise ConfigError(f"the conversation has an item {item_id!r} already")
        told = _sayable(item)
        if told is None:
            raise ConfigError(
                "speech without its sound needs a transcript: there is nothing to add"
            )
        if after == ROOT:
            self.history.first.add(item_id)
        create = ConversationItemCreate(item=evolve(told, id=item_id), previous_item_id=after)
        return item_id, [Send(create)]

    def add_raw(self, payload: Mapping[str, object]) -> RawClientEvent:
        """What a `conversation.item.create` that somebody wrote is to be sent as.

        The server will not say that an item comes before all others, so we have to know it.
        """
        item = payload.get("item")
        if payload.get("previous_item_id") != ROOT or not isinstance(item, Mapping):
            return RawClientEvent(payload=payload)
        item_id = item.get("id")
        if not isinstance(item_id, str):
            item_id = f"item_{self.new_id()}"
        self.history.first.add(item_id)
        return RawClientEvent(payload={**payload, "item": {**item, "id": item_id}})

    def delete(self, item_id: str) -> Effects:
        """Take an item out of the conversation."""
        self._check(item_id)
        if self.history.is_untold(item_id):
            return self.history.deleted(item_id)
        return [Send(ConversationItemDelete(item_id=item_id))]

    def truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> Effects:
        """Keep of what the model said only the first `audio_end_ms` milliseconds."""
        self._check_told(item_id)
        return [
            Send(
                ConversationItemTruncate(
                    item_id=item_id, content_index=content_index, audio_end_ms=audio_end_ms
                )
            )
        ]

    def retrieve(self, item_id: str) -> Effects:
        """Ask the server for all that it has of an item."""
        return [Send(ConversationItemRetrieve(item_id=item_id))]

    def replace(self, shown: tuple[Item, ...], wanted: tuple[Item, ...]) -> Effects:
        """Send the difference between the conversation as it was shown and as it shall be.

        Items are compared as a whole: a changed one is deleted, and added anew. What has
        come since it was shown stays. Speech of which nobody has the sound any more is added
        in its words, or not at all. Raises `ConfigError` when items changed places.
        """
        kept = [item for item in shown if item in wanted]
        if kept != [item for item in wanted if item in shown]:
            raise ConfigError("items of a conversation cannot change places: delete and add them")
        # The model's call, and our answer to it, must stay a pair.
        open_calls = {call.call_id for call in self.calls.open}
        effects: Effects = []
        for item in shown:
            gone = item not in wanted and getattr(item, "call_id", None) not in open_calls
            if gone and item.id is not None and item.id in self.history.conversation:
                if not self.history.is_untold(item.id):
                    effects.append(Send(ConversationItemDelete(item_id=item.id)))
                effects += self.history.deleted(item.id)
        previous = ROOT
        for item in wanted:
            if item in shown:
                is_there = item.id is not None and item.id in self.history.conversation
                is_there = is_there and not self.history.is_untold(item.id)
                previous = str(item.id) if is_there else previous
                continue
            told = _sayable(item)
            if told is None:
                continue
            name = f"item_{self.new_id()}"
            create = ConversationItemCreate(item=evolve(told, id=name), previous_item_id=previous)
            if previous == ROOT:
                self.history.first.add(name)
            effects.append(Send(create))
            previous = name
        return effects

    def _check_told(self, item_id: str) -> None:
        self._check(item_id)
        if self.history.is_untold(item_id):
            raise ConfigError(
                f"the server has no item {item_id!r}: it had no words to tell it, when a handoff"
                " changed the connection"
            )

    def _check(self, item_id: str) -> None:
        if item_id not in self.history.conversation:
            raise ConfigError(f"the conversation has no item {item_id!r}")


def _sayable(item: Item) -> Item | None:
    """With speech told in its words where there is no sound. None if that leaves nothing."""
    if not isinstance(item, MessageItem) or not item.content:
        return item
    content = tuple(
        told
        for part in item.content
        if (told := in_words(part) if _is_silent(part) else part) is not None
    )
    return evolve(item, content=content) if content else None


def _is_silent(part: ContentPart) -> bool:
    return isinstance(part, InputAudio | OutputAudio) and part.audio is None
