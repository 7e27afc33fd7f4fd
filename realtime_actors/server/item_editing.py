"""Items that clients create, retrieve, delete and truncate by themselves.

Everything here raises `Refused` before anything has changed, or does all of it.
"""

from __future__ import annotations

import math

from attrs import evolve

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    Item,
    MessageItem,
    OutputAudio,
    UnknownItem,
    UnknownPart,
)
from realtime_actors.protocol import (
    ConversationItemDeleted,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    ConversationItemTruncated,
)
from realtime_actors.server.hearing import Hearing
from realtime_actors.server.item_chain import ROOT, Entry, ItemChain
from realtime_actors.server.outbox import Outbox
from realtime_actors.server.refusals import Refused, invalid_value, unknown_item
from realtime_actors.server.session_state import SessionState

__all__ = ["Editing"]


class Editing:
    """The client's hand on the conversation's items."""

    def __init__(
        self, *, out: Outbox, chain: ItemChain, session: SessionState, hearing: Hearing
    ) -> None:
        self._out = out
        self._chain = chain
        self._session = session
        self._hearing = hearing

    def retrieve(self, item_id: str) -> None:
        """Show an item, with its audio."""
        entry = self._entry(item_id, "retrieving", "item_retrieve_invalid_item_id")
        self._out.emit(ConversationItemRetrieved(item=entry.with_audio()))

    def delete(self, item_id: str) -> None:
        """Take an item out."""
        self._entry(item_id, "deleting", "item_delete_invalid_item_id")
        self._chain.remove(item_id)
        self._out.emit(ConversationItemDeleted(item_id=item_id))

    def _entry(self, item_id: str, doing: str, code: str) -> Entry:
        entry = self._chain.get(item_id)
        if entry is None:
            raise unknown_item(doing, item_id, code=code)
        return entry

    def create(self, item: Item, previous: str | None) -> None:
        """Add an item behind `previous` ("root": first, None: last)."""
        if item.id is not None and item.id in self._chain:
            raise Refused(
                f"Error adding item: an item with id '{item.id}' already exists.",
                code="item_create_duplicate_item_id",
                param="item.id",
            )
        if previous is not None and previous != ROOT and previous not in self._chain:
            raise unknown_item(
                "adding", previous, code="item_create_invalid_item_id", param="previous_item_id"
            )
        self._check_item(item)
        item_id = item.id or self._out.new_id("item")
        entry = Entry(evolve(item, id=item_id, status="completed"), self._session.input_format)
        self._chain.add(item_id, entry, after=previous)
        self._chain.done(item_id)
        self._hearing.listen_to(item_id, entry)

    def _check_item(self, item: Item) -> None:
        match item:
            case UnknownItem(type=type_):
                raise invalid_value(type_, ("message", "function_call_output"), "item.type")
            case MessageItem(role="assistant", content=content) if any(
                isinstance(part, OutputAudio) for part in content
            ):
                raise Refused(
                    "Assistant audio messages cannot be created by a client.",
                    code="unsupported_content_type",
                    param="item.content",
                )
            case MessageItem(content=content):
                for index, part in enumerate(content):
                    if isinstance(part, UnknownPart):
                        raise Refused(
                            f"Invalid 'item.content[{index}]': its data is not base64.",
                            code="invalid_value",
                            param=f"item.content[{index}]",
                        )
            case FunctionCallOutputItem(call_id=call_id):
                calls = {
                    entry.item.call_id
                    for _, entry in self._chain.items()
                    if isinstance(entry.item, FunctionCallItem)
                }
                if call_id not in calls:
                    raise Refused(
                        f"Tool call ID '{call_id}' not found in conversation.",
                        code="invalid_tool_call_id",
                        param="item.call_id",
                    )
            case _:
                pass

    def truncate(self, event: ConversationItemTruncate, words_so_far: str) -> None:
        """Cut the model's speech at what was heard. `words_so_far`: of what is still being said."""
        entry = self._entry(event.item_id, "truncating", "item_truncate_invalid_item_id")
        if not entry.speech:
            raise Refused(
                "Only model output audio messages can be truncated",
                code="unsupported_content_type",
                param="item_id",
            )
        if event.content_index != 0:
            raise Refused(
                f"Content index {event.content_index} is out of range: the item has 1 part.",
                code="invalid_value",
                param="content_index",
            )
        length_ms = math.ceil(entry.speech_ms)
        if event.audio_end_ms > length_ms:
            raise Refused(
                f"Audio content of {length_ms}ms is already shorter than {event.audio_end_ms}ms",
                code="invalid_value",
                param="audio_end_ms",
            )
        entry.cut(event.audio_end_ms, words_so_far)
        self._out.emit(
            ConversationItemTruncated(
                item_id=event.item_id,
                content_index=event.content_index,
                audio_end_ms=event.audio_end_ms,
            )
        )
