"""Passing the conversation from one agent to another, wholly or not at all.

    Settled --resolved--> Acknowledging --session.updated--> Settled, with the new agent
                            |-- refused, or not answered --> Settled, with the old one

An agent with another voice may need another connection: see `core.connection`. The model asks for
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
from realtime_actors.core.effects import CancelTool, RunHandoff
from realtime_actors.core.history.editing import Editing
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import HandoffResolved, ResolvedAgent, ToolFinished
from realtime_actors.core.outbox import Outbox
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

    outbox: Outbox
    current: ResolvedAgent
    configuration: Configuration
    responses: ResponseMachine
    calls: ToolCalls
    editing: Editing
    speech: Speech
    reconnect: Callable[[HandoffResolved], None]
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

    def called(self, call: Call) -> None:
        """Refuse the call of a handoff when the agents keep passing the conversation on."""
        if not isinstance(call.target, Handoff) or self._since_user < self.limit:
            return
        why = (
            f"Error: the conversation was handed over {self._since_user} times and the user has"
            " not said anything since: answer the user yourself"
        )
        self.outbox.publish_error(
            "too_many_handoffs",
            why.removeprefix("Error: "),
            response_id=call.response_id,
            source="handoff",
        )
        self.calls.finish(call.call_id, why, why)

    def ask(self, verb: messages.HandOff, caller: object, shown: Sequence[Item]) -> None:
        """The program hands over: find out about the agent. The model has not asked for it.

        Raises `ConfigError` for what is no agent.
        """
        handoff = Handoff(verb.agent) if isinstance(verb.agent, Agent) else verb.agent
        if not isinstance(handoff, Handoff):
            raise ConfigError(f"hand_off takes an agent or a Handoff, not {handoff!r}")
        call_id = self.outbox.new_id()
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
        self.outbox.do(run)
        self.outbox.set_timer(handoff_timer(call_id), RESOLVE_WITHIN)

    def is_open(self, call_id: str) -> bool:
        """Return whether the outcome of a handoff is waited for."""
        return call_id in self._asked or self.calls.get(call_id) is not None

    def not_resolved(self, finished: ToolFinished) -> bool:
        """Take the failure of a handoff of the program's. Return whether it is one."""
        if finished.call_id not in self._asked:
            return False
        why = (finished.error or "").removeprefix("Error: ")
        self._refuse(finished.call_id, ConfigError(f"the handoff failed: {why}"))
        return True

    def time_out(self, call_id: str) -> None:
        """What the program hands over to is not there in time."""
        if call_id in self._asked:
            late = ConfigError(f"the agent was not set up within {RESOLVE_WITHIN:g} s")
            self.outbox.do(CancelTool(call_id))
            self._refuse(call_id, late)

    def resolved(self, handoff: HandoffResolved) -> None:
        """A handoff found its agent: tell the server."""
        call_id = handoff.call_id
        asked, call = self._asked.get(call_id), self.calls.get(call_id)
        if call is not None:
            source, reconnects = call.agent, _reconnects(call.target)
        elif asked is not None:
            source, reconnects = asked.source, _reconnects(asked.handoff)
        else:
            return  # it has its outcome: it was too late
        if self._under_way is not None or source is not self.agent:
            other = self._under_way.resolved.agent if self._under_way else self.agent
            why = f"the conversation was already handed to {other.name}"
            self._fail(call_id, LocalProtocolError(why))
            return
        settings = self.configuration.of_agent(handoff.resolved, self.current)
        changes = self.configuration.changes_to(settings)
        changes_voice = self._changes_voice(handoff)
        # Where there is no connection, the next one has not spoken yet.
        too_late = changes_voice and self.speech.started and not self.outbox.keeps_back
        if not changes_voice:
            changes = evolve(changes, voice=None)
        if too_late and not reconnects:
            name, voice = handoff.resolved.agent.name, changes.voice
            why = (
                f"the transfer to {name} failed: its voice is {voice!r}, and a voice cannot"
                " change once the model has spoken"
            )
            self._fail(call_id, LocalProtocolError(why))
            return
        self._under_way, self._in_doubt = handoff, self.configuration.gave_up
        self.responses.hold(_HANDOFF)
        key = tool_timer(call_id) if asked is None else handoff_timer(call_id)
        self.outbox.cancel_timer(key)
        if too_late:
            self.reconnect(handoff)
        else:
            self.configuration.update(changes, ForHandoff(handoff))

    def acknowledged(self, handoff: HandoffResolved) -> None:
        """The server has the new agent's configuration: it is the current one."""
        source, self.current = self.agent, handoff.resolved
        self.configuration.has_own_tools = False
        asked = self._asked.pop(handoff.call_id, None)
        self._since_user += asked is None
        agent = self.agent
        self.outbox.publish(events.HandoffEvent, from_agent=source, to_agent=agent)
        self.outbox.call_hook(agent, "on_handoff", source)
        if handoff.history is not None:
            shown = self.calls.shown(handoff.call_id) if asked is None else asked.shown
            self._filter(shown, handoff.history)
        if asked is None:
            text = f"Transferred to {agent.name}"
            self.calls.finish(handoff.call_id, text, passed_to=agent)
        else:
            self.outbox.answer(asked.caller)
        self._settle()

    def refused(self, handoff: HandoffResolved, why: str) -> None:
        """The server does not take the new agent's configuration."""
        name = handoff.resolved.agent.name
        self._settle()
        error = SessionUpdateError(f"the transfer to {name} failed: {why}")
        self._fail(handoff.call_id, error)

    def unanswered(self, handoff: HandoffResolved, why: str, changes: SessionModelSettings) -> None:
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
        self.configuration.update(evolve(before, voice=None), ForNobody())
        if changes.voice is not None and in_force.voice is not None:
            voice = SessionModelSettings(voice=in_force.voice)
            self.configuration.update(voice, ForNobody())
        self.refused(handoff, why)

    def _filter(self, shown: Sequence[Item], wanted: Sequence[Item]) -> None:
        try:
            self.editing.filter(shown, wanted)
        except ConfigError as error:
            # The handoff stands; the new agent knows more than it was meant to.
            self._filter_failed(error)

    def _filter_failed(self, error: ConfigError) -> None:
        self.outbox.publish_error("input_filter", str(error), source="handoff")

    def told_to_another(self, handoff: HandoffResolved) -> tuple[Sequence[Item], Container[str]]:
        """Return what another server is told of the conversation: what the filter has left of it.

        And which of that the history does not have yet.
        """
        items = self.editing.history.items
        if handoff.history is None:
            return items, ()
        asked = self._asked.get(handoff.call_id)
        shown = self.calls.shown(handoff.call_id) if asked is None else asked.shown
        try:
            return self.editing.filter_untold(shown, handoff.history)
        except ConfigError as error:
            hidden = {item.id for item in shown} - {item.id for item in handoff.history}
            left = [item for item in items if item.id not in hidden]
            self._filter_failed(error)
            return left, ()

    def lost(self, loss: Loss) -> None:
        """The connection is gone. A call is ended with all the others."""
        self._settle()
        for call_id in tuple(self._asked):
            self.outbox.do(CancelTool(call_id))
            self._refuse(call_id, loss.error)

    def _fail(self, call_id: str, error: RealtimeError) -> None:
        """Tell who asked for a handoff that it came to nothing."""
        if call_id in self._asked:
            self._refuse(call_id, error)
        else:
            self.calls.finish(call_id, f"Error: {error}", f"Error: {error}")

    def _refuse(self, call_id: str, error: RealtimeError) -> None:
        asked = self._asked.pop(call_id)
        self.outbox.cancel_timer(handoff_timer(call_id))
        self.outbox.refuse(asked.caller, error)

    def _changes_voice(self, handoff: HandoffResolved) -> bool:
        wanted = self.configuration.of_agent(handoff.resolved, self.current).voice
        return wanted not in (None, self.configuration.settings.voice)

    def _settle(self) -> None:
        self._under_way = None
        self.responses.release(_HANDOFF)


def _reconnects(target: object) -> bool:
    return isinstance(target, Handoff) and target.voice == "reconnect"
