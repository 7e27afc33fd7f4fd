"""A conversation as its journal tells it: what all facts together say.

facts --take--> KeptState --restored--> what a machine begins with
                    |------facts------> as few facts as possible that say the same
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from attrs import define, evolve, field

from realtime_actors.config import SessionModelSettings
from realtime_actors.core.journaling.chain import Chain
from realtime_actors.core.journaling.facts import (
    AgentChanged,
    Began,
    CallApproved,
    CallEnded,
    CallMade,
    Ended,
    Fact,
    ItemGone,
    ItemKept,
    Owed,
    SettingsChanged,
    ToolDecided,
    UsageCounted,
)
from realtime_actors.items import Item
from realtime_actors.usage import NOTHING_USED, SessionUsage

__all__ = ["KeptState"]


@define
class KeptState:
    """All that is to be known of a conversation to go on with it."""

    began: Began | None = None
    """The last life that has begun. None: there is no conversation."""
    agent: str | None = None
    """The name of the agent that speaks."""
    settings: SessionModelSettings = field(factory=SessionModelSettings)
    usage: SessionUsage = NOTHING_USED
    owes_response: bool = False
    ended: Ended | None = None
    decided: dict[tuple[str, str | None], ToolDecided] = field(factory=dict)
    calls: dict[str, CallMade] = field(factory=dict)
    """Those without an outcome, oldest first."""
    approved: set[str] = field(factory=set)
    _items: dict[str, Item] = field(factory=dict)
    _order: Chain = field(factory=Chain)
    _unnamed: int = 0

    def take(self, fact: Fact) -> None:
        """Take what has happened next."""
        match fact:
            case Began():
                self.began, self.ended = fact, None
                self.agent = self.agent or fact.agent
            case ItemKept(item=item, after=after):
                self._keep(item, after)
            case ItemGone(item_id=item_id):
                self._items.pop(item_id, None)
                self._order.remove(item_id)
            case CallMade(call_id=call_id):
                self.calls[call_id] = fact
            case CallApproved(call_id=call_id):
                self.approved.add(call_id)
            case CallEnded(call_id=call_id):
                self.approved.discard(call_id)
                self.calls.pop(call_id, None)
            case ToolDecided(name=name, server_label=label):
                self.decided[name, label] = fact
            case AgentChanged(name=name):
                self.agent = name
            case SettingsChanged(settings=settings):
                self.settings = settings
            case UsageCounted(usage=usage):
                self.usage = usage
            case Owed(is_owed=is_owed):
                self.owes_response = is_owed
            case Ended():
                self.ended = fact
            case _:
                assert_never(fact)

    def facts(self) -> Iterator[Fact]:
        """Give what makes the same state, from nothing."""
        if self.began is None:
            return
        yield self.began
        if self.agent is not None:
            yield AgentChanged(self.agent)
        yield SettingsChanged(self.settings)
        yield UsageCounted(self.usage)
        yield from self.decided.values()
        before: str | None = None
        for name in self._order:
            yield ItemKept(item=self._items[name], after=before)
            before = name
        yield from self.calls.values()
        for call_id in sorted(self.approved):
            yield CallApproved(call_id)
        yield Owed(self.owes_response)
        if self.ended is not None:
            yield self.ended

    @property
    def items(self) -> tuple[Item, ...]:
        """The items in their order, as they were kept."""
        return tuple(self._items[name] for name in self._order)

    def get(self, item_id: str | None) -> Item | None:
        """One item, if it is there."""
        return None if item_id is None else self._items.get(item_id)

    def place(self, item_id: str) -> str | None:
        """The id of the item right before one that is there. None: it is the first."""
        return self._order.before(item_id)

    @property
    def last_id(self) -> str | None:
        """The id of the last item. None: there is none."""
        return self._order.last

    def _keep(self, item: Item, after: str | None) -> None:
        name = item.id
        while name is None or (item.id is None and name in self._items):
            self._unnamed += 1
            name = f"item_unnamed_{self._unnamed}"
        self._items[name] = item if item.id else evolve(item, id=name)
        self._order.put(name, after)
