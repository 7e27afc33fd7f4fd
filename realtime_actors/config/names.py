"""Where a name is that was looked for in the wrong place: for the errors that say so."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["hint_for_name", "hint_for_verb"]

_MODULES: Final = (
    "agent",
    "audio",
    "config",
    "errors",
    "events",
    "guardrails",
    "hooks",
    "items",
    "messages",
    "otp",
    "playback",
    "protocol",
    "runner",
    "session",
    "tools",
    "transcript",
    "transport",
    "usage",
)
"""Where names are looked for, if it is imported already."""

_ELSEWHERE: Final[Mapping[str, str]] = {
    "Call": "server.engines.scripted",
    "FakeClock": "testing",
    "GenServer": "otp",
    "Probe": "testing",
    "RealtimeServer": "server",
    "Recorder": "recording",
    "ScriptedTransport": "testing",
    "Supervisor": "otp",
    "DynamicSupervisor": "otp",
    "fake_clock": "testing",
    "listen": "console",
}
"""What is imported when it is used."""

_OTHERS: Final[Mapping[str, str]] = {
    "FunctionTool": "ra.Tool",
    "GuardrailFunctionOutput": "ra.GuardrailVerdict",
    "HostedMCPTool": "ra.HostedMcpTool",
    "ModelSettings": "ra.SessionModelSettings",
    "RealtimeAgent": "ra.agent(...)",
    "RealtimeAgentHooks": "ra.AgentHooks",
    "RealtimeModelConfig": "ra.ModelConfig",
    "RealtimePlaybackTracker": "ra.PlaybackTracker",
    "RealtimeRunConfig": "ra.RunConfig",
    "RealtimeRunner": "ra.runner(agent), or ra.run(agent) right away",
    "RealtimeSession": "ra.Session, which ra.run(agent) gives",
    "RealtimeSessionModelSettings": "ra.SessionModelSettings",
    "RunContextWrapper": "ra.ToolContext",
    "RunHooks": "ra.AgentHooks",
    "ToolInputGuardrail": "ra.ToolGuardrail",
    "connect": "ra.run(agent)",
    "function_tool": "ra.tool",
    "handoff": "ra.Handoff(agent)",
    "realtime_handoff": "ra.Handoff(agent)",
    "start": "ra.run(agent)",
    "tool_input_guardrail": "ra.tool_guardrail",
    "trace": "ra.run(agent, trace=PATH)",
}
"""What openai-agents calls it, and what it is called here."""

_EVENTS: Final = "session.events(), or session.subscribe(queue)"
_VERBS: Final[Mapping[str, str]] = {
    "add_event_handler": _EVENTS,
    "add_listener": _EVENTS,
    "agent": "session.current_agent()",
    "approve_tool_call": "session.approve(call_id)",
    "cancel": "session.interrupt()",
    "commit": "session.commit_audio()",
    "connect": "ra.run(agent), which has connected it",
    "disconnect": "session.close()",
    "end": "session.close()",
    "items": "session.history()",
    "join": "`for event in session.events()`, which ends with the session",
    "messages": "session.history()",
    "on": _EVENTS,
    "once": _EVENTS,
    "recv": _EVENTS,
    "reject_tool_call": "session.reject(call_id)",
    "say": "session.create_response(instructions=...)",
    "send": "session.send_message(...), session.send_audio(...) or session.send_raw_event(...)",
    "send_text": "session.send_message(...)",
    "start": "ra.run(agent), which has started it",
    "update": "session.update_session({...})",
    "update_agent": "session.hand_off(agent)",
    "wait": "`for event in session.events()`, which ends with the session",
}
"""What others have their sessions do, and how it is done here."""


def hint_for_name(name: str, known: Iterable[str]) -> str:
    """Say where a name is that the package `realtime_actors` does not have.

    `known` are the names that it does have. "" when there is none like it.
    """
    if name in _OTHERS:
        return f"here it is {_OTHERS[name]}"
    bare = name.removeprefix("Realtime")
    for each in (name, f"{name}Event", f"{bare}Event", bare):
        module = _ELSEWHERE.get(each) or _module_with(each)
        if module is not None:
            return f"it is in {module}: from realtime_actors.{module} import {each}"
    return _near(name, known)


def hint_for_verb(name: str, known: Iterable[str]) -> str:
    """Say how a session does what was asked of it under another name; "" if nothing is like it."""
    return f"that is {_VERBS[name]}" if name in _VERBS else _near(name, known)


def _module_with(name: str) -> str | None:
    for module in _MODULES:
        loaded = sys.modules.get(f"realtime_actors.{module}")
        if name in getattr(loaded, "__all__", ()):
            return module
    return None


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, [each for each in known if each[0] != "_"], n=1)
    return f"did you mean {near[0]!r}?" if near else ""
