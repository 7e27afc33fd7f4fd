"""What was to be sent and was not: it is as if it had not been asked for, and can be tried again.

When one event can't be sent, those that were to follow it are not sent either: what depends on
what failed is worth nothing. Whoever asked for it in this moment is told by an error, and
nothing remains of the verb. What nobody is told of is an `ErrorEvent`.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import CancelTimer, Effects, Publish, Refuse, Send
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.messages import NotSent
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

    info: events.EventInfo
    responses: ResponseMachine
    speech: Speech
    approvals: Approvals
    configuration: Configuration
    editing: Editing
    handoffs: Handoffs
    unanswered: Unanswered
    _sent: Sequence[ClientEvent] = field(default=())

    def sent(self, effects: Effects) -> None:
        """Note what is to be sent."""
        self._sent = [effect.event for effect in effects if type(effect) is Send]

    def failed(self, failed: NotSent) -> Effects:
        """The last events of the last message were not sent."""
        unsent = self._sent[len(self._sent) - failed.count :]
        self.unanswered.not_sent(unsent)
        if failed.is_told:
            self.responses.take_back()
        effects = [
            effect for event in unsent for effect in self._failed(event, failed.error, failed)
        ]
        if failed.is_told:
            return effects
        kinds = ", ".join(sorted({_kind(event) for event in unsent}))
        error = events.ErrorInfo(type="not_sent", message=f"{kinds}: {failed.error}")
        return [
            *effects,
            Publish(events.ErrorEvent(error=error, source="session", info=self.info)),
        ]

    def _failed(self, event: ClientEvent, error: RealtimeError, failed: NotSent) -> Effects:
        match event:
            case wire.ResponseCreate(event_id=event_id):
                return self.responses.not_sent(event_id, is_told=failed.is_told)
            case wire.RawClientEvent(payload={"type": "response.create", "event_id": event_id}):
                return self.responses.not_sent(_text(event_id), is_told=failed.is_told)
            case wire.RawClientEvent(payload={"type": "session.update", "event_id": event_id}):
                return self._update(_text(event_id), error)
            case wire.SessionUpdate(event_id=event_id):
                return self._update(event_id, error)
            case (
                wire.ResponseCancel()
                | wire.ConversationItemTruncate()
                | wire.ConversationItemDelete()
            ):
                self.speech.not_stopped(event)
            case wire.ConversationItemCreate(item=FunctionCallOutputItem(call_id=call_id)):
                self.responses.claims.not_told(call_id)
            case wire.ConversationItemCreate(item=McpApprovalResponseItem() as item):
                return self.approvals.not_answered(item)
            case wire.ConversationItemCreate(event_id=event_id):
                self.editing.refused(event_id)
            case _:
                pass  # nothing waits for it
        return []

    def _update(self, event_id: str | None, error: RealtimeError) -> Effects:
        pending = self.configuration.refused(event_id)
        match pending and pending.purpose:
            case ForCaller(caller=caller):
                effects: Effects = [Refuse(caller, error)]
            case ForHandoff(handoff=handoff):
                effects = self.handoffs.refused(handoff, str(error))
            case _:
                effects = []
        return effects if pending is None else [CancelTimer(pending.timer), *effects]


def _kind(event: ClientEvent) -> str:
    if isinstance(event, wire.RawClientEvent):
        return str(event.payload.get("type"))
    return event.type


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
