"""What runs beside a session, each in a thread of its own, and how the session hears of it.

    started --returns a message--> that message
       |------------- dies ------> the message that its `died` makes of the reason

All that users wrote runs so (`user_code`), and so does connecting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeAlias, TypeVar

from attrs import define, field

from realtime_actors import otp
from realtime_actors.agent import Agent
from realtime_actors.core import effects as fx
from realtime_actors.core.messages import (
    AgentNotResolved,
    HookFailed,
    Message,
    ToolFinished,
    ToolsNotResolved,
)
from realtime_actors.session.handle import Session
from realtime_actors.session.tool_runs import ToolRun
from realtime_actors.session.user_code import (
    HOOKS_LIMIT,
    NO_MORE_HOOKS,
    Finding,
    HookCalls,
    hand_off,
    judge,
    resolve_agent,
    resolve_tools,
    run_hooks,
    run_tool,
    verdict,
)

__all__ = ["Died", "Tasks", "unless_normal"]

log = logging.getLogger("realtime_actors.session")

T = TypeVar("T")

HOOKS_GRACE = 0.3
"""Seconds of an orderly end for the hooks that are due. Ours."""

Died: TypeAlias = Callable[[object], Message | None]
"""What the session is told when a task ends, by the reason; None for nothing."""


def unless_normal(message: Callable[[object], Message]) -> Died:
    """Make a `Died` that has nothing to say of a task that came to its end: it has told itself."""
    return lambda reason: None if reason == otp.NORMAL else message(reason)


@define(eq=False)
class Tasks:
    """All that a session has running. Its owner is the session: no other thread comes here."""

    session: Session
    context: object
    """What was given to `run(context=...)`."""
    variables: Context
    """The context variables of whoever started the session: tasks see these, whichever thread
    starts them, and whatever another task has set."""
    is_over: Callable[[], bool]
    """Whether the session has ended: then it is told nothing more."""

    _died: dict[otp.MonitorRef, Died] = field(factory=dict, init=False)
    _tools: dict[str, ToolRun] = field(factory=dict, init=False)  # by call id
    _hooks: Any = field(default=None, init=False)
    _hook_calls: HookCalls = field(factory=HookCalls, init=False)

    def start(self, died: Died, work: Callable[..., Message | None], *arguments: object) -> Any:
        """Run `work` beside the session; its result, or its death, comes back as a message."""

        def run() -> None:
            message = work(*arguments)
            if message is not None and not self.is_over():
                otp.send(self.session, message)

        task, monitor = self._as_started(otp.Task.start_monitor, run)
        self._died[monitor] = died
        return task

    def down(self, down: otp.Down) -> Message | None:
        """Return what the end of a task means to the session."""
        died = self._died.pop(down.monitor_ref, None)
        return None if died is None else died(down.reason)

    def _as_started(self, start: Callable[..., T], *arguments: object) -> T:
        return self.variables.copy().run(start, *arguments)

    # -- agents, guardrails ----------------------------------------------------------------

    def resolve(self, agent: Agent) -> None:
        """Find out what an agent says and offers."""
        what = f"agent {agent.name!r} could not be set up"
        died = unless_normal(lambda reason: AgentNotResolved(agent, f"{what}: {reason}"))
        self.start(died, resolve_agent, agent, self.context)

    def resolve_tools(self, agent: Agent) -> None:
        """Find out what an agent offers now."""
        what = f"what {agent.name!r} offers is not known"
        died = unless_normal(lambda reason: ToolsNotResolved(agent, f"{what}: {reason}"))
        self.start(died, resolve_tools, agent, self.context)

    def judge(self, effect: fx.RunGuardrails | fx.ScreenInput) -> None:
        """Have guardrails judge what the model says, or what the user has said."""

        def died(reason: object) -> Message:
            names = ", ".join(each.name for each in effect.guardrails)
            return verdict(
                effect, Finding(failure=f"a guardrail ended with {reason}", failed=names)
            )

        self.start(unless_normal(died), judge, effect, self.context)

    # -- calls -----------------------------------------------------------------------------

    def run_tool(self, effect: fx.RunTool) -> None:
        """Run the tool of a call."""
        run = self._tools[effect.call_id] = ToolRun()
        died = self._call_died(effect.call_id, run)
        run.task = self.start(died, run_tool, effect, run, self.session, self.context)

    def run_handoff(self, effect: fx.RunHandoff) -> None:
        """Find the agent that a call hands over to."""
        run = self._tools[effect.call_id] = ToolRun()
        run.task = self.start(self._call_died(effect.call_id, run), hand_off, effect, self.context)

    def cancel_tool(self, call_id: str) -> None:
        """End what runs for a call."""
        run = self._tools.pop(call_id, None)
        if run is not None:
            run.cancel()

    def cancel_tools(self) -> None:
        """End what runs for all calls, at the end of the session; from any thread."""
        for run in tuple(self._tools.values()):
            run.cancel()

    def progress_was_heard(self, call_id: str) -> None:
        """Note that the session has taken what a call told of its progress."""
        run = self._tools.get(call_id)
        if run is not None:
            run.progress_heard += 1

    def _call_died(self, call_id: str, run: ToolRun) -> Died:
        def died(reason: object) -> Message | None:
            if self._tools.get(call_id) is run:  # and not what it became once it was approved
                del self._tools[call_id]
            if reason == otp.NORMAL:
                return None
            # It has no outcome yet if it ended in a way that no `except` sees.
            how = type(reason).__name__ if isinstance(reason, BaseException) else reason
            why = f"Error: Tool execution failed - {how}"
            return ToolFinished(call_id=call_id, output=why, error=why)

        return died

    # -- hooks -----------------------------------------------------------------------------

    def call_hook(self, call: fx.CallHook) -> None:
        """Call a hook, after those before it: one task of the session calls all of them."""
        calls = self._hook_calls
        if self._hooks is None:
            self._hooks = self._as_started(
                otp.Task.start_link, run_hooks, self.session, self.context, calls
            )
        if calls.waiting < HOOKS_LIMIT:
            calls.asked += 1
            calls.is_full = False
            otp.send(self._hooks, call)
        elif not calls.is_full:
            calls.is_full = True  # this is told once, until one is called again
            why = f"not called, like those that follow: {HOOKS_LIMIT} hooks wait for one to end"
            otp.send(self.session, HookFailed(call.method, why))

    def let_hooks_finish(self) -> None:
        """Give the hooks that are due a moment, but no more than that."""
        if self._hooks is None:
            return
        monitor = otp.monitor(self._hooks)
        otp.send(self._hooks, NO_MORE_HOOKS)
        try:
            otp.receive(
                HOOKS_GRACE, match=lambda each: getattr(each, "monitor_ref", None) is monitor
            )
        except TimeoutError:
            calls = self._hook_calls
            log.warning("cut at the end: the hook %s, %d more wait", calls.now, calls.waiting)
            self._hooks.kill()
