"""Items that have other names at the server than with us.

A connection is told items by the ids that the program knows. A server may give them ids of its
own: then its names are put in the place of ours in what is sent, and ours in the place of its names
in what comes. So the ids of the program stay valid, whatever connection it is.

    told by our id --shown by it--> the same name on both sides
          |--------shown by another--> translated, both ways

A server's item is one of ours if it says the same. If it says something else, it counts as the
first one that is still to be shown, if it is of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import define, evolve, field

from realtime_actors import protocol as wire
from realtime_actors.core.effects import Effects, Send
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    Item,
    ItemReference,
    MessageItem,
    OutputText,
)

__all__ = ["ItemIds"]

E = TypeVar("E")

Key: TypeAlias = tuple[object, ...]

_SHOWS = (wire.ConversationItemAdded, wire.ConversationItemCreated, wire.ConversationItemDone)


@define
class ItemIds:
    """The names of one connection."""

    _expected: dict[str, Item] = field(factory=dict)  # told, and not shown yet
    _ours: dict[str, str] = field(factory=dict)  # by the server's
    _theirs: dict[str, str] = field(factory=dict)  # by ours
    _seen: set[str] = field(factory=set)  # by the server's names, while something is expected
    _behind: dict[str, str] = field(factory=dict)  # what only we have, by the item before it

    @property
    def is_needed(self) -> bool:
        """Whether anything may have to be translated."""
        return bool(self._expected or self._ours or self._behind)

    @property
    def is_translating(self) -> bool:
        """Whether the server has names of its own for items that we know by others."""
        return bool(self._theirs)

    def translated(self, effects: Effects) -> Effects:
        """Return what is done, with what is sent by the server's names."""
        return [
            Send(self.outgoing(effect.event)) if type(effect) is Send else effect
            for effect in effects
        ]

    def told(self, items: Iterable[Item], history: Iterable[Item]) -> None:
        """Another connection was told these items, in this order; `history` is what we have.

        What follows one of them there follows it here as well, but behind what only we have.
        """
        self._ours.clear()
        self._theirs.clear()
        self._seen.clear()
        self._expected = {item.id: item for item in items if item.id is not None}
        self._behind, told = {}, None
        for item in history:
            if item.id in self._expected:
                told = item.id
            elif told is not None and item.id is not None:
                self._behind[told] = item.id

    def incoming(self, event: wire.ServerEvent) -> wire.ServerEvent:
        """Return an event of the server by our names."""
        if isinstance(event, _SHOWS):
            self._shown(event.item)
        changes: dict[str, object] = {}
        item = getattr(event, "item", None)
        if item is not None and item.id in self._ours:
            changes["item"] = evolve(item, id=self._ours[item.id])
        for name in ("item_id", "previous_item_id"):
            given = getattr(event, name, None)
            ours = self._ours.get(given, given) if given is not None else None
            if name == "previous_item_id" and ours is not None:
                ours = self._behind.get(ours, ours)
            if ours != given:
                changes[name] = ours
        return _changed(event, changes)

    def outgoing(self, event: wire.ClientEvent) -> wire.ClientEvent:
        """Return an event for the server by its names."""
        if not self._theirs:
            return event
        if isinstance(event, wire.RawClientEvent):
            return evolve(event, payload=self._raw(event.payload))
        changes: dict[str, object] = {}
        for name in ("item_id", "previous_item_id"):
            given = getattr(event, name, None)
            if given in self._theirs:
                changes[name] = self._theirs[given]
        if isinstance(event, wire.ResponseCreate) and event.response is not None:
            changes["response"] = _changed(event.response, self._input_of(event.response.input))
        return _changed(event, changes)

    def _input_of(self, given: object) -> dict[str, object]:
        if not isinstance(given, list | tuple):
            return {}
        return {"input": tuple(self._reference(each) for each in given)}

    def _reference(self, item: object) -> object:
        match item:
            case ItemReference(id=str(item_id)) if item_id in self._theirs:
                return evolve(item, id=self._theirs[item_id])
            case {"type": "item_reference", "id": str(item_id)} if item_id in self._theirs:
                assert isinstance(item, Mapping)
                return {**item, "id": self._theirs[item_id]}
            case _:
                return item

    def _raw(self, payload: Mapping[str, object]) -> Mapping[str, object]:
        given = {name: payload.get(name) for name in ("item_id", "previous_item_id")}
        changes = {
            name: self._theirs[each]
            for name, each in given.items()
            if isinstance(each, str) and each in self._theirs
        }
        return {**payload, **changes}

    def _shown(self, item: Item) -> None:
        """The server shows an item: learn its name if it is one of those that it was told."""
        if item.id is None or item.id in self._seen or not self._expected:
            return
        self._seen.add(item.id)
        if self._expected.pop(item.id, None) is not None:
            return
        ours = self._told_as(item)
        if ours is not None:
            del self._expected[ours]
            self._ours[item.id], self._theirs[ours] = ours, item.id

    def _told_as(self, item: Item) -> str | None:
        if item.status == "in_progress":
            return None  # the model is making it
        key = _key(item)
        same = (item_id for item_id, told in self._expected.items() if _key(told) == key)
        found = next(same, None)
        first = next(iter(self._expected))
        if found is None and _kind(item) == _kind(self._expected[first]):
            found = first
        return found


def _kind(item: Item) -> Key:
    match item:
        case MessageItem(role=role, content=content):
            is_speech = any(isinstance(part, InputAudio) for part in content)
            return item.type, role, is_speech
        case FunctionCallItem(call_id=call_id) | FunctionCallOutputItem(call_id=call_id):
            return item.type, call_id
        case _:
            return (item.type, item.id)


def _key(item: Item) -> Key:
    if not isinstance(item, MessageItem):
        return _kind(item)
    texts = (part.text for part in item.content if isinstance(part, InputText | OutputText))
    return *_kind(item), *texts


def _changed(thing: E, changes: Mapping[str, Any]) -> E:
    if not changes:
        return thing
    changed: E = evolve(thing, **changes)  # type: ignore[misc]  # each of these is an attrs class
    return changed
