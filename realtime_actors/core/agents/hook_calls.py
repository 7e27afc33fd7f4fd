"""The hooks of the agent that are called for what is published, whatever has published it."""

from __future__ import annotations

from attrs import define

from realtime_actors import events
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.history.updates import History
from realtime_actors.core.outbox import Outbox

__all__ = ["HookCalls"]


@define(kw_only=True)
class HookCalls:
    """From published events to `on_error` and `on_history`."""

    outbox: Outbox
    handoffs: Handoffs
    history: History

    def follow(self) -> None:
        """Call the hooks for what is published, after all else."""
        agent = self.handoffs.agent
        if agent.hooks is None:
            return
        published = self.outbox.published
        for event in published:
            # Not for a hook that raised: it would be told of itself, for ever.
            if isinstance(event, events.ErrorEvent) and event.source != "hook":
                self.outbox.call_hook(agent, "on_error", event.error)
        if any(
            isinstance(event, events.HistoryAddedEvent | events.HistoryUpdatedEvent)
            for event in published
        ):
            self.outbox.call_hook(agent, "on_history", self.history.items)
