"""What the subscribers learn of the conversation: items, words, transcripts.

`Conversation` keeps the order and the words; this part takes the server's events about
items and says what to publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import define, evolve, field

from realtime_actors import events
from realtime_actors.core.conversation import Conversation, Stream, words_of
from realtime_actors.core.effects import Effects, Publish
from realtime_actors.items import InputAudio, Item, MessageItem, OutputAudio
from realtime_actors.protocol import (
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputTextDelta,
)

__all__ = ["History"]


@define
class History:
    """The conversation, and what is published about it."""

    info: events.EventInfo
    conversation: Conversation = field(factory=Conversation)
    first: set[str] = field(factory=set)
    """Items that we put before all others: the server names no predecessor for them."""
    _deleted: set[str] = field(factory=set)
    _retold: set[str | None] = field(factory=set)
    _untold: set[str | None] = field(factory=set)

    @property
    def items(self) -> tuple[Item, ...]:
        return self.conversation.items()

    def item(self, item: Item, previous_id: str | None) -> Effects:
        """An item is there, or there is more of it."""
        if item.id in self._deleted:
            return []  # the server finished an item that we had deleted meanwhile
        if item.id in self._retold:
            return []  # it has the words only; we know what they were
        item = _without_audio(item)
        known = self.conversation.get(item.id) if item.id is not None else None
        change = self.conversation.put(item, previous_id, first=item.id in self.first)
        now = self.conversation.get(item.id) if item.id is not None else None
        if change == "added":
            # With the words that came before it.
            return [Publish(events.HistoryAddedEvent(item=now or item, info=self.info))]
        return [self._updated(item.id)] if item.id is not None and now != known else []

    def announced(self, item_id: str | None, previous_id: str | None) -> None:
        """The server has committed the user's audio; its item is to come."""
        if item_id is not None and item_id not in self._deleted:
            self.conversation.reserve(item_id, previous_id)

    def retold(self, item_ids: Iterable[str | None]) -> None:
        """Another server is told these items, and no others. What it says of them is no news."""
        self._retold = set(item_ids)
        self._untold = {item.id for item in self.items} - self._retold

    def is_untold(self, item_id: str | None) -> bool:
        """Whether only we have this item: the server was not told of it."""
        return item_id in self._untold

    def is_deleted(self, item_id: str) -> bool:
        """Whether this item was in the conversation once."""
        return item_id in self._deleted

    def words_of(self, item: Item) -> str:
        """What a message says, as far as it is known."""
        known = self.conversation.get(item.id) if item.id is not None else None
        message = known or item
        if not isinstance(message, MessageItem):
            return ""
        return "".join(words_of(part) or "" for part in message.content)

    def deleted(self, item_id: str) -> Effects:
        """An item is gone, and does not come back."""
        self._deleted.add(item_id)
        if not self.conversation.delete(item_id):
            return []
        return [self._updated(item_id, "deleted")]

    def truncated(
        self, item_id: str, content_index: int, *, heard_ms: int, received_ms: int
    ) -> Effects:
        """Only part of an item was heard. What was cut before stays as it was cut."""
        if self.conversation.is_truncated(item_id, content_index):
            return []
        if not self.conversation.truncate(
            item_id, content_index, heard_ms=heard_ms, received_ms=received_ms
        ):
            return []
        return [self._updated(item_id, "truncated")]

    def transcript_delta(self, event: ResponseOutputAudioTranscriptDelta) -> Effects:
        """More of what the model says."""
        self.conversation.grow(event.item_id, event.content_index, "audio", event.delta)
        return [
            Publish(
                events.TranscriptDeltaEvent(
                    response_id=event.response_id,
                    item_id=event.item_id,
                    content_index=event.content_index,
                    delta=event.delta,
                    info=self.info,
                )
            )
        ]

    def text_delta(self, event: ResponseOutputTextDelta) -> Effects:
        """More of what the model writes."""
        self.conversation.grow(event.item_id, event.content_index, "text", event.delta)
        return [
            Publish(
                events.TextDeltaEvent(
                    response_id=event.response_id,
                    item_id=event.item_id,
                    content_index=event.content_index,
                    delta=event.delta,
                    info=self.info,
                )
            )
        ]

    def words_done(self, item_id: str, content_index: int, stream: Stream, words: str) -> Effects:
        """All that the model said or wrote in a part."""
        self.conversation.settle(item_id, content_index, stream, words)
        return [self._updated(item_id)] if item_id in self.conversation else []

    def settled(self, item_id: str, content_index: int, stream: Stream, words: str) -> Effects:
        """All words of a part are known. Says so if that is news."""
        changed = self.conversation.settle(item_id, content_index, stream, words)
        return [self._updated(item_id)] if changed else []

    def _updated(
        self, item_id: str, change: Literal["updated", "truncated", "deleted"] = "updated"
    ) -> Publish:
        return Publish(
            events.HistoryUpdatedEvent(
                history=self.items, item_id=item_id, change=change, info=self.info
            )
        )


def _without_audio(item: Item) -> Item:
    """A conversation of an hour must not keep an hour of audio."""
    if not isinstance(item, MessageItem):
        return item
    return evolve(
        item,
        content=tuple(
            evolve(part, audio=None)
            if isinstance(part, InputAudio | OutputAudio) and part.audio is not None
            else part
            for part in item.content
        ),
    )
