"""The conversation's items in order, and telling the client about them."""

from __future__ import annotations

from attrs import Factory, define, evolve, field

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.items import ContentPart, InputAudio, Item, MessageItem, OutputAudio
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemCreated,
    ConversationItemDone,
)
from realtime_actors.server.input_buffer import bytes_per_ms
from realtime_actors.server.outbox import Outbox

__all__ = ["ROOT", "Entry", "ItemChain", "without_audio"]

ROOT = "root"
"""The `previous_item_id` of what is to be the first item."""


def without_audio(item: Item) -> Item:
    """Return the item as events carry it: with transcripts, without sound."""
    if not isinstance(item, MessageItem):
        return item
    content = tuple(
        evolve(part, audio=None)
        if isinstance(part, InputAudio | OutputAudio) and part.audio is not None
        else part
        for part in item.content
    )
    return evolve(item, content=content)


@define
class Entry:
    """An item of the conversation, and what of it can be heard."""

    item: Item
    audio_format: str
    speech: list[bytes] = Factory(list)
    """The model's speech, piece by piece. The caller's is in the item itself."""
    cut_at_ms: int | None = None
    """Where the client truncated the model's speech: nothing is added behind it."""
    spoken_text: str = field(default="", repr=False)
    """The words up to there, about. The item itself has lost its transcript."""
    heard_text: str = field(default="", repr=False)
    """What the caller said, also when the client doesn't want to know."""

    @property
    def speech_ms(self) -> float:
        """How long the model's speech lasts."""
        return calculate_audio_length_ms(sum(map(len, self.speech)), self.audio_format)

    @property
    def input_audio_ms(self) -> float:
        """How long the caller's speech lasts."""
        return sum(
            calculate_audio_length_ms(part.audio, self.audio_format)
            for part in _parts(self.item)
            if isinstance(part, InputAudio) and part.audio
        )

    @property
    def audio_index(self) -> int:
        """Which part the caller's speech is."""
        kinds = [isinstance(part, InputAudio) for part in _parts(self.item)]
        return kinds.index(True) if True in kinds else 0

    @property
    def unheard_audio(self) -> bytes | None:
        """The caller's speech, when there is some without words to it."""
        pieces = [
            part.audio
            for part in _parts(self.item)
            if isinstance(part, InputAudio) and part.audio is not None and part.transcript is None
        ]
        return b"".join(pieces) if pieces else None

    def show_transcript(self, text: str) -> None:
        """Write the words of the caller's speech into the item."""
        self.item = _with_words(self.item, text)

    def with_audio(self) -> Item:
        """Return the item with everything there is to hear."""
        if not isinstance(self.item, MessageItem) or not self.speech:
            return self.item
        speech = b"".join(self.speech)
        content = tuple(
            evolve(part, audio=speech) if isinstance(part, OutputAudio) else part
            for part in self.item.content
        )
        return evolve(self.item, content=content)

    def for_brain(self) -> Item:
        """Return the item as a brain wants it: words only, and only those that were heard."""
        item = _with_words(without_audio(self.item), self.heard_text)
        if self.cut_at_ms is None or not isinstance(item, MessageItem):
            return item
        content = tuple(
            evolve(part, transcript=self.spoken_text) if isinstance(part, OutputAudio) else part
            for part in item.content
        )
        return evolve(item, content=content)

    def cut(self, end_ms: int, words_so_far: str = "") -> None:
        """Drop the model's speech after `end_ms`, and its transcript.

        `words_so_far`: what was said of an item that is still being said.
        """
        words, before_ms = words_so_far or self.spoken_text, self.speech_ms
        content: list[ContentPart] = []
        for part in _parts(self.item):
            if isinstance(part, OutputAudio):
                words = part.transcript or words
                part = evolve(part, transcript=None)
            content.append(part)
        if isinstance(self.item, MessageItem):
            self.item = evolve(self.item, content=tuple(content))
        offset = end_ms * bytes_per_ms(self.audio_format)
        self.speech = [b"".join(self.speech)[:offset]]
        self.spoken_text = _beginning(words, end_ms / before_ms if before_ms else 0.0)
        self.cut_at_ms = end_ms


def _beginning(words: str, share: float) -> str:
    """Return the first words of a text, about that share of it."""
    end = round(len(words) * share)
    return words if end >= len(words) else words[: words.rfind(" ", 0, end + 1) + 1].rstrip()


def _parts(item: Item) -> tuple[ContentPart, ...]:
    return item.content if isinstance(item, MessageItem) else ()


def _with_words(item: Item, text: str) -> Item:
    """Return the item with these words in its first input audio that has none."""
    if not isinstance(item, MessageItem):
        return item
    parts = list(item.content)
    for index, part in enumerate(parts):
        if isinstance(part, InputAudio) and part.transcript is None:
            parts[index] = evolve(part, transcript=text)
            break
    return evolve(item, content=tuple(parts))


class ItemChain:
    """Keeps the items by id and in order. Every item has an id here."""

    def __init__(self, out: Outbox, *, beta: bool) -> None:
        self._out = out
        self._beta = beta
        self._entries: dict[str, Entry] = {}
        self._order: list[str] = []

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._entries

    def __len__(self) -> int:
        return len(self._order)

    @property
    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._order[-1] if self._order else None

    def get(self, item_id: str) -> Entry | None:
        """Return the entry of an item."""
        return self._entries.get(item_id)

    def items(self) -> list[tuple[str, Entry]]:
        """Return all items with their ids, in order."""
        return [(each, self._entries[each]) for each in self._order]

    def previous_id(self, item_id: str) -> str | None:
        """Return the id of the item before, None for the first."""
        index = self._order.index(item_id)
        return self._order[index - 1] if index else None

    def add(self, item_id: str, entry: Entry, *, after: str | None = None) -> None:
        """Put an item behind `after` (`ROOT`: first, None: last), and say so."""
        if after is None:
            index = len(self._order)
        else:
            index = 0 if after == ROOT else self._order.index(after) + 1
        self._order.insert(index, item_id)
        self._entries[item_id] = entry
        announcement = ConversationItemCreated if self._beta else ConversationItemAdded
        self._out.emit(
            announcement(item=without_audio(entry.item), previous_item_id=self.previous_id(item_id))
        )

    def done(self, item_id: str) -> None:
        """Say that an item is final. Says nothing of one that was deleted meanwhile."""
        entry = self._entries.get(item_id)
        if entry is None or self._beta:
            return
        self._out.emit(
            ConversationItemDone(
                item=without_audio(entry.item), previous_item_id=self.previous_id(item_id)
            )
        )

    def remove(self, item_id: str) -> None:
        """Take an item out."""
        del self._entries[item_id]
        self._order.remove(item_id)
