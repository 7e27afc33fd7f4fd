"""What the shell knows of the core: a machine that is handed messages and gives effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, Protocol

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent
from realtime_actors.core.effects import Effects
from realtime_actors.core.messages import Message
from realtime_actors.items import Item
from realtime_actors.snapshot import Snapshot
from realtime_actors.usage import SessionUsage

__all__ = ["KNOWN", "Machine", "Phase"]


class Phase(Enum):
    """Where a session is in its life."""

    STARTING = "starting"
    CONFIGURING = "configuring"
    LIVE = "live"
    RECONNECTING = "reconnecting"
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
    def history(self) -> Snapshot[Item]:
        """The conversation so far, in its order."""
        ...

    @property
    def current_agent(self) -> Agent:
        """The agent that is speaking to the user."""
        ...

    @property
    def usage(self) -> SessionUsage:
        """What the session has used so far."""
        ...

    def handle(self, message: Message | wire.ServerEvent, now: float) -> Effects:
        """Take a message; give what is to be done, in order."""
        ...


KNOWN: Final[Mapping[type, Callable[[Machine], object]]] = {
    messages.History: lambda machine: machine.history,
    messages.CurrentAgent: lambda machine: machine.current_agent,
    messages.Usage: lambda machine: machine.usage,
}
"""What may be read of a session, by the verb that asks for it: after its end as well."""
