"""Passing the conversation from one agent to another, wholly or not at all.

    Settled --resolved--> Acknowledging --session.updated--> Settled, with the new agent
                            |-- refused, or not answered --> Settled, with the old one

An agent with another voice may need another connection: see `reconnecting`.

Between the two no response is asked for: the new agent's first words follow its own
instructions. Agents that pass the conversation to and fro are stopped: so many handoffs, and
then the user has to say something.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Final

from attrs import define, evolve

from realtime_actors import events
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.configuration import (
    Configuration,
    ForHandoff,
    ForNobody,
)
from realtime_actors.core.editing import Editing
from realtime_actors.core.effects import CallHook, CancelTimer, Effects, Publish
from realtime_actors.core.messages import HandoffResolved, ResolvedAgent
from realtime_actors.core.response import ResponseMachine
from realtime_actors.core.speech import Speech
from realtime_actors.core.tool_calls import Call, ToolCalls, tool_timer
from realtime_actors.errors import ConfigError
from realtime_actors.items import Item

__all__ = ["Handoffs"]

_HANDOFF: Final = "handoff"
"""Why no response is asked for while one is under way."""


@define(kw_only=True)
class Handoffs:
    """Which agent speaks, and the handoff under way, if any."""

    info: events.EventInfo
    current: ResolvedAgent
    configuration: Configuration
    responses: ResponseMachine
    calls: ToolCalls
    editing: Editing
    speech: Speech
    reconnect: Callable[[HandoffResolved], Effects]
    """Make a connection of its own for the new agent."""
    limit: int = 5
    """How often the conversation may be passed on before the user has a say again."""
    _under_way: HandoffResolved | None = None
    _in_doubt: bool = False  # what is in force was not sure when it began
    _since_user: int = 0

    @property
    def agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self.current.agent

    def user_spoke(self) -> None:
        """The user has said or written something."""
        self._since_user = 0

    def called(self, call: Call) -> Effects:
        """Refuse the call of a handoff when the agents keep passing the conversation on."""
        if not isinstance(call.target, Handoff) or self._since_user < self.limit:
            return []
        why = (
            f"Error: the conversation was handed over {self._since_user} times and the user has"
            " not said anything since: answer the user yourself"
        )
        info = events.ErrorInfo(type="too_many_handoffs", message=why.removeprefix("Error: "))
        error = events.ErrorEvent(
            error=info, response_id=call.response_id, source="handoff", info=self.info
        )
        return [Publish(error), *self.calls.finish(call.call_id, why, why)]

    def resolved(self, handoff: HandoffResolved) -> Effects:
        """A handoff call found its agent: tell the server."""
        call = self.calls.get(handoff.call_id)
        if call is None:
            return []  # it has its outcome: it was too late
        if self._under_way is not None or call.agent is not self.agent:
            other = self._under_way.resolved.agent if self._under_way else self.agent
            why = f"Error: the conversation was already handed to {other.name}"
            return self.calls.finish(call.call_id, why, why)
        settings = self.configuration.of_agent(handoff.resolved, self.current)
        changes = self.configuration.changes_to(settings)
        changes_voice = self._changes_voice(handoff)
        too_late = changes_voice and self.speech.started
        if not changes_voice:
            changes = evolve(changes, voice=None)
        if too_late and not _reconnects(call):
            name, voice = handoff.resolved.agent.name, changes.voice
            why = (
                f"Error: the transfer to {name} failed: its voice is {voice!r}, and a voice"
                " cannot change once the model has spoken"
            )
            return self.calls.finish(call.call_id, why, why)
        self._under_way, self._in_doubt = handoff, self.configuration.gave_up
        self.responses.hold(_HANDOFF)
        timer = CancelTimer(tool_timer(call.call_id))
        if too_late:
            return [timer, *self.reconnect(handoff)]
        return [timer, *self.configuration.update(changes, ForHandoff(handoff))]

    def acknowledged(self, handoff: HandoffResolved) -> Effects:
        """The server has the new agent's configuration: it is the current one."""
        source, self.current = self.agent, handoff.resolved
        self._since_user += 1
        agent = self.agent
        effects: Effects = [
            Publish(events.HandoffEvent(from_agent=source, to_agent=agent, info=self.info))
        ]
        if agent.hooks is not None:
            effects.append(CallHook(agent, "on_handoff", (source,)))
        if handoff.history is not None:
            effects += self._filtered(self.calls.shown(handoff.call_id), handoff.history)
        effects += self.calls.finish(handoff.call_id, f"Transferred to {agent.name}")
        self._settle()
        return effects

    def refused(self, handoff: HandoffResolved, why: str) -> Effects:
        """The server does not take the new agent's configuration."""
        name = handoff.resolved.agent.name
        text = f"Error: the transfer to {name} failed: {why}"
        self._settle()
        return self.calls.finish(handoff.call_id, text, text)

    def unanswered(self, handoff: HandoffResolved, why: str) -> Effects:
        """The server does not answer, or not clearly. What it may have taken is put back."""
        in_force = self.configuration.settings
        before = SessionModelSettings(
            instructions=in_force.instructions or "",
            tools=in_force.tools or (),
            tool_choice=in_force.tool_choice,
        )
        if self._in_doubt:
            # It may be the late answer to an update that has been undone since.
            before = self.configuration.of_agent(self.current, handoff.resolved)
        voice = in_force.voice if self._changes_voice(handoff) else None
        undo = self.configuration.update(evolve(before, voice=voice), ForNobody())
        return [*undo, *self.refused(handoff, why)]

    def _filtered(self, shown: tuple[Item, ...], wanted: tuple[Item, ...]) -> Effects:
        try:
            return self.editing.filter(shown, wanted)
        except ConfigError as error:
            # The handoff stands; the new agent knows more than it was meant to.
            return [self._filter_failed(error)]

    def _filter_failed(self, error: ConfigError) -> Publish:
        info = events.ErrorInfo(type="input_filter", message=str(error))
        return Publish(events.ErrorEvent(error=info, source="handoff", info=self.info))

    def told_to_another(
        self, handoff: HandoffResolved
    ) -> tuple[Effects, Sequence[Item], Container[str]]:
        """Give what another server is told of the conversation: what the filter has left of it.

        And which of that the history does not have yet.
        """
        items = self.editing.history.items
        if handoff.history is None:
            return [], items, ()
        shown = self.calls.shown(handoff.call_id)
        try:
            return self.editing.filter_untold(shown, handoff.history)
        except ConfigError as error:
            hidden = {item.id for item in shown} - {item.id for item in handoff.history}
            left = [item for item in items if item.id not in hidden]
            return [self._filter_failed(error)], left, ()

    def lost(self) -> None:
        """The connection is gone. The call itself is ended with all the others."""
        self._settle()

    def _changes_voice(self, handoff: HandoffResolved) -> bool:
        wanted = self.configuration.of_agent(handoff.resolved, self.current).voice
        return wanted not in (None, self.configuration.settings.voice)

    def _settle(self) -> None:
        self._under_way = None
        self.responses.release(_HANDOFF)


def _reconnects(call: Call) -> bool:
    return isinstance(call.target, Handoff) and call.target.voice == "reconnect"
