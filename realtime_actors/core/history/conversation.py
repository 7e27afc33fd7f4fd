"""The conversation as the server has it, in its order.

Items are ordered by `previous_item_id`, not by arrival: an item whose predecessor is
not known yet is put at the end, and moved when the predecessor comes. Transcripts and
text are collected as they stream in, and merged into the (frozen) items (see `Entry`).
Words and cuts that come before their item wait for it.

What a change costs does not depend on how long the conversation is: see `Order`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from attrs import define, field

from realtime_actors.core.history.entry import Entry, Stream, words_of
from realtime_actors.core.history.order import Order
from realtime_actors.core.recent import LATELY
from realtime_actors.items import Item
from realtime_actors.snapshot import Snapshot

__all__ = ["Conversation", "Stream", "words_of"]


@define
class Conversation:
    """The items, in conversation order."""

    _entries: dict[str, Entry] = field(factory=dict)
    _order: Order[Item] = field(factory=Order)
    _waiting: dict[str, dict[str, None]] = field(factory=dict)
    """Items that have come before the one that they follow, by the id of that one."""
    _absent: dict[str, None] = field(factory=dict)
    """Those that are not there (yet, or any more), but their places. No more than `LATELY`."""
    _moved: dict[str, None] = field(factory=dict)
    _unnamed: int = 0

    def items(self) -> Snapshot[Item]:
        """Return all items, in order, with what is known of their words."""
        return self._order.snapshot()

    def take_news(self) -> list[Item]:
        """Return what `items` has given that is new, or has changed, since this was asked last."""
        return self._order.take_news()

    @property
    def moved(self) -> Iterable[str]:
        """Those of them that are not taken yet."""
        return self._moved

    def take_moved(self) -> list[str]:
        """Return the items that have changed their places since this was asked last, in order."""
        moved = sorted(self._moved, key=lambda item_id: self._order.path(self._entries[item_id]))
        self._moved.clear()
        return moved

    def told_place(self, item_id: str) -> str | None:
        """Return the `previous_id` that the subscribers are told.

        If they know where that one stands now, they need not be told that the item has moved.
        """
        previous_id = self.previous_id(item_id)
        if previous_id in self._moved:
            self._moved[item_id] = None
        else:
            self._moved.pop(item_id, None)
        return previous_id

    def previous_id(self, item_id: str) -> str | None:
        """Return the id of the item right before one. None: it is the first."""
        place = self._order.previous(self._entries[item_id])
        while isinstance(place, Entry) and place.item is None:
            place = self._order.previous(place)
        return place.item.id if isinstance(place, Entry) and place.item else None

    def get(self, item_id: str) -> Item | None:
        """Return one item, or None when it is not (or no longer) in the conversation."""
        entry = self._entries.get(item_id)
        return entry.render() if entry else None

    def entry(self, item_id: str | None) -> Entry | None:
        """Return all that is known of an item. None: nothing is."""
        return None if item_id is None else self._entries.get(item_id)

    def __contains__(self, item_id: str) -> bool:
        entry = self._entries.get(item_id)
        return entry is not None and entry.item is not None

    def reserve(self, item_id: str, previous_id: str | None) -> None:
        """Keep a place for an item that the server has announced."""
        entry = self._entries.get(item_id)
        if entry is None:
            self._insert(Entry(item_id, previous_id), first=False)
        else:
            self._place(entry, previous_id)

    def put(
        self,
        item: Item,
        previous_id: str | None = None,
        *,
        first: bool = False,
        is_done: bool = False,
    ) -> Literal["added", "updated"]:
        """Add an item after `previous_id`, or replace what we have of it.

        `first` puts it before all others; with neither, it goes to the end. `is_done`: it is
        finished, whatever its status.
        """
        item_id = item.id
        if item_id is None:
            # Nothing can refer to it, but it was said. Ours to name, locally.
            self._unnamed += 1
            item_id = f"unnamed_{self._unnamed}"
        entry = self._entries.get(item_id)
        if entry is None:
            entry = Entry(item_id, previous_id)
            entry.take(item, is_done=is_done)
            self._insert(entry, first=first)
            return "added"
        is_new = entry.item is None
        entry.take(item, is_done=is_done)
        self._absent.pop(item_id, None)
        self._place(entry, previous_id)
        return "added" if is_new else "updated"

    def grow(self, item_id: str, content_index: int, stream: Stream, delta: str) -> str:
        """Append words to a part. Return what is new at its end, which may be nothing."""
        return self._entry(item_id).grow(content_index, stream, delta)

    def tell(
        self, item_id: str, content_index: int, stream: Stream, words: str, *, is_whole: bool
    ) -> bool:
        """Take the words of a part, up to here or all. Return whether that changed the item."""
        return self._entry(item_id).tell(content_index, stream, words, is_whole=is_whole)

    def finish(self, item_id: str, status: str) -> bool:
        """End an item that is in progress. Return whether there is one."""
        entry = self._entries.get(item_id)
        return entry is not None and entry.finish(status)

    def speech_index(self, item_id: str, content_index: int) -> int:
        """Return which part the user's words are of; servers count it in their own ways."""
        entry = self._entries.get(item_id)
        return entry.speech_index(content_index) if entry else 0

    def words(self, item_id: str, content_index: int) -> str:
        """Return the model's words of a part so far, heard or not."""
        entry = self._entries.get(item_id)
        return entry.text(content_index) if entry else ""

    def said(self, item_id: str, content_index: int) -> str:
        """Return the user's words of a part so far."""
        entry = self._entries.get(item_id)
        return entry.said(content_index) if entry else ""

    def heard(self, item_id: str, content_index: int) -> str:
        """Return the words of a part that were heard."""
        entry = self._entries.get(item_id)
        return entry.heard(content_index) if entry else ""

    def not_transcribed(self, item_id: str) -> bool:
        """Note that the user's words will not be known. Return whether that changed the item."""
        return self._entry(item_id).not_transcribed()

    def truncate(
        self, item_id: str, content_index: int, *, heard_ms: int, received_ms: int
    ) -> bool:
        """Keep of a part only what was heard. Return whether the item is known.

        If it is not, it is cut when it comes.
        """
        entry = self._entry(item_id)
        entry.cut(content_index, heard_ms, received_ms)
        return entry.item is not None

    def lengthen(self, item_id: str, content_index: int, received_ms: int) -> None:
        """Note that more of a part has come, which was not heard any more."""
        entry = self._entries.get(item_id)
        if entry is not None:
            entry.lengthen(content_index, received_ms)

    def is_truncated(self, item_id: str, content_index: int) -> bool:
        """Return whether the part was cut."""
        entry = self._entries.get(item_id)
        return entry is not None and content_index in entry.cuts

    def delete(self, item_id: str) -> bool:
        """Forget an item, but not its place. Return whether it was known.

        What the server puts behind it before it knows of the deletion is still to come.
        """
        entry = self._entries.get(item_id)
        if entry is None:
            return False
        was_known = entry.item is not None
        entry.clear()
        self._keep_place(item_id)
        return was_known

    def _entry(self, item_id: str) -> Entry:
        """Return what is known of an item, which need not have come yet."""
        if item_id not in self._entries:
            self._insert(Entry(item_id), first=False)
        return self._entries[item_id]

    def _keep_place(self, item_id: str) -> None:
        """Remember the place of an item that is not there, and forget the oldest such place."""
        self._moved.pop(item_id, None)
        self._absent.pop(item_id, None)
        self._absent[item_id] = None
        if len(self._absent) > LATELY:
            oldest = self._entries.pop(next(iter(self._absent)))
            del self._absent[oldest.item_id]
            self._waiting.pop(oldest.item_id, None)
            self._wait_no_longer(oldest)
            self._order.remove(oldest)

    def _place(self, entry: Entry, previous_id: str | None) -> None:
        if previous_id is not None and entry.previous_id is None:
            entry.previous_id = previous_id
            self._follow(entry)

    def _insert(self, entry: Entry, *, first: bool) -> None:
        item_id = entry.item_id
        self._entries[item_id] = entry
        if first:
            self._order.prepend(entry)
        else:
            self._order.append(entry)
        if entry.item is None:
            self._keep_place(item_id)
        self._follow(entry)
        for other in self._waiting.pop(item_id, ()):
            self._follow(self._entries[other])  # it came before the one that it follows

    def _follow(self, entry: Entry) -> None:
        """Move an item, and the chain of those that follow it, behind the one it follows."""
        order, previous_id = self._order, entry.previous_id
        if previous_id is None:
            return
        previous = self._entries.get(previous_id)
        if previous is None:  # it has not come yet
            self._waiting.setdefault(previous_id, {})[entry.item_id] = None
            return
        if order.next(previous) is entry:
            return
        chain = [entry]
        while isinstance(behind := order.next(chain[-1]), Entry):
            if behind.previous_id != chain[-1].item_id:
                break
            chain.append(behind)
        if previous in chain:
            return  # the server goes round in circles
        for each in chain:
            order.remove(each)
            order.put_behind(previous, each)
            if each.item is not None:
                self._moved[each.item_id] = None
            previous = each

    def _wait_no_longer(self, entry: Entry) -> None:
        waiting = self._waiting.get(entry.previous_id or "")
        if waiting is not None:
            waiting.pop(entry.item_id, None)
            if not waiting:
                del self._waiting[entry.previous_id or ""]
