"""Passing the conversation from one agent to another, wholly or not at all.

    Settled --resolved--> Acknowledging --session.updated--> Settled, with the new agent
                            |-- refused, or never answered --> Settled, with the old one

Between the two no response is asked for: the new agent's first words follow its own
instructions.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from attrs import define, evolve

from realtime_actors import events
from realtime_actors.agent import Agent
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.configuration import (
    Configuration,
    ForHandoff,
    ForNobody,
    agent_settings,
    difference,
)
from realtime_actors.core.effects import CallHook, CancelTimer, Effects, Publish, Send, SetTimer
from realtime_actors.core.history import History
from realtime_actors.core.messages import HandoffResolved, ResolvedAgent
from realtime_actors.core.response import ResponseMachine
from realtime_actors.core.tool_calls import ToolCalls, tool_timer
from realtime_actors.items import Item
from realtime_actors.protocol import ConversationItemCreate, ConversationItemDelete

__all__ = ["HANDOFF_TIMER", "Handoffs"]

HANDOFF_TIMER: Final[Hashable] = "handoff"

ACKNOWLEDGE_WITHIN: Final = 10.0
"""Seconds for the server to acknowledge the new agent's configuration. Ours: responses
are held back meanwhile, and must not be for ever."""


@define(kw_only=True)
class Handoffs:
    """Which agent speaks, and the handoff under way, if any."""

    info: events.EventInfo
    current: ResolvedAgent
    configuration: Configuration
    responses: ResponseMachine
    calls: ToolCalls
    history: History
    _under_way: HandoffResolved | None = None
    _event_id: str | None = None

    @property
    def agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self.current.agent

    def resolved(self, handoff: HandoffResolved) -> Effects:
        """A handoff call found its agent: tell the server."""
        call = self.calls.get(handoff.call_id)
        if call is None:
            return []  # it has its outcome: it was too late
        if self._under_way is not None or call.agent is not self.agent:
            other = self._under_way.resolved.agent if self._under_way else self.agent
            why = f"Error: the conversation was already handed to {other.name}"
            return self.calls.finish(call.call_id, why, why)
        base, current = self.configuration.base, self.configuration.settings
        changes = difference(current, _complete(agent_settings(base, handoff.resolved)))
        send = self.configuration.update(changes, ForHandoff(handoff))
        self._under_way, self._event_id = handoff, send.event.event_id
        self.responses.hold(HANDOFF_TIMER)
        return [
            CancelTimer(tool_timer(call.call_id)),
            send,
            SetTimer(HANDOFF_TIMER, ACKNOWLEDGE_WITHIN),
        ]

    def acknowledged(self, handoff: HandoffResolved) -> Effects:
        """The server has the new agent's configuration: it is the current one."""
        if handoff is not self._under_way:
            return []
        source, self.current = self.agent, handoff.resolved
        agent = self.agent
        effects: Effects = [
            Publish(events.HandoffEvent(from_agent=source, to_agent=agent, info=self.info))
        ]
        if agent.hooks is not None:
            effects.append(CallHook(agent, "on_handoff", (source,)))
        if handoff.history is not None:
            effects += self._edit(handoff.history)
        effects += self.calls.finish(handoff.call_id, f"Transferred to {agent.name}")
        return [*effects, *self._settle()]

    def refused(self, handoff: HandoffResolved, why: str) -> Effects:
        """The server does not take the new agent's configuration."""
        if handoff is not self._under_way:
            return []
        name = handoff.resolved.agent.name
        text = f"Error: the transfer to {name} failed: {why}"
        return [*self.calls.finish(handoff.call_id, text, text), *self._settle()]

    def unanswered(self) -> Effects:
        """`HANDOFF_TIMER` fired. What the server may have taken is put back."""
        handoff = self._under_way
        if handoff is None or self._event_id is None:
            return []
        self.configuration.give_up(self._event_id)
        back = _complete(agent_settings(self.configuration.base, self.current))
        undo = self.configuration.update(back, ForNobody())
        return [undo, *self.refused(handoff, "the server did not answer")]

    def lost(self) -> Effects:
        """The connection is gone. The call itself is ended with all the others."""
        return self._settle()

    def _settle(self) -> Effects:
        self._under_way = self._event_id = None
        self.responses.release(HANDOFF_TIMER)
        return [CancelTimer(HANDOFF_TIMER)]

    def _edit(self, filtered: tuple[Item, ...]) -> Effects:
        """Send the difference between the history and what an input filter made of it."""
        effects: Effects = []
        kept = {item.id for item in filtered if item.id is not None}
        for item in self.history.items:
            # The model's call and our answer to it must stay a pair.
            is_open_call = getattr(item, "call_id", None) is not None
            if item.id is not None and item.id not in kept and not is_open_call:
                effects.append(Send(ConversationItemDelete(item_id=item.id)))
                effects += self.history.deleted(item.id)
        previous = "root"
        for number, item in enumerate(filtered):
            if item.id is not None and item.id in self.history.conversation:
                previous = item.id
                continue
            # Named by us, so that the next one can follow it.
            name = item.id or f"filtered_{self._event_id}_{number}"
            create = ConversationItemCreate(item=evolve(item, id=name), previous_item_id=previous)
            if previous == "root":
                self.history.first.add(name)
            effects.append(Send(create))
            previous = name
        return effects


def _complete(settings: SessionModelSettings) -> SessionModelSettings:
    """An agent without instructions must not speak with those of the one before."""
    return evolve(settings, instructions=settings.instructions or "")
