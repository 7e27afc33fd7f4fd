"""The hooks of the agent that are called for what is published, whatever has published it."""

from __future__ import annotations

from attrs import define

from realtime_actors import events
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import CallHook, Effects, Publish
from realtime_actors.core.history.updates import History

__all__ = ["HookCalls"]


@define(kw_only=True)
class HookCalls:
    """From published events to `on_error` and `on_history`."""

    handoffs: Handoffs
    history: History

    def added(self, effects: Effects) -> Effects:
        """Return the effects, and after them the hooks that what they publish calls."""
        agent = self.handoffs.agent
        if agent.hooks is None:
            return effects
        published = [each.event for each in effects if isinstance(each, Publish)]
        for event in published:
            # Not for a hook that raised: it would be told of itself, for ever.
            if isinstance(event, events.ErrorEvent) and event.source != "hook":
                effects.append(CallHook(agent, "on_error", (event.error,)))
        if any(
            isinstance(event, events.HistoryAddedEvent | events.HistoryUpdatedEvent)
            for event in published
        ):
            effects.append(CallHook(agent, "on_history", (self.history.items,)))
        return effects
