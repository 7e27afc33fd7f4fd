"""What was sent and is not answered yet: so that an error finds what it is the answer to.

An error may name the event that it is about. Many servers don't: then its code, its `param` or
its words may say what kind of event it was, and servers answer in the order in which they were
asked. An error that says nothing at all is the answer to the one thing that is unanswered, as
long as there is just one. Where there are more, it waits until all but one are answered.

What was sent before something that is answered is not waited for any more (except responses,
which take their time): many servers say nothing of what went well. Of updates and responses
those know best that wait for them (`awaited`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Final

from attrs import define, field, frozen

from realtime_actors import protocol as wire
from realtime_actors.core.effects import Send, SwitchConnection
from realtime_actors.core.loss import Loss
from realtime_actors.core.outbox import ToServer
from realtime_actors.core.server_errors import is_active_response, is_no_response_active
from realtime_actors.items import FunctionCallOutputItem, Item, MessageItem
from realtime_actors.protocol import ClientEvent, ErrorDetail

__all__ = ["CANCEL", "CREATE", "DELETE", "UPDATE", "Sent", "Unanswered", "is_clear", "kinds_of"]

FORGET_AFTER: Final = 15.0
"""Seconds until something that was sent counts as one that is never answered. Ours: as long as
we wait for a response that was asked for."""

MAX_SENT: Final = 1_000
"""How many updates and responses are known that were sent before that. Ours."""

UPDATE: Final = "session.update"
CREATE_RESPONSE: Final = "response.create"
CANCEL: Final = "response.cancel"
COMMIT: Final = "input_audio_buffer.commit"
CLEAR: Final = "input_audio_buffer.clear"
CREATE: Final = "conversation.item.create"
RETRIEVE: Final = "conversation.item.retrieve"
DELETE: Final = "conversation.item.delete"
TRUNCATE: Final = "conversation.item.truncate"

NEVER_ANSWERED: Final = ("input_audio_buffer.append", "output_audio_buffer.clear")

_OF_CODES: Final[tuple[tuple[str, Set[str]], ...]] = (
    ("function_call_output_pending", {CREATE_RESPONSE}),
    ("inference_failed", {CREATE_RESPONSE}),
    ("prediction_failed", {CREATE_RESPONSE}),
    ("response_cancel", {CANCEL}),
    ("response_failed", {CREATE_RESPONSE}),
    ("input_audio_buffer_commit", {COMMIT}),
    ("input_audio_buffer", {COMMIT, CLEAR, *NEVER_ANSWERED}),
    ("invalid_audio", set(NEVER_ANSWERED)),
    ("invalid_conversation_item", {CREATE}),
    ("invalid_item_id", {RETRIEVE, DELETE, TRUNCATE}),
    ("item_create", {CREATE}),
    ("item_delete", {DELETE}),
    ("item_retrieve", {RETRIEVE}),
    ("item_truncate", {TRUNCATE}),
    ("invalid_session", {UPDATE}),
    ("session_update", {UPDATE}),
    ("transcription", set()),
)
"""What the beginnings of codes say, as servers have them (some in `type`)."""

_OF_MEMBERS: Final[Mapping[str, Set[str]]] = {
    "audio": set(NEVER_ANSWERED),
    "audio_end_ms": {TRUNCATE},
    "content_index": {TRUNCATE},
    "item": {CREATE},
    "item_id": {RETRIEVE, DELETE, TRUNCATE},
    "previous_item_id": {CREATE},
    "response": {CREATE_RESPONSE},
    "response_id": {CANCEL},
    "session": {UPDATE},
}
"""What the member says to which the server objects."""

_IN_WORDS: Final = re.compile(
    r"(?<![\w.])(?:session\.update|response\.(?:create|cancel)|conversation\.item\."
    r"(?:create|retrieve|delete|truncate)|(?:input|output)_audio_buffer\."
    r"(?:append|commit|clear))(?![\w.]*\w)"
)
"""The type of an event, in a sentence about it."""


@frozen(kw_only=True)
class Sent:
    """Something that was sent."""

    kind: str
    """Its type on the wire."""
    at: float
    event_id: str | None = None
    about: str | None = None
    """The item or the response that it is about; for the output of a call, the call."""


@define
class Unanswered:
    """The register of what was sent, oldest first."""

    _sent: list[Sent] = field(factory=list)
    _unclear: tuple[ErrorDetail, list[Sent]] | None = None  # it is the answer to one of these

    def sent(self, to_server: Iterable[ToServer], active_id: str | None, now: float) -> None:
        """Note what goes to the server. `active_id` is what a cancel without an id is for."""
        for effect in to_server:
            match effect:
                case Send(event=event):
                    self._note(event, active_id, now)
                case SwitchConnection():
                    self._clear()

    def not_sent(self, events: Sequence[ClientEvent]) -> None:
        """The last events that were noted were not sent after all."""
        count = sum(_kind(event) not in NEVER_ANSWERED for event in events)
        del self._sent[max(0, len(self._sent) - count) :]

    def came(self, event: wire.ServerEvent, awaited: Set[str | None]) -> None:
        """Note what the server has answered.

        `awaited` are the names of the updates and responses that are still waited for.
        """
        match event:
            case wire.SessionUpdated():
                self._answered(lambda sent: sent.kind == UPDATE and sent.event_id not in awaited)
            case wire.ResponseCreated():
                self._answered(
                    lambda sent: sent.kind == CREATE_RESPONSE and sent.event_id not in awaited
                )
            case wire.ResponseDone(response=response):
                # It may have ended by itself: that is no answer to what was sent before.
                self._drop(lambda sent: sent.kind == CANCEL and sent.about == response.id)
            case wire.InputAudioBufferCommitted():
                self._drop(lambda sent: sent.kind == COMMIT)
            case wire.InputAudioBufferCleared():
                self._answered(lambda sent: sent.kind == CLEAR)
            case (
                wire.ConversationItemAdded(item=item)
                | wire.ConversationItemCreated(item=item)
                | wire.ConversationItemDone(item=item)
            ):
                self._item_is_there(item)
            case wire.ConversationItemRetrieved(item=item):
                self._answered(lambda sent: sent.kind == RETRIEVE and sent.about == item.id)
            case wire.ConversationItemDeleted(item_id=item_id):
                self._answered(lambda sent: sent.kind == DELETE and sent.about == item_id)
            case wire.ConversationItemTruncated(item_id=item_id):
                self._answered(lambda sent: sent.kind == TRUNCATE and sent.about == item_id)
            case _:
                pass  # the answer to nothing

    def refused(self, error: ErrorDetail, awaited: Set[str | None], now: float) -> Sent | None:
        """Find what an error is the answer to. It is not unanswered any more."""
        self._forget(awaited, now)
        if error.event_id:
            return self._take([sent for sent in self._sent if sent.event_id == error.event_id])
        kinds = kinds_of(error)
        if kinds is not None:
            return self._take([sent for sent in self._sent if sent.kind in kinds])
        only = _only(self._sent)
        if not only:
            # Of two that are unclear, neither can be the answer to the one that is left.
            self._unclear = (error, self._sent.copy()) if self._unclear is None else None
        return self._take(only)

    def cancelled(self) -> Sent | None:
        """Give the cancel that was answered without any name."""
        return self._take([sent for sent in self._sent if sent.kind == CANCEL])

    def cleared_up(self, awaited: Set[str | None], now: float) -> tuple[Sent, ErrorDetail] | None:
        """Find what an error is the answer to that could have been one to several. Once."""
        if self._unclear is None:
            return None
        self._forget(awaited, now)
        error, candidates = self._unclear
        left = [sent for sent in self._sent if sent in candidates]
        sent = self._take(_only(left))
        if sent is not None or not left:
            self._unclear = None
        return None if sent is None else (sent, error)

    def lost(self, loss: Loss) -> None:
        """The connection is gone."""
        self._clear()

    def _clear(self) -> None:
        """Nothing that was sent is answered any more."""
        self._sent.clear()
        self._unclear = None

    def _note(self, event: ClientEvent, active_id: str | None, now: float) -> None:
        kind, event_id, about = _kind(event), event.event_id, _about(event)
        if isinstance(event, wire.RawClientEvent):
            raw = event.payload
            event_id = _text(raw.get("event_id"))
            about = _text(raw.get("item_id")) or _text(raw.get("response_id"))
        if kind not in NEVER_ANSWERED:
            if kind == CANCEL and about is None:
                about = active_id
            if self._sent and now - self._sent[0].at >= FORGET_AFTER:
                # Of updates and responses others know whether they are waited for.
                self._sent[:] = [
                    sent
                    for sent in self._sent[-MAX_SENT:]
                    if sent.kind in (UPDATE, CREATE_RESPONSE) or now - sent.at < FORGET_AFTER
                ]
            self._sent.append(Sent(kind=kind, at=now, event_id=event_id, about=about))

    def _take(self, found: list[Sent]) -> Sent | None:
        if not found:
            return None
        first = found[0]
        self._sent.remove(first)
        return first

    def _item_is_there(self, item: Item) -> None:
        about = item.call_id if isinstance(item, FunctionCallOutputItem) else item.id
        by_us = not isinstance(item, MessageItem) or item.role != "assistant"
        if about is not None and any(_creates(sent, about) for sent in self._sent):
            self._answered(lambda sent: _creates(sent, about))
        elif isinstance(item, MessageItem) and by_us:
            self._answered(lambda sent: _creates(sent, None))

    def _answered(self, is_it: Callable[[Sent], bool]) -> None:
        """Forget the first that fits, and what was sent before it but responses."""
        for at, answered in enumerate(self._sent):
            if is_it(answered):
                before = [sent for sent in self._sent[:at] if sent.kind == CREATE_RESPONSE]
                self._sent[: at + 1] = before
                return

    def _drop(self, is_it: Callable[[Sent], bool]) -> None:
        for sent in self._sent:
            if is_it(sent):
                self._sent.remove(sent)
                return

    def _forget(self, awaited: Set[str | None], now: float) -> None:
        self._sent[:] = [
            sent
            for sent in self._sent
            if now - sent.at < FORGET_AFTER
            and (sent.kind not in (UPDATE, CREATE_RESPONSE) or sent.event_id in awaited)
        ]


def is_clear(error: ErrorDetail) -> bool:
    """Whether an error says by itself what it is the answer to."""
    return bool(error.event_id) or kinds_of(error) is not None


def kinds_of(error: ErrorDetail) -> Set[str] | None:
    """The kinds of events that an error may be the answer to; None if it does not say so."""
    if is_active_response(error):
        return {CREATE_RESPONSE}
    if is_no_response_active(error):
        return {CANCEL}
    for said in (error.code, error.type):
        for beginning, kinds in _OF_CODES:
            if said and said.startswith(beginning):
                return kinds
    member = re.split(r"[.\[]", error.param or "")[0]
    if member in _OF_MEMBERS:
        return _OF_MEMBERS[member]
    named = _IN_WORDS.search(error.message)
    return {named[0]} if named else None


def _only(unanswered: list[Sent]) -> list[Sent]:
    """The one thing that is unanswered; none if there are several.

    What nothing waits for is not in the way of a response: if the error was about that, the
    response begins all the same, and nothing is lost.
    """
    if len(unanswered) == 1:
        return unanswered
    awaited = [sent for sent in unanswered if sent.event_id is not None]
    return awaited if [sent.kind for sent in awaited] == [CREATE_RESPONSE] else []


def _kind(event: ClientEvent) -> str:
    if isinstance(event, wire.RawClientEvent):
        return _text(event.payload.get("type")) or ""
    return event.type


def _creates(sent: Sent, about: str | None) -> bool:
    return sent.kind == CREATE and sent.about == about


def _about(event: ClientEvent) -> str | None:
    match event:
        case wire.ConversationItemCreate(item=FunctionCallOutputItem(call_id=call_id)):
            return call_id
        case wire.ConversationItemCreate(item=item):
            return item.id
        case _:
            return getattr(event, "item_id", None) or getattr(event, "response_id", None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
