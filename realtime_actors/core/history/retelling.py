"""The conversation so far, as a client may tell it to a server that has not heard it.

Speech is told in its words: nobody but a server makes items of the model's speech, and of
the user's we keep no sound. What has no words, and what only servers make, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve

from realtime_actors.core.tools.tool_calls import Call
from realtime_actors.items import (
    ContentPart,
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
)

__all__ = ["in_words", "retold"]


def retold(
    items: Sequence[Item], open_calls: Sequence[Call], new_id: Callable[[], str]
) -> tuple[Item, ...]:
    """The items to create, in order, each with the id that it has (or a new one).

    Every open call is among them, by our id of it, since its output follows. Of a call that
    was broken off, which nobody has answered or will, nothing is told.
    """
    ids = {item.id for item in items}
    by_item = {call.item_id: call for call in open_calls if call.item_id in ids}
    by_id = {call.server_id: call for call in open_calls if call.item_id not in ids}
    answered = {item.call_id for item in items if isinstance(item, FunctionCallOutputItem)}
    called: set[str | None] = set()
    told: list[Item] = []
    for item in items:
        match item:
            case MessageItem():
                content = tuple(part for each in item.content if (part := in_words(each)))
                if not content:
                    continue
                item = evolve(item, content=content)
            case FunctionCallItem(call_id=call_id):
                call = by_item.get(item.id) or by_id.get(call_id or "")
                if call is not None:  # the item may be of the time before its arguments came
                    call_id = call.call_id
                    item = evolve(item, call_id=call_id, arguments=call.arguments)
                elif call_id not in answered:
                    continue
                called.add(call_id)
            case FunctionCallOutputItem(call_id=call_id) if call_id in called:
                pass
            case _:
                continue
        told.append(evolve(item, id=item.id or new_id(), status=None, extra={}))
    for call in open_calls:
        if call.call_id not in called:  # a server that makes no items of calls
            told.append(
                FunctionCallItem(
                    id=new_id(), call_id=call.call_id, name=call.name, arguments=call.arguments
                )
            )
    return tuple(told)


def in_words(part: ContentPart) -> ContentPart | None:
    """A part as a client may tell it. None for what has no words, or is unknown."""
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
