"""What was to be sent and was not: it is as if it had not been asked for, and can be tried again.

When one event can't be sent, those that were to follow it are not sent either: what depends on
what failed is worth nothing. A caller that waits for it is told by an error, and nothing remains
of its verb. What no caller is told of is an `ErrorEvent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from realtime_actors import protocol as wire
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.connection.unacknowledged import Unacknowledged
from realtime_actors.core.effects import Send
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.messages import NotSent
from realtime_actors.core.outbox import Outbox, ToServer
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.responses.unanswered import Unanswered
from realtime_actors.core.settings import Configuration, ForCaller, ForHandoff
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.approvals import Approvals
from realtime_actors.errors import RealtimeError
from realtime_actors.items import FunctionCallOutputItem, McpApprovalResponseItem
from realtime_actors.protocol import ClientEvent

__all__ = ["Unsent"]


@define(kw_only=True)
class Unsent:
    """The events of the last message, and what it means when the last of them were not sent."""

    outbox: Outbox
    responses: ResponseMachine
    speech: Speech
    approvals: Approvals
    configuration: Configuration
    editing: Editing
    handoffs: Handoffs
    unanswered: Unanswered
    unacknowledged: Unacknowledged
    _sent: Sequence[ClientEvent] = field(default=())

    def sent(self, to_server: Iterable[ToServer]) -> None:
        """Note what is to be sent."""
        self._sent = [effect.event for effect in to_server if isinstance(effect, Send)]

    def failed(self, failed: NotSent) -> None:
        """The last events of the last message were not sent."""
        unsent = self._sent[len(self._sent) - failed.count :]
        self.unanswered.not_sent(unsent)
        self.unacknowledged.not_sent(self._sent if failed.is_told else unsent)
        if failed.is_told:
            self.responses.take_back()
        for event in unsent:
            self._failed(event, failed.error, failed)
        if not failed.is_told:
            kinds = ", ".join(sorted({_kind(event) for event in unsent}))
            self.outbox.publish_error("not_sent", f"{kinds}: {failed.error}")

    def _failed(self, event: ClientEvent, error: RealtimeError, failed: NotSent) -> None:
        match event:
            case wire.ResponseCreate(event_id=event_id):
                self.responses.not_sent(event_id, is_told=failed.is_told)
            case wire.RawClientEvent(payload={"type": "response.create", "event_id": event_id}):
                self.responses.not_sent(_text(event_id), is_told=failed.is_told)
            case wire.RawClientEvent(payload={"type": "session.update", "event_id": event_id}):
                self._update(_text(event_id), error)
            case wire.SessionUpdate(event_id=event_id):
                self._update(event_id, error)
            case (
                wire.ResponseCancel()
                | wire.ConversationItemTruncate()
                | wire.ConversationItemDelete()
            ):
                self.speech.not_stopped(event)
            case wire.ConversationItemCreate(item=FunctionCallOutputItem(call_id=call_id)):
                self.responses.claims.not_told(call_id)
            case wire.ConversationItemCreate(item=McpApprovalResponseItem() as item):
                self.approvals.not_answered(item)
            case wire.ConversationItemCreate(event_id=event_id):
                self.editing.refused(event_id)
            case _:
                pass  # nothing waits for it

    def _update(self, event_id: str | None, error: RealtimeError) -> None:
        pending = self.configuration.refused(event_id)
        if pending is None:
            return
        self.outbox.cancel_timer(pending.timer)
        match pending.purpose:
            case ForCaller(caller=caller):
                self.outbox.refuse(caller, error)
            case ForHandoff(handoff=handoff):
                self.handoffs.refused(handoff, str(error))
            case _:
                pass  # no one is told by this


def _kind(event: ClientEvent) -> str:
    if isinstance(event, wire.RawClientEvent):
        return str(event.payload.get("type"))
    return event.type


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
