"""What subscribers are told of the end of a session."""

from __future__ import annotations

from typing import Literal

from realtime_actors import events
from realtime_actors.errors import RealtimeError
from realtime_actors.session.subscribers import Subscribers
from realtime_actors.usage import SessionUsage

__all__ = ["publish_end", "unfinished"]


def publish_end(
    subscribers: Subscribers,
    failure: RealtimeError | None,
    *,
    state: Literal["lost", "closed"],
    usage: SessionUsage,
    info: events.EventInfo,
) -> None:
    """Say that a session is over, and why; None for an end that was asked for."""
    why = "the session was closed" if failure is None else str(failure)
    if failure is not None:
        error = events.ErrorInfo(type="internal_error", message=why)
        subscribers.publish(
            events.ErrorEvent(error=error, recoverable=False, source="session", info=info)
        )
    subscribers.publish(
        events.ConnectionEvent(state=state, reason=why, error=failure, usage=usage, info=info)
    )


def unfinished(call: events.ToolStartEvent, why: str) -> events.ToolEndEvent:
    """Make the end of a call that the end of its session has cut off."""
    return events.ToolEndEvent(
        agent=call.agent,
        tool=call.tool,
        name=call.name,
        call_id=call.call_id,
        output=why,
        error=why,
        info=call.info,
    )
