"""What the model is offered to call, asked again where it may have changed.

    Settled --a call was refused, or the program updates the session--> Asking
       ^                                                                  |
       +--- the same, or told with an update of the session --- answered -+

`is_enabled` may be a permission, so it is asked before each call, in the call's task. What it
says is also what the model is offered: when a call was refused, or the session is updated
anyhow, the tools and handoffs of the agent are asked for anew, and the server is told of what
changed.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from attrs import define, evolve

from realtime_actors.config import SessionModelSettings
from realtime_actors.core.agents.handoffs import Handoffs
from realtime_actors.core.effects import ResolveTools
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import ResolvedAgent, ToolsNotResolved, ToolsResolved
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.settings import Configuration, ForNobody, difference
from realtime_actors.core.tools.tool_calls import ToolCalls

__all__ = ["OFFERS_TIMER", "Offers"]

OFFERS_TIMER: Final[Hashable] = "offers"

RESOLVE_WITHIN: Final = 30.0
"""Seconds for the program to say what is enabled. Ours: one function that hangs must not keep
the others from being asked again."""


@define(kw_only=True)
class Offers:
    """Whether the current agent's tools are being asked for."""

    outbox: Outbox
    configuration: Configuration
    handoffs: Handoffs
    calls: ToolCalls
    _is_asking: bool = False
    _asks_again: bool = False

    def refused(self, call_id: str) -> None:
        """Tell the model of a tool or a handoff that is not enabled, and was not run."""
        call = self.calls.get(call_id)
        if call is not None:
            why = f"Error: {call.name} is not available now"
            self.calls.finish(call_id, why, why)
            self.ask()

    def ask(self) -> None:
        """Ask what the current agent offers now, unless that can't have changed."""
        if not self.handoffs.agent.offers_vary:
            return
        if self._is_asking:
            self._asks_again = True
            return
        self._is_asking = True
        self.outbox.do(ResolveTools(self.handoffs.agent))
        self.outbox.set_timer(OFFERS_TIMER, RESOLVE_WITHIN)

    def resolved(self, found: ToolsResolved) -> None:
        """Tell the server what the current agent offers, where that has changed."""
        if self._is_to_ask_again():
            self.ask()
        if not self._is_asking:
            self._changed(found)

    def _changed(self, found: ToolsResolved) -> None:
        current = self.handoffs.current
        if found.resolved.agent is not current.agent or self.handoffs.is_under_way:
            return  # the next agent's are told with its other settings
        if found.resolved.definitions == current.definitions:
            return
        self.handoffs.current = with_tools(current, found.resolved)
        if self.configuration.has_own_tools:
            return  # the program has chosen others, until the next handoff
        before = self.configuration.of_agent(current, current)
        after = self.configuration.of_agent(self.handoffs.current, current)
        changes = difference(_offered(before), _offered(after))
        if changes != SessionModelSettings():
            self.configuration.update(changes, ForNobody())

    def not_resolved(self, failure: ToolsNotResolved) -> None:
        """Leave what is offered as it is: it could not be found out. Calls are asked about."""
        asks_again = self._is_to_ask_again()
        self._failed(failure.error)
        if asks_again:
            self.ask()

    def time_out(self) -> None:
        """Leave what is offered as it is: the program has not said what is enabled in time."""
        self._is_asking = self._asks_again = False
        why = f"is_enabled of a tool of {self.handoffs.agent.name!r} did not answer in time"
        self._failed(f"{why}: what the model is offered stays as it is")

    def lost(self, loss: Loss) -> None:
        """Ask no more: the connection is gone, and no offer can be told."""
        if self._is_asking:
            self._is_asking = self._asks_again = False
            self.outbox.cancel_timer(OFFERS_TIMER)

    def _is_to_ask_again(self) -> bool:
        """Note an answer. Return whether to ask again, since more may have changed meanwhile."""
        again, self._is_asking, self._asks_again = self._asks_again, False, False
        self.outbox.cancel_timer(OFFERS_TIMER)
        return again

    def _failed(self, why: str) -> None:
        self.outbox.publish_error("is_enabled_failed", why, source="tool")


def with_tools(current: ResolvedAgent, found: ResolvedAgent) -> ResolvedAgent:
    """Return an agent with what it offers now."""
    return evolve(
        current, tools=found.tools, handoffs=found.handoffs, definitions=found.definitions
    )


def _offered(settings: SessionModelSettings) -> SessionModelSettings:
    return SessionModelSettings(tools=settings.tools, tool_choice=settings.tool_choice)
