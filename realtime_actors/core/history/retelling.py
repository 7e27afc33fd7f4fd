"""The conversation so far, as a client may tell it to a server that has not heard it.

Speech is told in its words: nobody but a server makes items of the model's speech, and of
the user's we keep no sound. Calls that a server has made by itself are told as a text. What has no
words, and what else only servers make, is left out. So are the oldest turns of a conversation that
is longer than its model can hold: whole turns, and never what an open call belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Literal, TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors.core.connection.tokens import tokens_of
from realtime_actors.core.tools.tool_calls import Call
from realtime_actors.events import LeftOut
from realtime_actors.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpCallItem,
    MessageItem,
    OutputAudio,
    OutputText,
)

__all__ = ["Retelling", "in_words", "retell", "told_in_words"]

Why: TypeAlias = Literal["no_transcript", "over_context", "made_by_servers", "broken_off"]


@frozen
class Retelling:
    """What a server is told, and what it can't be told."""

    items: tuple[Item, ...]
    """To be created, in order. Each has an id."""
    left_out: tuple[LeftOut, ...]


def retell(
    items: Sequence[Item],
    open_calls: Sequence[Call],
    new_id: Callable[[], str],
    room: int | None = None,
) -> Retelling:
    """Return what to tell of a conversation, each item with the id that it has (or a new one).

    Every open call is among it, by our id of it, since its output follows. Of a call that was
    broken off, which nobody has answered or will, nothing is told. `room` is how many tokens there
    may be, as `tokens_of` counts them; None: any number.
    """
    story = _Story(new_id=new_id, open_calls=open_calls)
    story.tell(items)
    if room is not None:
        story.shorten(room)
    order = {item.id: place for place, item in enumerate(items)}
    left_out = sorted(story.left_out, key=lambda each: order.get(each.item_id, len(order)))
    return Retelling(tuple(story.told), tuple(left_out))


def in_words(part: ContentPart) -> ContentPart | None:
    """Return a part as a client may tell it. None for what has no words, or is unknown."""
    match part:
        case InputAudio(transcript=str(words)) if words:
            return InputText(words)
        case OutputAudio(transcript=str(words)) if words:
            return OutputText(words)
        case InputText(text=words) | OutputText(text=words) if words:
            return part
        case InputImage():
            return part
        case _:
            return None


def told_in_words(item: Item) -> Item | None:
    """Return a message as a client may tell it, with its id. None if it has no words."""
    told = _message(item) if isinstance(item, MessageItem) else None
    return None if told is None else evolve(told, status=None, extra={})


@define
class _Story:
    new_id: Callable[[], str]
    open_calls: Sequence[Call]
    told: list[Item] = field(factory=list)
    left_out: list[LeftOut] = field(factory=list)

    def tell(self, items: Sequence[Item]) -> None:
        ids = {item.id for item in items}
        by_item = {call.item_id: call for call in self.open_calls if call.item_id in ids}
        by_id = {call.server_id: call for call in self.open_calls if call.item_id not in ids}
        answered = {item.call_id for item in items if isinstance(item, FunctionCallOutputItem)}
        called: set[str | None] = set()
        for item in items:
            match item:
                case MessageItem():
                    told = _message(item)
                    if told is None:
                        self._leave_out(item, "no_transcript")
                    else:
                        self._add(told)
                case FunctionCallItem(call_id=call_id):
                    call = by_item.get(item.id) or by_id.get(call_id or "")
                    if call is not None:  # the item may be of the time before its arguments came
                        call_id = call.call_id
                        item = evolve(item, call_id=call_id, arguments=call.arguments)
                    elif call_id not in answered:
                        self._leave_out(item, "broken_off")
                        continue
                    called.add(call_id)
                    self._add(item)
                case FunctionCallOutputItem(call_id=call_id):
                    if call_id in called:
                        self._add(item)
                    else:
                        self._leave_out(item, "broken_off")
                case McpCallItem():
                    self._add(_hosted_call(item))
                case _:
                    self._leave_out(item, "made_by_servers")
        for call in self.open_calls:
            if call.call_id not in called:  # a server that makes no items of calls
                self.told.append(
                    FunctionCallItem(
                        id=self.new_id(),
                        call_id=call.call_id,
                        name=call.name,
                        arguments=call.arguments,
                    )
                )

    def shorten(self, room: int) -> None:
        """Leave out the oldest turns, until the rest has room. The last one always stays."""
        turns = list(_turns(self.told))
        left, needed = sum(map(tokens_of, self.told)), {call.call_id for call in self.open_calls}
        kept: list[Item] = []
        for turn in turns:
            if left <= room or turn is turns[-1] or any(_call_id(item) in needed for item in turn):
                kept += turn
                continue
            # What the program has told the model before the user's first word is no turn.
            stays = [] if any(map(_is_users, turn)) else [*filter(_is_systems, turn)]
            left -= sum(tokens_of(item) for item in turn if item not in stays)
            kept += stays
        kept = [*_whole_pairs(kept, needed)]
        ids = {item.id for item in kept}
        self.left_out += [
            LeftOut(item.id, "over_context") for item in self.told if item.id not in ids
        ]
        self.told = kept

    def _add(self, item: Item) -> None:
        self.told.append(evolve(item, id=item.id or self.new_id(), status=None, extra={}))

    def _leave_out(self, item: Item, why: Why) -> None:
        self.left_out.append(LeftOut(item.id, why))


def _turns(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Cut a conversation before each message of the user."""
    turn: list[Item] = []
    for item in items:
        if _is_users(item) and turn:
            yield turn
            turn = []
        turn.append(item)
    if turn:
        yield turn


def _whole_pairs(items: Sequence[Item], needed: Container[str | None]) -> Iterator[Item]:
    """Leave out calls without their outputs, unless these are to come, and outputs without calls.

    The two may be of different turns.
    """
    calls = {item.call_id for item in items if isinstance(item, FunctionCallItem)}
    outputs = {item.call_id for item in items if isinstance(item, FunctionCallOutputItem)}
    for item in items:
        match item:
            case FunctionCallItem(call_id=call_id) if call_id not in outputs:
                is_whole = call_id in needed
            case FunctionCallOutputItem(call_id=call_id):
                is_whole = call_id in calls
            case _:
                is_whole = True
        if is_whole:
            yield item


def _message(item: MessageItem) -> MessageItem | None:
    content = tuple(part for each in item.content if (part := _of_role(item.role, each)))
    return evolve(item, content=content) if content else None


def _of_role(role: str, part: ContentPart) -> ContentPart | None:
    """Return a part in words, as one that a message of this role may have."""
    match in_words(part):
        case InputText(text=text) if role == "assistant":
            return OutputText(text)
        case OutputText(text=text) if role != "assistant":
            return InputText(text)
        case told:
            return told


def _hosted_call(item: McpCallItem) -> MessageItem:
    """Tell a call that a server has made by itself: a client can't create such an item."""
    outcome = item.output
    if outcome is None and item.error is not None:
        outcome = f"it failed: {json.dumps(dict(item.error), default=str)}"
    if outcome is None:
        outcome = "what came of it is not known"
    text = (
        f"The tool {item.name!r} of the MCP server {item.server_label!r} was called with"
        f" {item.arguments or '{}'}: {outcome}"
    )
    return MessageItem(id=item.id, role="system", content=(InputText(text),))


def _call_id(item: Item) -> str | None:
    return item.call_id if isinstance(item, FunctionCallItem | FunctionCallOutputItem) else None


def _is_users(item: Item) -> bool:
    return isinstance(item, MessageItem) and item.role == "user"


def _is_systems(item: Item) -> bool:
    return isinstance(item, MessageItem) and item.role == "system"
