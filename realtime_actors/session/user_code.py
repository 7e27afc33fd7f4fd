"""What runs in tasks: everything that a user wrote.

Each function here runs user code to its end and gives back the message that the core
waits for. It may block and it may raise: it has a thread of its own, and the session
watches that thread.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any, Final

from attrs import asdict, define

from realtime_actors import otp
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import ToolTexts
from realtime_actors.core.effects import RunGuardrails, RunHandoff, RunTool, ScreenInput
from realtime_actors.core.messages import (
    AgentNotResolved,
    AgentResolved,
    ApprovalNeeded,
    GuardrailsFinished,
    HandoffResolved,
    HookFailed,
    InputScreened,
    ResolvedAgent,
    ToolDisabled,
    ToolFinished,
    ToolProgressed,
    ToolRefused,
    ToolsNotResolved,
    ToolsResolved,
)
from realtime_actors.core.responses.sending import check_sendable
from realtime_actors.errors import ToolError
from realtime_actors.protocol import ConversationItemCreate
from realtime_actors.schema.calling import finish
from realtime_actors.session.tool_runs import ToolRun
from realtime_actors.tools import Tool, ToolContext, error_text

__all__ = [
    "HOOKS_LIMIT",
    "NO_MORE_HOOKS",
    "Finding",
    "HookCalls",
    "hand_off",
    "judge",
    "resolve_agent",
    "resolve_tools",
    "run_hooks",
    "run_tool",
    "verdict",
]

log = logging.getLogger("realtime_actors.session")

PROGRESS_LIMIT: Final = 100
"""How often a call may tell its progress before the session has heard any of it. Ours."""

HOOKS_LIMIT: Final = 1_000
"""Hooks of one session that may wait for those before them. Ours: some hundred turns."""

NO_MORE_HOOKS: Final = object()
"""Ends `run_hooks`, after the hooks that are due."""


def resolve_agent(agent: Agent, context: object) -> AgentResolved | AgentNotResolved:
    """Find out an agent's instructions and tools."""
    try:
        return AgentResolved(_resolve(agent, context))
    except Exception as error:
        why = f"agent {agent.name!r} could not be set up: {type(error).__name__}: {error}"
        return AgentNotResolved(agent, why)


def resolve_tools(agent: Agent, context: object) -> ToolsResolved | ToolsNotResolved:
    """Find out what an agent offers now."""
    try:
        return ToolsResolved(_offered(agent, None, context))
    except Exception as error:
        why = (
            f"is_enabled of a tool of {agent.name!r} failed with {type(error).__name__}: {error}."
            " What the model is offered stays as it is"
        )
        return ToolsNotResolved(agent, why)


def run_tool(
    effect: RunTool, run: ToolRun, session: Any, context: object
) -> ToolFinished | ToolRefused | ToolDisabled | ApprovalNeeded:
    """Run a tool, and say what the model is to be told; or say why it may not be run."""

    def report(message: str) -> None:
        # A tool can tell it faster than anybody can read it.
        if not run.cancelled and run.progress_told - run.progress_heard < PROGRESS_LIMIT:
            run.progress_told += 1
            otp.send(session, ToolProgressed(effect.call_id, message))

    call = ToolContext(
        session=session,
        agent=effect.agent,
        call_id=effect.call_id,
        context=context,
        tool=effect.tool,
        is_cancelled=lambda: run.cancelled,
        report=report,
    )
    try:
        if not effect.tool.enabled_for(context, effect.agent):
            return ToolDisabled(effect.call_id)
        objection = None if effect.approved else _objection(effect, context)
        if objection is not None:
            return objection
        if effect.tool.run_in == "process":
            output = run.in_process(effect.tool, effect.arguments)
        else:
            output = effect.tool.run(effect.arguments, call)
        for guardrail in effect.tool.output_guardrails:
            verdict = guardrail.run(output.text, context, effect.agent)
            if verdict.tripped:
                return ToolRefused(
                    call_id=effect.call_id,
                    guardrail=guardrail.name,
                    reason=verdict.reason or None,
                    withheld=output.text,
                )
    except Exception as error:
        name, kind = effect.tool.name, type(error).__name__
        log.warning("tool %s failed with %s, in call %s", name, kind, effect.call_id)
        # Where, and not what it said: that may be what a caller said.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.debug("tool %s failed at\n%s", name, where)
        told = _told(effect.tool.name, effect.texts, error, context)
        return ToolFinished(call_id=effect.call_id, output=told, error=error_text(error))
    return ToolFinished(call_id=effect.call_id, output=output.text, images=output.images)


def hand_off(effect: RunHandoff, context: object) -> HandoffResolved | ToolFinished | ToolDisabled:
    """Find the agent of a handoff, and everything that its code has to say."""
    handoff = effect.handoff
    try:
        if effect.by_model and not handoff.enabled_for(context, effect.agent):
            return ToolDisabled(effect.call_id)
        resolved = _resolve(handoff.invoke(effect.arguments, context), context)
        history = None
        if handoff.input_filter is not None:
            history = handoff.filter_history(effect.history, context)
            for item in history:
                check_sendable(ConversationItemCreate(item=item), effect.max_message_bytes)
    except Exception as error:
        log.info("handoff %s failed: %s", effect.call_id, type(error).__name__)
        told = _told(handoff.tool_name, effect.texts, error, context)
        return ToolFinished(call_id=effect.call_id, output=told, error=error_text(error))
    return HandoffResolved(call_id=effect.call_id, resolved=resolved, history=history)


def judge(
    effect: RunGuardrails | ScreenInput, context: object
) -> GuardrailsFinished | InputScreened:
    """Ask the guardrails about what the model says, or what the user said."""
    return verdict(effect, _first_objection(effect, context))


def verdict(
    effect: RunGuardrails | ScreenInput, found: Finding
) -> GuardrailsFinished | InputScreened:
    """Make the message that the core waits for out of what guardrails have found."""
    told: dict[str, Any] = {
        "item_id": effect.item_id,
        "text": effect.text,
        "attempt": effect.attempt,
        **asdict(found),
    }
    if isinstance(effect, RunGuardrails):
        return GuardrailsFinished(response_id=effect.response_id, **told)
    return InputScreened(**told)


@define(eq=False)
class HookCalls:
    """How many hooks of a session are to be called. Each number is written by one thread."""

    asked: int = 0
    begun: int = 0
    is_full: bool = False
    now: str = ""
    """The hook that runs, or was the last to do so."""

    @property
    def waiting(self) -> int:
        return self.asked - self.begun


def run_hooks(session: Any, context: object, calls: HookCalls) -> None:
    """Call an agent's hooks as they come, one after the other, until there are no more."""
    while (call := otp.receive()) is not NO_MORE_HOOKS:
        calls.begun += 1
        calls.now = call.method
        hook = getattr(call.agent.hooks, call.method)
        try:
            finish(hook(context, call.agent, *call.arguments))
        except Exception as error:
            log.warning("hook %s failed: %s", call.method, type(error).__name__)
            otp.send(session, HookFailed(call.method, error_text(error)))


def _told(tool: str, texts: ToolTexts, error: Exception, context: object) -> str:
    """What the model is told of an error: what it says only if it was made for that."""
    if isinstance(error, ToolError):
        return error_text(error)
    try:
        return texts.after_failure(tool, error, context)
    except Exception as failure:
        log.warning("the text for a failed %s failed with %s", tool, type(failure).__name__)
        return ToolTexts().after_failure(tool, error, context)


@define
class Finding:
    """What the guardrails had to say: which one tripped, and which one gave no verdict."""

    guardrail: str | None = None
    reason: str | None = None
    failure: str | None = None
    failed: str = ""


def _first_objection(effect: RunGuardrails | ScreenInput, context: object) -> Finding:
    """Ask one guardrail after the other, until one trips.

    One that raises has given no verdict. The next ones are asked all the same; what follows
    from it is the core's to say.
    """
    found = Finding()
    for guardrail in effect.guardrails:
        try:
            verdict = guardrail.run(effect.text, context, effect.agent)
        except Exception as error:
            log.warning("guardrail %s failed: %s", guardrail.name, type(error).__name__)
            found.failure = f"guardrail {guardrail.name!r} failed: {type(error).__name__}: {error}"
            found.failed = guardrail.name
            continue
        if verdict.tripped:
            found.guardrail, found.reason = guardrail.name, verdict.reason or None
            break
    return found


def _objection(effect: RunTool, context: object) -> ToolRefused | ApprovalNeeded | None:
    """What stands between a call and its tool."""
    tool = effect.tool
    if not tool.input_guardrails and tool.needs_approval is False:
        return None
    arguments = tool.bind(effect.arguments)  # nobody is asked about what doesn't fit
    for guardrail in tool.input_guardrails:
        verdict = guardrail.run(arguments, context, effect.agent)
        if verdict.tripped:
            return ToolRefused(
                call_id=effect.call_id, guardrail=guardrail.name, reason=verdict.reason or None
            )
    if tool.needs_approval_for(context, arguments):
        return ApprovalNeeded(effect.call_id)
    return None


def _resolve(agent: Agent, context: object) -> ResolvedAgent:
    return _offered(agent, agent.resolve_instructions(context), context)


def _offered(agent: Agent, instructions: str | None, context: object) -> ResolvedAgent:
    enabled = agent.enabled_tools(context)
    return ResolvedAgent(
        agent=agent,
        instructions=instructions,
        tools={each.name: each for each in enabled if isinstance(each, Tool)},
        handoffs={each.name: each for each in enabled if isinstance(each, Handoff)},
        definitions=tuple(each.to_wire() for each in enabled),
        has_instructions=agent.has_instructions,
        has_tools=bool(agent.get_tools()),
    )
