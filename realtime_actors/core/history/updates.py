"""What the subscribers learn of the conversation: items, words, transcripts.

`Conversation` keeps the order and the words; this part takes the server's events about
items and says what to publish.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from attrs import define, evolve, field

from realtime_actors import events
from realtime_actors.core.history.conversation import Conversation, Stream, words_of
from realtime_actors.core.history.readings import Readings
from realtime_actors.core.history.retelling import told_in_words
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import BY_THE_PROGRAM, DELETED, RecentSet
from realtime_actors.items import InputAudio, Item, MessageItem, OutputAudio, UnknownItem
from realtime_actors.protocol import (
    ConversationItemCreate,
    ConversationItemDelete,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputTextDelta,
)
from realtime_actors.snapshot import Snapshot

__all__ = ["History", "ModelDelta", "stream_of"]

Role = Literal["assistant", "user"]

ModelDelta: TypeAlias = ResponseOutputAudioTranscriptDelta | ResponseOutputTextDelta
"""A piece of what the model says or writes."""


@define
class History:
    """The conversation, and what is published about it."""

    outbox: Outbox
    readings: Readings = field(factory=Readings)
    """What the subscribers have read, for their edits."""
    conversation: Conversation = field(factory=Conversation)
    first: RecentSet[str] = field(factory=lambda: RecentSet(BY_THE_PROGRAM))
    """Items to come that we put before all others: the server names no predecessor for them."""
    unfinished: RecentSet[str] = field(factory=RecentSet)
    """Items that were made of their words, and of whose end the server has not told."""
    _ours: RecentSet[str] = field(factory=lambda: RecentSet(BY_THE_PROGRAM))  # and not there yet
    _deleted: RecentSet[str] = field(factory=lambda: RecentSet(DELETED))
    _retold: set[str | None] = field(factory=set)
    _untold: set[str | None] = field(factory=set)
    _replaced: set[str] = field(factory=set)  # deleted at the server, and created again

    @property
    def items(self) -> Snapshot[Item]:
        return self.conversation.items()

    def read(self) -> Snapshot[Item]:
        """Give the history to the program, which may edit what it has read."""
        items = self.items
        self.readings.asked_for(self.conversation.take_news())
        return items

    def item(self, item: Item, previous_id: str | None, *, is_done: bool = False) -> bool:
        """An item is there, or there is more of it. Return whether that is news."""
        if item.id in self._deleted:
            self.announced(item.id, previous_id)
            return False  # the server finished an item that we had deleted meanwhile
        if item.id in self._retold:
            return False  # it has the words only; we know what they were
        item = _without_audio(item)
        known = self.conversation.get(item.id) if item.id is not None else None
        if isinstance(item, UnknownItem) and known is not None:
            return False  # what we know of it says more
        change = self.conversation.put(
            item, previous_id, first=item.id in self.first, is_done=is_done
        )
        if item.id is not None:
            self._arrived(item.id)
        self.readings.moved(self.conversation.moved)
        now = self.conversation.get(item.id) if item.id is not None else None
        if change == "added":
            self._added(now or item)  # with the words that came before it
            return True
        if item.id is None or now == known:
            return False
        self._updated(item.id)
        return True

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

    def tell_of_moves(self) -> None:
        """Tell of the items that stand somewhere else since another one has come."""
        self.readings.moved(self.conversation.moved)
        for item_id in self.conversation.take_moved():
            self._updated(item_id, "moved")

    def retold(self, item_ids: Iterable[str | None]) -> None:
        """Another server is told these items, and no others. What it says of them is no news."""
        self._retold = set(item_ids)
        self._untold = {item.id for item in self.items} - self._retold
        self._replaced.clear()

    def is_told_anew(self, item_id: str) -> bool:
        """Whether the server has this item because we have told it, after a move."""
        return item_id in self._retold and item_id not in self._untold

    def tell_anew(self, item_id: str) -> None:
        """Have the server replace an item that it was told in its words: some were not heard."""
        item = self.conversation.get(item_id)
        if item is None or not self.is_told_anew(item_id):
            return
        previous_id = next(
            (each.id for each in self._before(item_id) if each.id not in self._untold), None
        )
        self._replaced.add(item_id)
        self.outbox.send(ConversationItemDelete(item_id=item_id))
        told = told_in_words(item)
        if told is None:
            self._untold.add(item_id)
            return
        self.outbox.send(ConversationItemCreate(item=told, previous_item_id=previous_id or "root"))

    def _before(self, item_id: str) -> Iterator[Item]:
        """Give the items before one, the nearest first."""
        items = self.items
        at = next(place for place, item in enumerate(items) if item.id == item_id)
        return reversed(items[:at])

    def is_untold(self, item_id: str | None) -> bool:
        """Whether only we have this item: the server was not told of it."""
        return item_id in self._untold

    def is_deleted(self, item_id: str) -> bool:
        """Whether this item was in the conversation once."""
        return item_id in self._deleted

    def created(self, item_id: str) -> None:
        """Note that the program has created an item: what is in it was not said."""
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

    def gone(self, item_id: str) -> None:
        """The server says that it has deleted an item. One that it was told anew is still there."""
        if item_id in self._replaced:
            self._replaced.discard(item_id)
        else:
            self.deleted(item_id)

    def deleted(self, item_id: str) -> None:
        """An item is gone, and does not come back."""
        self._deleted.add(item_id)
        self.readings.deleted(item_id)
        if self.conversation.delete(item_id):
            self._updated(item_id, "deleted")

    def truncated(
        self, item_id: str, content_index: int, *, heard_ms: int, received_ms: int
    ) -> None:
        """Only part of an item was heard. What was cut before stays as it was cut."""
        if self.conversation.is_truncated(item_id, content_index):
            return
        if self.conversation.truncate(
            item_id, content_index, heard_ms=heard_ms, received_ms=received_ms
        ):
            self._updated(item_id, "truncated")

    def grew(self, event: ModelDelta, *, is_heard: bool = True) -> None:
        """More of what the model says or writes. An item of which this is the first word begins.

        What is not heard is kept, and not published; nor is what is too late: the part is
        finished, or was cut.
        """
        item_id, stream = event.item_id, stream_of(event)
        if self.may_keep(item_id):
            if not self.conversation.grow(item_id, event.content_index, stream, event.delta):
                return
            self._begin(item_id)
        if is_heard:
            self.delta(event)

    def delta(self, event: ModelDelta) -> None:
        """Publish a piece of the model's words as it came."""
        self.outbox.publish(
            events.TextDeltaEvent
            if isinstance(event, ResponseOutputTextDelta)
            else events.TranscriptDeltaEvent,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
            delta=event.delta,
        )

    def words_done(self, item_id: str, content_index: int, stream: Stream, words: str) -> None:
        """All that the model said or wrote in a part. An item that was not told begins."""
        if self.may_keep(item_id):
            self.conversation.tell(item_id, content_index, stream, words, is_whole=True)
            self._tell_words(item_id)

    def finished(self, item_id: str, status: str) -> None:
        """No more comes of an item that was made of its words."""
        self.unfinished.discard(item_id)
        if self.conversation.finish(item_id, status):
            self._updated(item_id)

    def told(
        self, item_id: str, content_index: int, stream: Stream, words: str, *, is_whole: bool
    ) -> None:
        """What the model said or wrote in a part, up to here or all of it."""
        if self.may_keep(item_id):
            changed = self.conversation.tell(
                item_id, content_index, stream, words, is_whole=is_whole
            )
            self._tell_words(item_id, changed=changed)

    def keep_words(self, item_id: str, content_index: int, words: str) -> bool:
        """Keep all that the user said in a part. Return whether that is news.

        `spoken` tells of it.
        """
        return self.may_keep(item_id) and self.conversation.tell(
            item_id, content_index, "input", words, is_whole=True
        )

    def spoken(self, item_id: str, *, changed: bool = False) -> None:
        """The user's words are known: their item begins if it is not there, or has changed."""
        if self.may_keep(item_id):
            self._tell_words(item_id, "user", changed=changed)

    def not_transcribed(self, item_id: str) -> None:
        """The words of a turn of the user's will not be known: transcription is off."""
        if self.may_keep(item_id) and self.conversation.not_transcribed(item_id):
            self._updated(item_id)

    def may_keep(self, item_id: str) -> bool:
        """Whether what is told of an item belongs into the history."""
        return item_id not in self._deleted and item_id not in self._retold

    def _tell_words(self, item_id: str, role: Role = "assistant", *, changed: bool = True) -> None:
        """Tell of an item's words: it begins with them, or they have changed it."""
        if not self._begin(item_id, role) and changed:
            self._updated(item_id)

    def _begin(self, item_id: str, role: Role = "assistant") -> bool:
        """Make the item of words that came without one. Return whether it was missing."""
        if item_id in self.conversation:
            return False
        if role == "assistant":
            self.unfinished.add(item_id)
        status = "in_progress" if role == "assistant" else "completed"
        return self.item(MessageItem(id=item_id, role=role, status=status), None)

    def _added(self, item: Item) -> None:
        self.readings.told((item,))
        previous_id = self.conversation.told_place(item.id) if item.id is not None else None
        self.outbox.publish(events.HistoryAddedEvent, item=item, previous_item_id=previous_id)

    def _updated(self, item_id: str, change: events.Change = "updated") -> None:
        history = self.items
        self.readings.told(self.conversation.take_news())
        item = self.conversation.get(item_id)
        self.outbox.publish(
            events.HistoryUpdatedEvent,
            history=history,
            item_id=item_id,
            change=change,
            item=item,
            previous_item_id=None if item is None else self.conversation.told_place(item_id),
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
