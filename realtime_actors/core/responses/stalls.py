"""A watch on silence within responses: one whose end never comes must not stop all later ones.

    Watched --no event of it for `limit` seconds--> Cancelled --nothing for a while--> given up
       ^  |                                          ^  |
       |  +------------- cancelled before -----------+  |
       +------------------ an event of it --------------+

A response may be silent because the server waits for us: while a call of it is open, or waits
for the program's approval. And a server may be long at a tool of its own (hosted MCP), of
which it says only that it has begun.

What comes late of a response that was given up is neither heard nor read: another one may be
speaking by then. Its calls are answered, and not run.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Set
from enum import Enum
from typing import Final, TypeAlias

from attrs import define, field

from realtime_actors import protocol as wire
from realtime_actors.core.effects import Send, SwitchConnection
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import Outbox, ToServer
from realtime_actors.core.recent import Recent
from realtime_actors.core.speech.playback import LOOK_AGAIN
from realtime_actors.items import (
    FunctionCallOutputItem,
    Item,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    MessageItem,
)

__all__ = ["StallWatch", "stall_timer"]

GIVE_UP_AFTER: Final = 5.0
"""Seconds without an event after a cancel, until a response is given up. Ours: a server answers
a cancel at once, or never."""

HOSTED_LIMIT: Final = 300.0
"""Seconds without an event while the server runs a tool of its own. Ours: such tools may take
minutes, but one whose end is never told must not be waited for for ever."""

ResponseId: TypeAlias = str | None


class _No(Enum):
    RESPONSE = "no response at all: None is one whose server gives it no id"


def stall_timer(response_id: ResponseId) -> Hashable:
    """Return the key of the timer that watches a response."""
    return ("stall", response_id)


@define
class _Watched:
    """A response in progress."""

    last_event: float
    cancelled: bool = False
    items: set[str | None] = field(factory=set)
    """Those that it has made."""
    asks: set[str | None] = field(factory=set)
    """Calls that the server would make, and has asked for approval of."""
    hosted: set[str | None] = field(factory=set)
    """Items of the server's own tools that are under way."""

    def note(self, event: wire.ServerEvent) -> None:
        """Keep what an event of the response says about the times to come."""
        match event:
            case wire.ResponseOutputItemAdded(item=item) | wire.ResponseOutputItemDone(item=item):
                self.items.add(item.id)
                if isinstance(item, McpApprovalRequestItem):
                    self.asks.add(item.id)
            case (
                wire.ResponseMcpCallInProgress(item_id=item_id)
                | wire.McpListToolsInProgress(item_id=item_id)
            ):
                self.hosted.add(item_id)
            case (
                wire.ResponseMcpCallCompleted(item_id=item_id)
                | wire.ResponseMcpCallFailed(item_id=item_id)
                | wire.McpListToolsCompleted(item_id=item_id)
                | wire.McpListToolsFailed(item_id=item_id)
            ):
                self.hosted.discard(item_id)
            case _:
                pass  # of no weight for the times


@define
class StallWatch:
    """The responses in progress, and when something was last heard of each."""

    outbox: Outbox
    limit: float | None = None
    """Seconds without any event of a response until it is cancelled. None: no watch."""
    _watched: dict[ResponseId, _Watched] = field(factory=dict)
    _given_up: Recent[ResponseId, bool] = field(factory=Recent)  # whether its end came all the same

    def began(self, response_id: ResponseId, now: float) -> None:
        """Watch a response that began."""
        self._given_up.pop(response_id, None)
        self._watched[response_id] = _Watched(now)
        if self.limit is not None:
            self.outbox.set_timer(stall_timer(response_id), self.limit)

    def learn_id(self, response_id: str) -> None:
        """Watch the response that began without an id by this one."""
        watched = self._watched.pop(None, None)
        if watched is None:
            return
        self._watched[response_id] = watched
        if self.limit is not None:
            self.outbox.cancel_timer(stall_timer(None))
            self.outbox.set_timer(stall_timer(response_id), self.limit)

    def over(self, response_id: ResponseId) -> None:
        """Watch a response no longer that has ended."""
        if self._watched.pop(response_id, None) is not None and self.limit is not None:
            self.outbox.cancel_timer(stall_timer(response_id))

    def speech_came(self, response_id: str, now: float) -> bool:
        """Note a piece of speech. Return whether its response is one in progress."""
        watched = self._watched.get(response_id)
        if watched is None:
            return False
        watched.last_event, watched.cancelled = now, False
        return True

    def came(self, event: wire.ServerEvent, active_id: ResponseId, now: float) -> bool:
        """Note an event. Return whether it is to be minded: its response was not given up.

        `active_id` is the response that an event belongs to which names none.
        """
        named: ResponseId = getattr(event, "response_id", None)
        response_id = self._of_item(event, active_id) if named is None else named
        watched = None if response_id is _No.RESPONSE else self._watched.get(response_id)
        if watched is not None:
            watched.last_event, watched.cancelled = now, False
            watched.note(event)
        return named is None or named not in self._given_up

    def sent(self, to_server: Iterable[ToServer], active_id: ResponseId, now: float) -> None:
        """Look at what is sent: cancels, what the server has waited for, another connection."""
        for effect in to_server:
            match effect:
                case SwitchConnection():
                    self._watched.clear()
                    self._given_up.clear()  # ids may come again
                case Send(event=wire.ResponseCancel(response_id=response_id)):
                    self._cancelled(response_id or active_id, now)
                case Send(event=wire.RawClientEvent(payload={"type": "response.cancel", **rest})):
                    named = rest.get("response_id")
                    self._cancelled(named if isinstance(named, str) else active_id, now)
                case Send(event=wire.ConversationItemCreate(item=item)) if isinstance(
                    item, FunctionCallOutputItem | McpApprovalResponseItem
                ):
                    for watched in self._watched.values():
                        watched.last_event = now

    def fired(
        self, response_id: ResponseId, now: float, *, has_open_call: bool, unapproved: Set[str]
    ) -> bool:
        """`stall_timer` fired. Return whether the response is to be given up.

        `unapproved` are the calls of the server's own that wait for the program's approval.
        """
        watched = self._watched.get(response_id)
        if watched is None or self.limit is None:
            return False
        if has_open_call or watched.asks & unapproved:
            watched.last_event, watched.cancelled = now, False
        limit = self.limit
        if watched.cancelled:
            limit = GIVE_UP_AFTER
        elif watched.hosted:
            limit = max(limit, HOSTED_LIMIT)
        left = limit - (now - watched.last_event)
        if left > 0:
            look = min(max(left, LOOK_AGAIN), self.limit)  # a tool may end meanwhile
            self.outbox.set_timer(stall_timer(response_id), look)
            return False
        if not watched.cancelled:
            self.outbox.send(wire.ResponseCancel(response_id=response_id))
            return False
        return True

    def give_up(self, response_id: ResponseId) -> None:
        """Take a response for over whose end the server has not told."""
        self._given_up[response_id] = False

    def watches(self, response_id: ResponseId) -> bool:
        """Return whether a response has begun and not ended, as far as we know."""
        return response_id in self._watched

    def maker_of(self, item_id: str | None, otherwise: ResponseId) -> ResponseId:
        """Return the response in progress that has made an item, as far as that is known."""
        made = (each for each, watched in self._watched.items() if item_id in watched.items)
        return next(made, otherwise)

    def is_given_up(self, response_id: ResponseId) -> bool:
        """Return whether a response was taken for over without being told."""
        return response_id in self._given_up

    def late_end(self, response_id: ResponseId) -> bool:
        """Note the end of a response. Return whether it was given up, once."""
        if self._given_up.get(response_id, True):
            return False
        self._given_up[response_id] = True
        return True

    def lost(self, loss: Loss) -> None:
        """Watch none any longer: the connection is gone."""
        for response_id in tuple(self._watched):
            self.over(response_id)

    def _cancelled(self, response_id: ResponseId, now: float) -> None:
        watched = self._watched.get(response_id)
        if watched is None or watched.cancelled or self.limit is None:
            return
        watched.cancelled, watched.last_event = True, now
        self.outbox.set_timer(stall_timer(response_id), GIVE_UP_AFTER)

    def _of_item(self, event: wire.ServerEvent, active_id: ResponseId) -> ResponseId | _No:
        """Return the response of an event that does not name it."""
        match event:
            case wire.UnknownEvent(type=kind, raw=raw) if kind.startswith("response."):
                named = (raw or {}).get("response_id")
                return named if isinstance(named, str) else active_id
            case (
                wire.ConversationItemAdded(item=item)
                | wire.ConversationItemCreated(item=item)
                | wire.ConversationItemDone(item=item)
            ):
                item_id, by_the_model = item.id, _is_by_the_model(item)
            case (
                wire.ResponseMcpCallInProgress(item_id=item_id)
                | wire.ResponseMcpCallCompleted(item_id=item_id)
                | wire.ResponseMcpCallFailed(item_id=item_id)
                | wire.McpListToolsInProgress(item_id=item_id)
                | wire.McpListToolsCompleted(item_id=item_id)
                | wire.McpListToolsFailed(item_id=item_id)
            ):
                by_the_model = True
            case _:
                return _No.RESPONSE
        made = (each for each, watched in self._watched.items() if item_id in watched.items)
        return next(made, active_id if by_the_model else _No.RESPONSE)


def _is_by_the_model(item: Item) -> bool:
    """Return whether a response may have made an item."""
    match item:
        case MessageItem(role=role):
            return role == "assistant"
        case FunctionCallOutputItem() | McpApprovalResponseItem():
            return False
        case _:
            return True
