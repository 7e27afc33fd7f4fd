"""What the shell knows of the core: a machine that is handed messages and gives effects."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from realtime_actors import events
from realtime_actors import protocol as wire
from realtime_actors.core.effects import Effects
from realtime_actors.core.messages import Message

__all__ = ["Machine", "Phase"]


class Phase(Enum):
    """Where a session is in its life."""

    STARTING = "starting"
    CONFIGURING = "configuring"
    LIVE = "live"
    DISCONNECTED = "disconnected"
    ENDED = "ended"


class Machine(Protocol):
    """What the shell needs of a machine."""

    @property
    def phase(self) -> Phase:
        """Where the session is in its life."""
        ...

    @property
    def info(self) -> events.EventInfo:
        """What is the same for every event."""
        ...

    @property
    def airing(self) -> str | None:
        """The response whose speech is published as it comes, and nothing else follows from it.

        None when there is none, or each piece of it needs a decision.
        """
        ...

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        ...
