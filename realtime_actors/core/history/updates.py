"""What the subscribers learn of the conversation: items, words, transcripts.

`Conversation` keeps the order and the words; this part takes the server's events about
items and says what to publish.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from attrs import define, evolve, field

from realtime_actors import events
from realtime_actors.core.effects import Effects, Publish
from realtime_actors.core.history.conversation import Conversation, Stream, words_of
from realtime_actors.core.history.readings import Readings
from realtime_actors.core.recent import BY_THE_PROGRAM, DELETED, RecentSet
from realtime_actors.items import InputAudio, Item, MessageItem, OutputAudio, UnknownItem
from realtime_actors.protocol import (
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputTextDelta,
)
from realtime_actors.snapshot import Snapshot

__all__ = ["History", "ModelDelta", "stream_of"]

ModelDelta: TypeAlias = ResponseOutputAudioTranscriptDelta | ResponseOutputTextDelta
"""A piece of what the model says or writes."""


@define
class History:
    """The conversation, and what is published about it."""

    info: events.EventInfo
    readings: Readings = field(factory=Readings)
    """What the subscribers have read, for their edits."""
    conversation: Conversation = field(factory=Conversation)
    first: RecentSet[str] = field(factory=lambda: RecentSet(BY_THE_PROGRAM))
    """Items to come that we put before all others: the server names no predecessor for them."""
    unfinished: RecentSet[str] = field(factory=RecentSet)
    """Items that were made of their words, and which nobody has said to be finished."""
    _ours: RecentSet[str] = field(factory=lambda: RecentSet(BY_THE_PROGRAM))  # and not there yet
    _deleted: RecentSet[str] = field(factory=lambda: RecentSet(DELETED))
    _retold: set[str | None] = field(factory=set)
    _untold: set[str | None] = field(factory=set)

    @property
    def items(self) -> Snapshot[Item]:
        return self.conversation.items()

    def read(self) -> Snapshot[Item]:
        """Give the history to the program, which may edit what it has read."""
        items = self.items
        self.readings.asked_for(self.conversation.take_news())
        return items

    def item(self, item: Item, previous_id: str | None, *, is_done: bool = False) -> Effects:
        """An item is there, or there is more of it."""
        if item.id in self._deleted:
            self.announced(item.id, previous_id)
            return []  # the server finished an item that we had deleted meanwhile
        if item.id in self._retold:
            return []  # it has the words only; we know what they were
        item = _without_audio(item)
        known = self.conversation.get(item.id) if item.id is not None else None
        if isinstance(item, UnknownItem) and known is not None:
            return []  # what we know of it says more
        change = self.conversation.put(
            item, previous_id, first=item.id in self.first, is_done=is_done
        )
        if item.id is not None:
            self._arrived(item.id)
        self.readings.moved(self.conversation.moved)
        now = self.conversation.get(item.id) if item.id is not None else None
        if change == "added":
            # With the words that came before it.
            return [self._added(now or item)]
        return [self._updated(item.id)] if item.id is not None and now != known else []

    def _arrived(self, item_id: str) -> None:
        """An item is in the conversation: what was to be remembered of it is kept with it."""
        self.first.discard(item_id)
        entry = self.conversation.entry(item_id)
        if entry is not None and item_id in self._ours:
            self._ours.discard(item_id)
            entry.is_ours = True

    def announced(self, item_id: str | None, previous_id: str | None) -> None:
        """Keep the place of an item: it is to come, or was deleted before the server told of it.

        The server may put others behind it, before it knows of the deletion.
        """
        if item_id in self._deleted and previous_id is None:
            return  # where it was to be is not known
        if item_id is not None:
            self.conversation.reserve(item_id, previous_id)

    def moved(self) -> Effects:
        """Tell of the items that stand somewhere else since another one has come."""
        self.readings.moved(self.conversation.moved)
        return [self._updated(item_id, "moved") for item_id in self.conversation.take_moved()]

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

    def created(self, item_id: str) -> None:
        """Note that the program has created an item: what is in it was said by nobody."""
        self._ours.add(item_id)

    def is_ours(self, item_id: str | None) -> bool:
        """Whether the program has created this item."""
        entry = self.conversation.entry(item_id)
        known = entry is not None and entry.is_ours
        return known or item_id in self._ours or item_id in self._retold

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
        self.readings.deleted(item_id)
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

    def grew(self, event: ModelDelta) -> Effects:
        """More of what the model says or writes. An item of which this is the first word begins.

        Publishes nothing for what is too late: the part is finished, or was cut.
        """
        item_id, stream = event.item_id, stream_of(event)
        if not self.may_keep(item_id):
            return [self.delta(event)]
        if not self.conversation.grow(item_id, event.content_index, stream, event.delta):
            return []
        return [*self._begun(item_id), self.delta(event)]

    def delta(self, event: ModelDelta) -> Publish:
        """Publish a piece of the model's words as it came."""
        kind = (
            events.TextDeltaEvent
            if isinstance(event, ResponseOutputTextDelta)
            else events.TranscriptDeltaEvent
        )
        return Publish(
            kind(
                response_id=event.response_id,
                item_id=event.item_id,
                content_index=event.content_index,
                delta=event.delta,
                info=self.info,
            )
        )

    def words_done(self, item_id: str, content_index: int, stream: Stream, words: str) -> Effects:
        """All that the model said or wrote in a part. An item that nobody has told begins."""
        if not self.may_keep(item_id):
            return []
        self.conversation.tell(item_id, content_index, stream, words, is_whole=True)
        return self._begun(item_id) or [self._updated(item_id)]

    def finished(self, item_id: str, status: str) -> Effects:
        """No more comes of an item that was made of its words."""
        self.unfinished.discard(item_id)
        return [self._updated(item_id)] if self.conversation.finish(item_id, status) else []

    def told(
        self, item_id: str, content_index: int, stream: Stream, words: str, *, is_whole: bool
    ) -> Effects:
        """What the model said or wrote in a part, up to here or all of it."""
        if not self.may_keep(item_id):
            return []
        changed = self.conversation.tell(item_id, content_index, stream, words, is_whole=is_whole)
        return self._begun(item_id) or ([self._updated(item_id)] if changed else [])

    def settled(self, item_id: str, content_index: int, stream: Stream, words: str) -> Effects:
        """All words of a part are known. Says so if that is news. See `words_done`."""
        if not self.may_keep(item_id):
            return []
        changed = self.conversation.tell(item_id, content_index, stream, words, is_whole=True)
        begun = self._begun(item_id, "user" if stream == "input" else "assistant")
        return begun or ([self._updated(item_id)] if changed else [])

    def spoken(self, item_id: str) -> Effects:
        """The user's words are known: their item begins, if nobody has told it."""
        return self._begun(item_id, "user") if self.may_keep(item_id) else []

    def not_transcribed(self, item_id: str) -> Effects:
        """The words of a turn of the user's will not be known: transcription is off."""
        changed = self.may_keep(item_id) and self.conversation.not_transcribed(item_id)
        return [self._updated(item_id)] if changed else []

    def may_keep(self, item_id: str) -> bool:
        """Whether what is told of an item belongs into the history."""
        return item_id not in self._deleted and item_id not in self._retold

    def _begun(self, item_id: str, role: Literal["assistant", "user"] = "assistant") -> Effects:
        """Make the item of words that came without one. Does nothing when it is there."""
        if item_id in self.conversation:
            return []
        if role == "assistant":
            self.unfinished.add(item_id)
        status = "in_progress" if role == "assistant" else "completed"
        return self.item(MessageItem(id=item_id, role=role, status=status), None)

    def _added(self, item: Item) -> Publish:
        self.readings.told((item,))
        previous_id = self.conversation.told_place(item.id) if item.id is not None else None
        return Publish(
            events.HistoryAddedEvent(item=item, previous_item_id=previous_id, info=self.info)
        )

    def _updated(self, item_id: str, change: events.Change = "updated") -> Publish:
        history = self.items
        self.readings.told(self.conversation.take_news())
        item = self.conversation.get(item_id)
        return Publish(
            events.HistoryUpdatedEvent(
                history=history,
                item_id=item_id,
                change=change,
                item=item,
                previous_item_id=None if item is None else self.conversation.told_place(item_id),
                info=self.info,
            )
        )


def stream_of(event: ModelDelta) -> Stream:
    """Whether the model says it or writes it."""
    return "text" if isinstance(event, ResponseOutputTextDelta) else "audio"


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
