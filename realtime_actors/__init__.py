"""A GenServer for Python, and realtime voice agents built out of it.

    import realtime_actors as ra

    agent = ra.agent(name="Assistant", instructions="You are a helpful voice assistant.")
    with ra.run(agent) as session:
        session.send_message("Hello!")
        for event in session.events(timeout=30):
            ...

A session is a pykka `ActorRef`. Its verbs (`messages.VERBS`) exist in three forms that do
the same: functions of this module (`ra.send_message(session, "Hi")`), methods of the handle
(`session.send_message("Hi")`) and messages (`session.ask(messages.SendMessage("Hi"))`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from opcode import opmap
from typing import TYPE_CHECKING, Any

from realtime_actors import (
    audio,
    config,
    errors,
    events,
    guardrails,
    hooks,
    items,
    messages,
    tools,
)
from realtime_actors.agent import Agent, Handoff, agent
from realtime_actors.config import (
    BargeIn,
    GuardrailsSettings,
    ModelConfig,
    NoiseReductionConfig,
    Reconnect,
    RunConfig,
    SessionModelSettings,
    ToolTexts,
    TracingConfig,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.config.names import hint_for_name
from realtime_actors.content import show_content
from realtime_actors.errors import (
    AudioFormatError,
    ConfigError,
    ConnectionLostError,
    NotConnectedError,
    RealtimeError,
    SessionClosedError,
    SessionError,
    SessionFailedError,
    SessionUpdateError,
    StartError,
    ToolError,
    TransportError,
)
from realtime_actors.guardrails import (
    GuardrailVerdict,
    InputGuardrail,
    OutputGuardrail,
    ToolGuardrail,
    ToolOutputGuardrail,
    input_guardrail,
    output_guardrail,
    tool_guardrail,
    tool_output_guardrail,
)
from realtime_actors.hooks import AgentHooks
from realtime_actors.messages import SessionEvent
from realtime_actors.playback import PlaybackTracker
from realtime_actors.runner import Runner, run, runner, transcribe
from realtime_actors.tools import HostedMcpTool, Tool, ToolContext, tool
from realtime_actors.usage import Price, Pricing, SessionUsage
from realtime_actors.verbs import (
    add_item,
    approve,
    clear_audio,
    close,
    commit_audio,
    create_response,
    current_agent,
    delete_item,
    hand_off,
    history,
    interrupt,
    reject,
    retrieve_item,
    send_audio,
    send_message,
    send_raw_event,
    subscribe,
    truncate_item,
    unsubscribe,
    update_history,
    update_session,
)

if TYPE_CHECKING:
    from realtime_actors import otp, protocol
    from realtime_actors.session import Session
    from realtime_actors.shutdown import drain, install_signal_handlers

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentHooks",
    "AudioFormatError",
    "BargeIn",
    "ConfigError",
    "ConnectionLostError",
    "GuardrailVerdict",
    "GuardrailsSettings",
    "Handoff",
    "HostedMcpTool",
    "InputGuardrail",
    "ModelConfig",
    "NoiseReductionConfig",
    "NotConnectedError",
    "OutputGuardrail",
    "PlaybackTracker",
    "Price",
    "Pricing",
    "RealtimeError",
    "Reconnect",
    "RunConfig",
    "Runner",
    "Session",
    "SessionClosedError",
    "SessionError",
    "SessionEvent",
    "SessionFailedError",
    "SessionModelSettings",
    "SessionUpdateError",
    "SessionUsage",
    "StartError",
    "Tool",
    "ToolContext",
    "ToolError",
    "ToolGuardrail",
    "ToolOutputGuardrail",
    "ToolTexts",
    "TracingConfig",
    "TranscriptionConfig",
    "TransportError",
    "TurnDetectionConfig",
    "__version__",
    "add_item",
    "agent",
    "approve",
    "audio",
    "clear_audio",
    "close",
    "commit_audio",
    "config",
    "create_response",
    "current_agent",
    "delete_item",
    "drain",
    "errors",
    "events",
    "guardrails",
    "hand_off",
    "history",
    "hooks",
    "input_guardrail",
    "install_signal_handlers",
    "interrupt",
    "items",
    "messages",
    "otp",
    "output_guardrail",
    "protocol",
    "reject",
    "retrieve_item",
    "run",
    "runner",
    "send_audio",
    "send_message",
    "send_raw_event",
    "show_content",
    "subscribe",
    "tool",
    "tool_guardrail",
    "tool_output_guardrail",
    "tools",
    "transcribe",
    "truncate_item",
    "unsubscribe",
    "update_history",
    "update_session",
]


def __getattr__(name: str) -> Any:
    # Of no use before the first session, which imports them: `realtime_actors.session.start`.
    match name:
        case "otp" | "protocol":
            return import_module(f"{__name__}.{name}")
        case "Session":
            return import_module(f"{__name__}.session").Session
        case "drain" | "install_signal_handlers":
            return getattr(import_module(f"{__name__}.shutdown"), name)
        case _:
            pass  # there is no such name
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    hint = hint_for_name(name, __all__)
    message = f"module {__name__!r} has no {name!r}" + (f": {hint}" if hint else "")
    caller = sys._getframe(1)
    if hint and caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:
        # Of an AttributeError that statement would not show a word.
        raise ImportError(message, name=name)
    raise AttributeError(message)
