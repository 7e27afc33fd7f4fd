"""The conversation as the server has it, in its order.

Items are ordered by `previous_item_id`, not by arrival: an item whose predecessor is
not known yet is put at the end, and moved when the predecessor comes. Transcripts and
text are collected as they stream in, and merged into the (frozen) items when somebody
looks. What was truncated stays truncated, whatever comes late.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import define, evolve, field

from realtime_actors.core.heard_words import heard_words
from realtime_actors.items import (
    ContentPart,
    InputAudio,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)

__all__ = ["Conversation", "Stream", "words_of"]

Stream: TypeAlias = Literal["input", "audio", "text"]
"""Whose words are streaming: the user's transcript, the model's transcript, its text."""

_EMPTY: Mapping[Stream, ContentPart] = {
    "input": InputAudio(),
    "audio": OutputAudio(),
    "text": OutputText(text=""),
}


@define
class _Words:
    """Words of one content part, still growing."""

    stream: Stream
    pieces: list[str] = field(factory=list)

    def text(self) -> str:
        if len(self.pieces) > 1:
            self.pieces[:] = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""


@define
class _Entry:
    item: Item | None  # None: its place is reserved, it has not come yet
    previous_id: str | None
    words: dict[int, _Words] = field(factory=dict)
    heard: dict[int, tuple[int, int]] = field(factory=dict)  # index: (heard, received) ms

    def is_cut(self, content_index: int) -> bool:
        """What was cut stays as it was: words that come later were not heard."""
        return content_index in self.heard and content_index in self.words

    def settle_words(self, item: Item) -> None:
        """The server's version of an item wins, but not with less than we know."""
        if isinstance(item, MessageItem):
            for index, part in enumerate(item.content):
                final = words_of(part)
                if final and index in self.words and not self.is_cut(index):
                    self.words[index].pieces[:] = [final]

    def render(self) -> Item | None:
        item = self.item
        if not isinstance(item, MessageItem) or not (self.words or self.heard):
            return item
        content = list(item.content)
        for index, words in sorted(self.words.items()):
            if index == len(content):
                content.append(_EMPTY[words.stream])
            if index < len(content):
                content[index] = _with_words(content[index], words)
        for index, (heard_ms, received_ms) in self.heard.items():
            if index < len(content):
                content[index] = _cut(content[index], heard_ms, received_ms)
        return evolve(item, content=tuple(content))


@define
class Conversation:
    """The items, in conversation order."""

    _entries: dict[str, _Entry] = field(factory=dict)
    _order: list[str] = field(factory=list)
    _unnamed: int = 0

    def items(self) -> tuple[Item, ...]:
        """All items, in order, with what is known of their words."""
        rendered = (self._entries[item_id].render() for item_id in self._order)
        return tuple(item for item in rendered if item is not None)

    def get(self, item_id: str) -> Item | None:
        """One item, or None when it is not (or no longer) in the conversation."""
        entry = self._entries.get(item_id)
        return entry.render() if entry else None

    def __contains__(self, item_id: str) -> bool:
        return self.get(item_id) is not None

    def reserve(self, item_id: str, previous_id: str | None) -> None:
        """Keep a place for an item that the server has announced."""
        if item_id not in self._entries:
            self._insert(item_id, _Entry(None, previous_id), first=False)

    def put(
        self, item: Item, previous_id: str | None = None, *, first: bool = False
    ) -> Literal["added", "updated"]:
        """Add an item after `previous_id`, or replace what we have of it.

        `first` puts it before all others; with neither, it goes to the end.
        """
        item_id = item.id
        if item_id is None:
            # Nothing can refer to it, but it was said. Ours to name, locally.
            self._unnamed += 1
            item_id = f"unnamed_{self._unnamed}"
        entry = self._entries.get(item_id)
        if entry is None:
            self._insert(item_id, _Entry(item, previous_id), first=first)
            return "added"
        known, entry.item = entry.item, item
        entry.settle_words(item)
        if previous_id is not None and entry.previous_id is None:
            entry.previous_id = previous_id
            self._follow(item_id)
        return "updated" if known is not None else "added"

    def grow(self, item_id: str, content_index: int, stream: Stream, delta: str) -> None:
        """Append words to a part."""
        entry = self._entries.get(item_id)
        if entry is not None and not entry.is_cut(content_index):
            entry.words.setdefault(content_index, _Words(stream)).pieces.append(delta)

    def settle(self, item_id: str, content_index: int, stream: Stream, words: str) -> bool:
        """Set all words of a part. Gives whether that changed the item."""
        entry = self._entries.get(item_id)
        if entry is None or entry.is_cut(content_index):
            return False
        before = entry.render()
        entry.words[content_index] = _Words(stream, [words])
        return entry.render() != before

    def words(self, item_id: str, content_index: int) -> str:
        """The words of a part so far."""
        entry = self._entries.get(item_id)
        words = entry.words.get(content_index) if entry else None
        return words.text() if words else ""

    def truncate(
        self, item_id: str, content_index: int, *, heard_ms: int, received_ms: int
    ) -> bool:
        """Keep of a part only what was heard. Gives whether the item is known."""
        entry = self._entries.get(item_id)
        if entry is None or entry.item is None:
            return False
        entry.heard[content_index] = (heard_ms, max(heard_ms, received_ms))
        return True

    def is_truncated(self, item_id: str, content_index: int) -> bool:
        entry = self._entries.get(item_id)
        return entry is not None and content_index in entry.heard

    def delete(self, item_id: str) -> bool:
        """Forget an item, but not its place. Gives whether it was known.

        What the server puts behind it before it knows of the deletion is still to come.
        """
        entry = self._entries.get(item_id)
        if entry is None:
            return False
        self._entries[item_id] = _Entry(None, entry.previous_id)
        return entry.item is not None

    def _insert(self, item_id: str, entry: _Entry, *, first: bool) -> None:
        self._entries[item_id] = entry
        self._order.insert(0 if first else len(self._order), item_id)
        self._follow(item_id)
        for other in tuple(self._order):
            if self._entries[other].previous_id == item_id:
                self._follow(other)  # it came before the one that it follows

    def _follow(self, item_id: str) -> None:
        """Move an item, and the chain of those that follow it, behind the one it follows."""
        order, entries = self._order, self._entries
        previous_id = entries[item_id].previous_id
        start = order.index(item_id)
        end = start + 1
        while end < len(order) and entries[order[end]].previous_id == order[end - 1]:
            end += 1
        chain = order[start:end]
        if previous_id not in entries or previous_id in chain:
            return  # it has not come yet; or the server goes round in circles
        del order[start:end]
        at = order.index(previous_id) + 1
        order[at:at] = chain


def words_of(part: ContentPart) -> str | None:
    """The transcript or text of a part. None for what has none."""
    match part:
        case InputAudio(transcript=words) | OutputAudio(transcript=words) | OutputText(text=words):
            return words
        case _:
            return None


def _with_words(part: ContentPart, words: _Words) -> ContentPart:
    match part:
        case InputAudio() | OutputAudio():
            return evolve(part, transcript=words.text())
        case OutputText():
            return evolve(part, text=words.text())
        case _:
            return part


def _cut(part: ContentPart, heard_ms: int, received_ms: int) -> ContentPart:
    if not isinstance(part, OutputAudio):
        return part
    words = heard_words(part.transcript or "", heard_ms, received_ms)
    return evolve(part, transcript=words, audio=None, truncated_at_ms=heard_ms)
