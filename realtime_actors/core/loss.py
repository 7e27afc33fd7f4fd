"""What every part is told when the connection is gone."""

from __future__ import annotations

from attrs import frozen

from realtime_actors.errors import RealtimeError

__all__ = ["Loss"]


@frozen(kw_only=True)
class Loss:
    """The connection is gone: nothing comes any more, and nothing can be sent."""

    error: RealtimeError
    """For callers that wait."""
    broke_off: bool
    """A response of the conversation was in progress."""
    response_id: str | None
    """Its id, if it had one."""
