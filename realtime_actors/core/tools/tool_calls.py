"""Exactly one outcome for every tool call.

    called --> Waiting --> Running --finished, died, timed out, cancelled--> answered
                  ^           |                                                 ^
                  |           +--needs approval--> Suspended --rejected---------+
                  +------------------approved----------+

A call waits only while as many run as may run at once.

A call has an id of its own in the session, which is the server's unless that came before, and
is answered by what the server knows it by. The first outcome counts; what comes later is
dropped. When the last call of a response is answered, the model is asked to go on (see
`rounds`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

from attrs import define, evolve, field, frozen

from realtime_actors import events
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import ToolTexts
from realtime_actors.core.effects import CancelTool, RunHandoff, RunTool
from realtime_actors.core.loss import Loss
from realtime_actors.core.messages import ToolRefused
from realtime_actors.core.outbox import Outbox
from realtime_actors.core.recent import Recent
from realtime_actors.core.tools.hosted_calls import HostedCalls
from realtime_actors.core.tools.outputs import Outcome, Outputs
from realtime_actors.core.tools.rounds import Rounds
from realtime_actors.items import InputImage, Item
from realtime_actors.surrogates import replace_surrogates
from realtime_actors.tools import Tool

__all__ = ["Call", "ToolCalls", "tool_timer"]

Target: TypeAlias = Tool | Handoff | None


def tool_timer(call_id: str) -> Hashable:
    """Return the key of the timer that limits a call."""
    return ("tool", call_id)


@frozen(kw_only=True)
class Call:
    """One call of a tool or a handoff by the model."""

    call_id: str
    """Ours: no other call of the session has it."""
    server_id: str
    """What its output names: the server's id of the call, or else of its item."""
    item_id: str | None
    response_id: str | None
    name: str
    arguments: str = field(repr=False)
    agent: Agent
    target: Target


@define(kw_only=True)
class ToolCalls:
    """The calls that are open."""

    outbox: Outbox
    rounds: Rounds
    outputs: Outputs
    hosted: HostedCalls
    """Those that the server makes by itself."""
    at_once: int | None = None
    """How many may run at a time; None for all."""
    timeout: float | None = None
    """Seconds for a tool that sets none itself."""
    texts: ToolTexts = field(factory=ToolTexts)
    """What the model is told in place of an output, by tools that don't say it themselves."""
    made: Recent[str, str | None] = field(factory=Recent)
    """The items of the last calls that the server knows, by what it knows them by."""
    _open: dict[str, Call] = field(factory=dict)
    _running: set[str] = field(factory=set)
    _suspended: set[str] = field(factory=set)
    _approved: set[str] = field(factory=set)
    _names: Recent[str, int] = field(factory=Recent)  # and how often they were given
    _shown: dict[str, Sequence[Item]] = field(factory=dict)

    @property
    def open(self) -> tuple[Call, ...]:
        """The calls without an outcome, oldest first."""
        return tuple(self._open.values())

    @property
    def owed(self) -> bool:
        """Some call is not answered."""
        return bool(self._open) or self.hosted.owed

    def get(self, call_id: str) -> Call | None:
        """Return an open call."""
        return self._open.get(call_id)

    def shown(self, call_id: str) -> Sequence[Item]:
        """Return the history that an open handoff was shown."""
        return self._shown.get(call_id, ())

    def new_name(self, server_id: str) -> str:
        """Return an id for a call that no other has: a server may give one more than once."""
        name, number = server_id, self._names.get(server_id, 1)
        while name in self._names:
            number += 1
            name = f"{server_id}#{number}"
        self._names[server_id] = number
        self._names.setdefault(name, 1)
        return name

    def known_as(self, call_id: str, server_id: str | None) -> None:
        """Note by what the server knows a call."""
        call = self._open.get(call_id)
        if call is not None and server_id is not None:
            self._open[call_id] = evolve(call, server_id=server_id)
            self.made[server_id] = call.item_id

    def called(self, call: Call, *, late: bool = False) -> None:
        """Take a call of the model's. `late`: the response that made it is done already."""
        self._open[call.call_id] = call
        self.made[call.server_id] = call.item_id
        self.rounds.called(call.response_id, call.call_id, late=late)
        self.outbox.publish(
            events.ToolStartEvent,
            agent=call.agent,
            tool=call.target,
            name=call.name,
            call_id=call.call_id,
            arguments=call.arguments,
        )
        self.outbox.call_hook(call.agent, "on_tool_start", call.target, call.arguments)

    def run(self, history: Callable[[], Sequence[Item]]) -> None:
        """Start the calls whose turn it is. An unknown tool is answered at once."""
        while due := self._due():
            for call in due:
                self._start(call, history)

    def finish(
        self,
        call_id: str,
        output: str,
        error: str | None = None,
        images: tuple[InputImage, ...] = (),
        *,
        spoken_of: bool = True,
        passed_to: Agent | None = None,
    ) -> None:
        """Take an outcome and tell the model. Does nothing when the call has one.

        `spoken_of`: the model is asked to speak of it. `passed_to`: who is the current agent
        by it, if that is not the one that called.
        """
        call = self._close(call_id, spoken_of=spoken_of)
        if call is None:
            return
        outcome = self.outputs.within_limits(
            Outcome(
                call_id=call_id,
                server_id=call.server_id,
                response_id=call.response_id,
                name=call.name,
                text=replace_surrogates(output),
                images=images,
                error=None if error is None else replace_surrogates(error),
                spoken_of=spoken_of,
            )
        )
        # What the subscribers read is what the model is told.
        self.outbox.cancel_timer(tool_timer(call_id))
        self.outputs.send(outcome)
        self._ended(call, outcome.text, outcome.error, passed_to)

    def suspend(self, call_id: str) -> Call | None:
        """Let a call wait for approval. Return it, if it has no outcome yet."""
        call = self._open.get(call_id)
        if call is not None:
            self._running.discard(call_id)
            self._suspended.add(call_id)
        return call

    @property
    def suspended(self) -> frozenset[str]:
        """The calls that wait for approval."""
        return frozenset(self._suspended)

    @property
    def not_begun(self) -> tuple[Call, ...]:
        """The calls that wait to be run, or to be approved."""
        return tuple(call for key, call in self._open.items() if key not in self._running)

    def interrupt(self, call: Call) -> None:
        """Answer a call that is not run, because its response was stopped."""
        why = f"Error: {call.name} was not run: the response that called it was interrupted"
        self.finish(call.call_id, why, why, spoken_of=False)

    def resume(self, call_id: str) -> None:
        """Let a suspended call run when its turn comes: it is approved."""
        self._suspended.discard(call_id)
        self._approved.add(call_id)

    def refuse(self, refused: ToolRefused) -> None:
        """Answer a call over which, or over whose output, a guardrail tripped."""
        call = self._open.get(refused.call_id)
        if call is None:
            return
        was_run = refused.withheld is not None
        self.outbox.publish(
            events.GuardrailTrippedEvent,
            guardrail=refused.guardrail,
            kind="tool_output" if was_run else "tool",
            response_id=call.response_id,
            call_id=call.call_id,
            reason=refused.reason,
            text=refused.withheld if refused.withheld is not None else call.arguments,
        )
        because = f": {refused.reason}" if refused.reason else ""
        did = "withheld the output" if was_run else "stopped the call"
        why = f"Error: the guardrail {refused.guardrail!r} {did} of {call.name}{because}"
        self.finish(call.call_id, why, why)

    def progressed(self, call_id: str, message: str) -> None:
        """Tell how far a tool is. Does nothing once the call has its outcome."""
        call = self._open.get(call_id)
        if call is not None:
            self.outbox.publish(
                events.ToolProgressEvent,
                agent=call.agent,
                tool=call.target,
                name=call.name,
                call_id=call_id,
                message=message,
            )

    def time_out(self, call_id: str) -> None:
        """Answer a call that took too long, and tell its task to stop."""
        call = self._open.get(call_id)
        if call is None:
            return
        seconds = self._timeout_of(call) or 0.0
        told = self.texts_of(call).after_timeout(call.name, seconds)
        why = ToolTexts().after_timeout(call.name, seconds)
        self.outbox.do(CancelTool(call_id))
        self.finish(call_id, told, why)

    def texts_of(self, call: Call) -> ToolTexts:
        """Return what the model is told when a call comes to nothing."""
        own = call.target.texts if isinstance(call.target, Tool) else ToolTexts()
        return own.over(self.texts)

    def moved(self) -> None:
        """Know the open calls by our ids of them: so another connection is told of them."""
        self.made.clear()
        for call_id, call in self._open.items():
            self._open[call_id] = evolve(call, server_id=call_id)
            self.made[call_id] = call.item_id
        self.hosted.moved()
        self.outputs.forget()

    def lost(self, loss: Loss) -> None:
        """End all calls here: the connection is gone, and the server can't be told any more."""
        why = f"Error: {loss.error}"
        for call in self.open:
            self._close(call.call_id)
            self.outbox.do(CancelTool(call.call_id))
            self.outbox.cancel_timer(tool_timer(call.call_id))
            self._ended(call, why, why)
        self.rounds.abandoned()
        self.outputs.forget()

    def _due(self) -> list[Call]:
        busy = self._running | self._suspended
        waiting = [call for call_id, call in self._open.items() if call_id not in busy]
        if self.at_once is not None:
            waiting = waiting[: max(0, self.at_once - len(self._running))]
        self._running.update(call.call_id for call in waiting)
        return waiting

    def _start(self, call: Call, history: Callable[[], Sequence[Item]]) -> None:
        match call.target:
            case None:
                why = f"Error: Unknown tool {call.name}"
                if not call.name:
                    why = "Error: the call names no tool"
                self.finish(call.call_id, why, why)
            case Tool() as tool:
                run = RunTool(
                    call_id=call.call_id,
                    tool=tool,
                    arguments=call.arguments,
                    agent=call.agent,
                    approved=call.call_id in self._approved,
                    texts=self.texts_of(call),
                )
                self.outbox.do(run)
                self._limit(call)
            case Handoff() as handoff:
                self._shown[call.call_id] = history()
                hand_off = RunHandoff(
                    call_id=call.call_id,
                    handoff=handoff,
                    arguments=call.arguments,
                    agent=call.agent,
                    history=self._shown[call.call_id],
                    texts=self.texts,
                    max_message_bytes=self.outputs.max_message_bytes,
                )
                self.outbox.do(hand_off)
                self._limit(call)

    def _limit(self, call: Call) -> None:
        timeout = self._timeout_of(call)
        if timeout is not None:
            self.outbox.set_timer(tool_timer(call.call_id), timeout)

    def _timeout_of(self, call: Call) -> float | None:
        own = call.target.timeout if isinstance(call.target, Tool) else None
        return self.timeout if own is None else own

    def _close(self, call_id: str, *, spoken_of: bool = False) -> Call | None:
        call = self._open.pop(call_id, None)
        if call is not None:
            for state in (self._running, self._suspended, self._approved):
                state.discard(call_id)
            self._shown.pop(call_id, None)
            output = call.server_id if spoken_of else None
            self.rounds.answered(call.response_id, call_id, output)
        return call

    def _ended(
        self, call: Call, output: str, error: str | None, passed_to: Agent | None = None
    ) -> None:
        self.outbox.publish(
            events.ToolEndEvent,
            agent=passed_to or call.agent,
            tool=call.target,
            name=call.name,
            call_id=call.call_id,
            output=output,
            error=error,
        )
        self.outbox.call_hook(call.agent, "on_tool_end", call.target, output)
