"""A running conversation: the handle, the actor behind it, and all that has a thread."""

from __future__ import annotations

from realtime_actors.session.handle import DeadSessionError, Session

__all__ = ["DeadSessionError", "Session"]
