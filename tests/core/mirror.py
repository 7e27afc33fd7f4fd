"""What always holds for those who show the conversation, and follow the events about it."""

from __future__ import annotations

from collections import deque

from attrs import define, field

from realtime_actors import events
from realtime_actors.core.effects import Effects, Publish
from realtime_actors.items import Item
from realtime_actors.snapshot import Snapshot

__all__ = ["Mirror"]

KEPT = 8
"""How many of the last histories are looked at again."""


@define
class Mirror:
    """A list of items, changed by what events tell of them and where they stand."""

    ids: list[str] = field(factory=list)
    has_all_ids: bool = True
    """Every item so far has an id: else nobody can say what follows what."""
    seen: deque[tuple[Snapshot[Item], tuple[Item, ...]]] = field(factory=lambda: deque(maxlen=KEPT))
    """What was told, and how it was then."""

    def step(self, effects: Effects) -> None:
        """Check one message's effects."""
        told: Snapshot[Item] | None = None
        for effect in effects:
            match effect:
                case Publish(event=events.HistoryAddedEvent(item=item, previous_item_id=before)):
                    told = None
                    if item.id is None:
                        self.has_all_ids = False
                    else:
                        assert item.id not in self.ids, f"added twice: {item.id}"
                        self._put(item.id, before)
                case Publish(event=events.HistoryUpdatedEvent() as event):
                    assert isinstance(event.history, Snapshot)
                    told = event.history
                    self._update(event)
        if told is not None and self.has_all_ids:
            assert self.ids == [item.id for item in told], "not as the events tell"
        for snapshot, as_told in self.seen:
            assert tuple(snapshot) == as_told, "what was told is something else now"

    def _update(self, event: events.HistoryUpdatedEvent) -> None:
        assert isinstance(event.history, Snapshot)
        self.seen.append((event.history, tuple(event.history)))
        if event.item_id in self.ids:
            self.ids.remove(event.item_id)
        if event.change == "deleted":
            assert event.item is None
            return
        assert event.item in event.history
        self._put(event.item_id, event.previous_item_id)

    def _put(self, item_id: str, before: str | None) -> None:
        if self.has_all_ids:
            self.ids.insert(0 if before is None else self.ids.index(before) + 1, item_id)
