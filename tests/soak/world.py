"""The joined world of `tests.core.joined`, with a rough way back and more to do.

The protocol fixes the order of most of what a server says, but not of all: transcripts
come beside everything else, two streams of one item end in either order. And a careless
server says things twice. Here both happens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from attrs import define, evolve

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.core import effects as fx
from realtime_actors.core.machine import SessionMachine
from realtime_actors.items import FunctionCallItem, FunctionCallOutputItem, Item, user_message
from realtime_actors.protocol import ServerEvent
from tests.core.joined import World

__all__ = ["RoughWorld"]

TRANSCRIPTS: TypeAlias = (
    wire.ConversationItemInputAudioTranscriptionDelta
    | wire.ConversationItemInputAudioTranscriptionCompleted
    | wire.ConversationItemInputAudioTranscriptionFailed
)
SAID_TWICE: TypeAlias = (
    wire.ResponseCreated
    | wire.ResponseDone
    | wire.ResponseOutputItemAdded
    | wire.ResponseOutputItemDone
    | wire.ResponseFunctionCallArgumentsDone
    | wire.ResponseOutputAudioTranscriptDone
    | wire.ConversationItemAdded
    | wire.ConversationItemCreated
    | wire.ConversationItemDone
    | wire.ConversationItemDeleted
    | wire.ConversationItemTruncated
    | wire.InputAudioBufferCommitted
    | wire.ConversationItemInputAudioTranscriptionCompleted
    | wire.ConversationItemInputAudioTranscriptionFailed
    | wire.RateLimitsUpdated
)
"""What a server may say again without meaning another one."""

EITHER_ORDER = (
    {wire.ResponseOutputAudioDone, wire.ResponseOutputAudioTranscriptDone},
    {wire.ResponseOutputItemAdded, wire.ConversationItemAdded},
    {wire.ResponseOutputItemAdded, wire.ConversationItemCreated},
    {wire.ResponseOutputItemDone, wire.ConversationItemDone},
)
"""Neighbours of one item that servers send in either order."""

LATE_EDITS = {
    # The voice was changed, the item edited, while what made that impossible was under way.
    "cannot_update_voice",
    "invalid_value",
    "unsupported_content_type",
    "item_create_invalid_item_id",
    "item_retrieve_invalid_item_id",
    "item_truncate_invalid_item_id",
    "item_delete_invalid_item_id",
}


@define(kw_only=True)
class RoughWorld(World):
    """A world in which events come twice, and late, and everybody edits."""

    chance: random.Random
    hold: bool = False
    """Nothing is heard before the guardrails have passed its words."""
    read: Sequence[Item] = ()
    """The history as the program has read it last."""

    def new_client(self) -> SessionMachine:
        client = super().new_client()
        self.watch.holds = self.hold
        guarding = evolve(
            client.setup.config.guardrails_settings, mode="hold" if self.hold else "stream"
        )
        config = evolve(client.setup.config, guardrails_settings=guarding)
        return SessionMachine(evolve(client.setup, config=config))

    # --- the way back ---------------------------------------------------------------------

    def repeat(self, number: int) -> None:
        """The server says again what it is about to say."""
        if self.to_client:
            at = number % len(self.to_client)
            if isinstance(self._waiting(at), SAID_TWICE):
                again = self.chance.randint(at + 1, len(self.to_client))
                self.to_client.insert(again, self.to_client[at])

    def reorder(self, number: int) -> None:
        """Something overtakes what was said before it."""
        first = number % max(1, len(self.to_client))
        for at, _ in pairwise(range(first, min(first + 12, len(self.to_client)))):
            if may_change_places(self._waiting(at), self._waiting(at + 1)):
                later = self.to_client[at]
                self.to_client[at] = self.to_client[at + 1]
                self.to_client[at + 1] = later

    def _waiting(self, at: int) -> ServerEvent:
        event: ServerEvent = self._dialect.decode_server(self.to_client[at])
        return event

    # --- more that may happen ---------------------------------------------------------------

    def call(self, number: int) -> None:
        """The model calls a tool."""
        self.model(number // 8 * 8 + 5)

    def edit(self, number: int) -> None:
        # What was read some time ago, or just now.
        history = self.read if number % 2 else self.client.history
        # A call and its output must stay a pair: nobody else's business.
        ids = [
            str(item.id)
            for item in history
            if not isinstance(item, FunctionCallItem | FunctionCallOutputItem)
        ]
        item_id = self.chance.choice(ids) if ids else "nowhere"
        pairs = [item for item in history[:-1] if item.id not in ids]
        verbs: list[messages.Verb] = [
            messages.AddItem(user_message("By the way."), after=self.chance.choice([None, "root"])),
            messages.AddItem(user_message("As I said."), after=item_id),
            messages.DeleteItem(item_id),
            messages.TruncateItem(item_id, audio_end_ms=0),
            messages.RetrieveItem(item_id),
            messages.UpdateHistory((*history, user_message("One more thing."))),
            messages.UpdateHistory(tuple(item for item in history if item.id != item_id)),
            messages.UpdateHistory((user_message("In short."), *pairs, *history[-1:])),
            *[messages.DeleteItem(each) for each in self._items_of_open_calls()],
        ]
        self.ask(self.chance.choice(verbs))

    def edit_twice(self, number: int) -> None:
        """Two edits, the second before the server has answered the first."""
        if number % 2:
            update = messages.UpdateHistory((*self.client.history, user_message("Once only.")))
            for _ in range(2):
                self.ask(update)
            return
        self.ask(messages.AddItem(user_message("First.")))
        answer = next(
            each for each in reversed(self.told) if isinstance(each, fx.Answer | fx.Refuse)
        )
        if isinstance(answer, fx.Answer):
            item_id = str(answer.value)
            after = messages.AddItem(user_message("Second."), after=item_id)
            verbs: list[messages.Verb] = [after, messages.DeleteItem(item_id)]
            self.ask(self.chance.choice(verbs))

    def _items_of_open_calls(self) -> list[str]:
        return [
            str(item.id)
            for item in self.client.history
            if isinstance(item, FunctionCallItem) and item.call_id in self.watch.edits.open
        ]

    def look(self, number: int) -> None:
        verbs = (messages.History(), messages.CurrentAgent(), messages.Usage())
        self.ask(verbs[number % len(verbs)])
        if number % len(verbs) == 0:
            self.read = self.client.history

    def happen(self, move: str, number: int) -> None:
        moves = {
            "call": self.call,
            "repeat": self.repeat,
            "reorder": self.reorder,
            "edit": self.edit,
            "edit twice": self.edit_twice,
            "look": self.look,
        }
        if move in moves:
            moves[move](number)
        else:
            super().happen(move, number)

    # --- what must hold -----------------------------------------------------------------------

    def check_at_rest(self) -> None:
        self.refusals = [error for error in self.refusals if error.code not in LATE_EDITS]
        assert [item.id for item in self.history] == list(self.order)
        super().check_at_rest()


def may_change_places(first: ServerEvent, second: ServerEvent) -> bool:
    """Whether a server might as well have sent the second one first."""
    if isinstance(first, wire.RateLimitsUpdated) or isinstance(second, wire.RateLimitsUpdated):
        return True
    same_item = about(first) == about(second)
    if isinstance(first, TRANSCRIPTS) or isinstance(second, TRANSCRIPTS):
        return not same_item and about(first) is not None and about(second) is not None
    return same_item and {type(first), type(second)} in EITHER_ORDER


def about(event: ServerEvent) -> Any:
    """The item that an event is about, or the response, for those that are about a whole one."""
    match event:
        case wire.ResponseCreated(response=response) | wire.ResponseDone(response=response):
            return response.id
    item = getattr(event, "item", None)
    return item.id if item is not None else getattr(event, "item_id", None)
