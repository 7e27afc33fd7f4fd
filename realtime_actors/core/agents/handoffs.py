"""Passing the conversation from one agent to another, wholly or not at all.

    Settled --resolved--> Acknowledging --session.updated--> Settled, with the new agent
                            |-- refused, or not answered --> Settled, with the old one

An agent with another voice may need another connection: see `reconnecting`. The model asks for
a handoff by a call, the program by a verb: who asked is told what became of it.

Between the two no response is asked for: the new agent's first words follow its own
instructions. Agents that pass the conversation to and fro are stopped: so many handoffs, and
then the user has to say something.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Sequence
from typing import Final

from attrs import define, evolve, field, frozen

from realtime_actors import events, messages
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    CancelTool,
    Effects,
    Publish,
    Refuse,
    RunHandoff,
    SetTimer,
)
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.messages import HandoffResolved, ResolvedAgent, ToolFinished
from realtime_actors.core.responses.response import ResponseMachine
from realtime_actors.core.settings import (
    Configuration,
    ForHandoff,
    ForNobody,
)
from realtime_actors.core.speech.speech import Speech
from realtime_actors.core.tools.tool_calls import Call, ToolCalls, tool_timer
from realtime_actors.errors import (
    ConfigError,
    LocalProtocolError,
    RealtimeError,
    SessionUpdateError,
)
from realtime_actors.items import Item

__all__ = ["Handoffs", "handoff_timer"]

_HANDOFF: Final = "handoff"
"""Why no response is asked for while one is under way."""

RESOLVE_WITHIN: Final = 10.0
"""Seconds until an agent that the program hands over to has its instructions. Ours."""


def handoff_timer(call_id: str) -> Hashable:
    """The key of the timer that limits how long a handoff of the program's may take to begin."""
    return ("handoff", call_id)


@frozen(kw_only=True)
class Asked:
    """A handoff that the program has asked for."""

    caller: object
    handoff: Handoff
    source: Agent
    shown: Sequence[Item] = field(repr=False)


@define(kw_only=True)
class Handoffs:
    """Which agent speaks, and the handoff under way, if any."""

    info: events.EventInfo
    new_id: Callable[[], str]
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
    _asked: dict[str, Asked] = field(factory=dict)  # by what stands for the id of a call

    @property
    def agent(self) -> Agent:
        """The agent that is speaking to the user."""
        return self.current.agent

    @property
    def is_under_way(self) -> bool:
        """Another agent is about to take over."""
        return self._under_way is not None

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

    def ask(self, verb: messages.HandOff, caller: object, shown: Sequence[Item]) -> Effects:
        """The program hands over: find out about the agent. The model has not asked for it.

        Raises `ConfigError` for what is no agent.
        """
        handoff = Handoff(verb.agent) if isinstance(verb.agent, Agent) else verb.agent
        if not isinstance(handoff, Handoff):
            raise ConfigError(f"hand_off takes an agent or a Handoff, not {handoff!r}")
        call_id = self.new_id()
        self._asked[call_id] = Asked(caller=caller, handoff=handoff, source=self.agent, shown=shown)
        run = RunHandoff(
            call_id=call_id,
            handoff=handoff,
            arguments="{}",
            agent=self.agent,
            history=shown,
            by_model=False,
            max_message_bytes=self.calls.outputs.max_message_bytes,
        )
        return [run, SetTimer(handoff_timer(call_id), RESOLVE_WITHIN)]

    def is_open(self, call_id: str) -> bool:
        """Whether somebody waits for the outcome of a handoff."""
        return call_id in self._asked or self.calls.get(call_id) is not None

    def not_resolved(self, finished: ToolFinished) -> Effects | None:
        """Take the failure of a handoff that the program has asked for; None of anything else."""
        if finished.call_id not in self._asked:
            return None
        why = (finished.error or "").removeprefix("Error: ")
        return self._refuse(finished.call_id, ConfigError(f"the handoff failed: {why}"))

    def time_out(self, call_id: str) -> Effects:
        """What the program hands over to is not there in time."""
        if call_id not in self._asked:
            return []
        late = ConfigError(f"the agent was not set up within {RESOLVE_WITHIN:g} s")
        return [CancelTool(call_id), *self._refuse(call_id, late)]

    def resolved(self, handoff: HandoffResolved) -> Effects:
        """A handoff found its agent: tell the server."""
        call_id = handoff.call_id
        asked, call = self._asked.get(call_id), self.calls.get(call_id)
        if call is not None:
            source, reconnects = call.agent, _reconnects(call.target)
        elif asked is not None:
            source, reconnects = asked.source, _reconnects(asked.handoff)
        else:
            return []  # it has its outcome: it was too late
        if self._under_way is not None or source is not self.agent:
            other = self._under_way.resolved.agent if self._under_way else self.agent
            why = f"the conversation was already handed to {other.name}"
            return self._fail(call_id, LocalProtocolError(why))
        settings = self.configuration.of_agent(handoff.resolved, self.current)
        changes = self.configuration.changes_to(settings)
        changes_voice = self._changes_voice(handoff)
        too_late = changes_voice and self.speech.started
        if not changes_voice:
            changes = evolve(changes, voice=None)
        if too_late and not reconnects:
            name, voice = handoff.resolved.agent.name, changes.voice
            why = (
                f"the transfer to {name} failed: its voice is {voice!r}, and a voice cannot"
                " change once the model has spoken"
            )
            return self._fail(call_id, LocalProtocolError(why))
        self._under_way, self._in_doubt = handoff, self.configuration.gave_up
        self.responses.hold(_HANDOFF)
        key = tool_timer(call_id) if asked is None else handoff_timer(call_id)
        if too_late:
            return [CancelTimer(key), *self.reconnect(handoff)]
        return [CancelTimer(key), *self.configuration.update(changes, ForHandoff(handoff))]

    def acknowledged(self, handoff: HandoffResolved) -> Effects:
        """The server has the new agent's configuration: it is the current one."""
        source, self.current = self.agent, handoff.resolved
        self.configuration.has_own_tools = False
        asked = self._asked.pop(handoff.call_id, None)
        self._since_user += asked is None
        agent = self.agent
        effects: Effects = [
            Publish(events.HandoffEvent(from_agent=source, to_agent=agent, info=self.info))
        ]
        if agent.hooks is not None:
            effects.append(CallHook(agent, "on_handoff", (source,)))
        if handoff.history is not None:
            shown = self.calls.shown(handoff.call_id) if asked is None else asked.shown
            effects += self._filtered(shown, handoff.history)
        if asked is None:
            text = f"Transferred to {agent.name}"
            effects += self.calls.finish(handoff.call_id, text, passed_to=agent)
        else:
            effects.append(Answer(asked.caller))
        self._settle()
        return effects

    def refused(self, handoff: HandoffResolved, why: str) -> Effects:
        """The server does not take the new agent's configuration."""
        name = handoff.resolved.agent.name
        self._settle()
        error = SessionUpdateError(f"the transfer to {name} failed: {why}")
        return self._fail(handoff.call_id, error)

    def unanswered(
        self, handoff: HandoffResolved, why: str, changes: SessionModelSettings
    ) -> Effects:
        """The server does not answer, or not clearly. What it may have taken is put back.

        `changes` is what it was told. The voice is put back by itself: if it can't be any more,
        the rest is put back all the same.
        """
        in_force = self.configuration.settings
        before = SessionModelSettings(
            instructions=in_force.instructions or "",
            tools=in_force.tools or (),
            tool_choice=in_force.tool_choice,
        )
        if self._in_doubt:
            # It may be the late answer to an update that has been undone since.
            before = self.configuration.of_agent(self.current, handoff.resolved)
        undo = self.configuration.update(evolve(before, voice=None), ForNobody())
        if changes.voice is not None and in_force.voice is not None:
            voice = SessionModelSettings(voice=in_force.voice)
            undo += self.configuration.update(voice, ForNobody())
        return [*undo, *self.refused(handoff, why)]

    def _filtered(self, shown: Sequence[Item], wanted: Sequence[Item]) -> Effects:
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
        asked = self._asked.get(handoff.call_id)
        shown = self.calls.shown(handoff.call_id) if asked is None else asked.shown
        try:
            return self.editing.filter_untold(shown, handoff.history)
        except ConfigError as error:
            hidden = {item.id for item in shown} - {item.id for item in handoff.history}
            left = [item for item in items if item.id not in hidden]
            return [self._filter_failed(error)], left, ()

    def lost(self, error: RealtimeError) -> Effects:
        """The connection is gone. A call is ended with all the others."""
        self._settle()
        return [
            effect
            for call_id in tuple(self._asked)
            for effect in (CancelTool(call_id), *self._refuse(call_id, error))
        ]

    def _fail(self, call_id: str, error: RealtimeError) -> Effects:
        """Tell who asked for a handoff that it came to nothing."""
        if call_id in self._asked:
            return self._refuse(call_id, error)
        return self.calls.finish(call_id, f"Error: {error}", f"Error: {error}")

    def _refuse(self, call_id: str, error: RealtimeError) -> Effects:
        asked = self._asked.pop(call_id)
        return [CancelTimer(handoff_timer(call_id)), Refuse(asked.caller, error)]

    def _changes_voice(self, handoff: HandoffResolved) -> bool:
        wanted = self.configuration.of_agent(handoff.resolved, self.current).voice
        return wanted not in (None, self.configuration.settings.voice)

    def _settle(self) -> None:
        self._under_way = None
        self.responses.release(_HANDOFF)


def _reconnects(target: object) -> bool:
    return isinstance(target, Handoff) and target.voice == "reconnect"
