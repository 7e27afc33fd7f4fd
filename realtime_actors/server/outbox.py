"""The outbox: where the parts of a conversation put what they want done."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from realtime_actors.protocol import ServerEvent
from realtime_actors.server.server_effects import Effect, Effects, Emit

__all__ = ["Ids", "Outbox"]

Ids = Callable[[str], str]
"""Makes an id that was never used before out of a prefix: "item" -> "item_7"."""


class Outbox:
    """Collects the effects of one message, in order."""

    def __init__(self, ids: Ids) -> None:
        self.new_id = ids
        self._effects: list[Effect] = []

    def emit(self, event: ServerEvent) -> None:
        """Send an event to the client, with an id of its own."""
        self._effects.append(Emit(evolve(event, event_id=self.new_id("event"))))

    def do(self, effect: Effect) -> None:
        """Have something else done."""
        self._effects.append(effect)

    def drain(self) -> Effects:
        """Hand over what was collected."""
        effects, self._effects = tuple(self._effects), []
        return effects
