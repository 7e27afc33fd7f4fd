"""A GenServer for Python, and realtime voice agents built out of it.

    import realtime_actors as ra

    agent = ra.agent(name="Assistant", instructions="You are a helpful voice assistant.")
    with ra.run(agent) as session:
        session.send_message("Hello!")
        for event in session.events(timeout=30):
            ...

A session is a pykka `ActorRef`. Its verbs exist in three forms that do the same:
functions of this module (`ra.send_message(session, "Hi")`), methods of the handle
(`session.send_message("Hi")`) and messages (`session.ask(messages.SendMessage("Hi"))`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from opcode import opmap
from typing import TYPE_CHECKING, Any, Unpack

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

if TYPE_CHECKING:
    from realtime_actors import otp, protocol
    from realtime_actors.session import Session

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentHooks",
    "AudioFormatError",
    "BargeIn",
    "ConfigError",
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
    "agent",
    "approve",
    "audio",
    "close",
    "config",
    "create_response",
    "current_agent",
    "errors",
    "events",
    "guardrails",
    "hand_off",
    "history",
    "hooks",
    "input_guardrail",
    "interrupt",
    "items",
    "messages",
    "otp",
    "output_guardrail",
    "protocol",
    "reject",
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
    "unsubscribe",
    "update_session",
]


def __getattr__(name: str) -> Any:
    # Of no use before the first session, which imports them: `realtime_actors._starting`.
    match name:
        case "otp" | "protocol":
            return import_module(f"{__name__}.{name}")
        case "Session":
            return import_module(f"{__name__}.session").Session
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    hint = hint_for_name(name, __all__)
    message = f"module {__name__!r} has no {name!r}" + (f": {hint}" if hint else "")
    caller = sys._getframe(1)
    if hint and caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:
        # Of an AttributeError that statement would not show a word.
        raise ImportError(message, name=name)
    raise AttributeError(message)


def _session(session: Session | otp.Name) -> Session:
    from realtime_actors import otp
    from realtime_actors.session import Session

    if isinstance(session, Session):
        return session
    found = otp.whereis(session)
    if not isinstance(found, Session):
        raise ConfigError(f"{session!r} is neither a session nor the name of one")
    return found


def send_audio(session: Session | otp.Name, audio: bytes, *, commit: bool = False) -> None:
    """Send audio of the user. See `Session.send_audio`."""
    _session(session).send_audio(audio, commit=commit)


def send_message(
    session: Session | otp.Name, message: str | Mapping[str, object] | items.Item
) -> None:
    """Add a message of the user and ask for a response. See `Session.send_message`."""
    _session(session).send_message(message)


def create_response(
    session: Session | otp.Name, **overrides: Unpack[messages.ResponseOptions]
) -> None:
    """Ask for a response. See `Session.create_response`."""
    _session(session).create_response(**overrides)


def send_raw_event(session: Session | otp.Name, event: Mapping[str, object]) -> None:
    """Send a client event as it is. See `Session.send_raw_event`."""
    _session(session).send_raw_event(event)


def interrupt(session: Session | otp.Name) -> None:
    """Stop the model's speech now. See `Session.interrupt`."""
    _session(session).interrupt()


def approve(session: Session | otp.Name, call_id: str, *, always: bool = False) -> None:
    """Let a call run that waits for approval. See `Session.approve`."""
    _session(session).approve(call_id, always=always)


def reject(
    session: Session | otp.Name, call_id: str, *, reason: str | None = None, always: bool = False
) -> None:
    """Refuse a call that waits for approval. See `Session.reject`."""
    _session(session).reject(call_id, reason=reason, always=always)


def update_session(
    session: Session | otp.Name, settings: SessionModelSettings | Mapping[str, object]
) -> None:
    """Change settings and wait for the server. See `Session.update_session`."""
    _session(session).update_session(settings)


def hand_off(session: Session | otp.Name, agent: Agent | Handoff) -> None:
    """Make another agent the current one. See `Session.hand_off`."""
    _session(session).hand_off(agent)


def subscribe(
    session: Session | otp.Name,
    subscriber: Any,
    *,
    only: Sequence[type[Any]] | type[Any] | None = None,
    raw: bool = False,
    direct: bool = False,
) -> None:
    """Hand events to an actor or a queue. See `Session.subscribe`.

    With `direct`, audio comes sooner, from the thread that reads all sockets.
    """
    _session(session).subscribe(subscriber, only=only, raw=raw, direct=direct)


def unsubscribe(session: Session | otp.Name, subscriber: Any) -> None:
    """Hand no more events to a subscriber. See `Session.unsubscribe`."""
    _session(session).unsubscribe(subscriber)


def history(session: Session | otp.Name) -> tuple[items.Item, ...]:
    """The conversation so far. See `Session.history`."""
    return _session(session).history()


def current_agent(session: Session | otp.Name) -> Agent:
    """The agent that is speaking to the user. See `Session.current_agent`."""
    return _session(session).current_agent()


def close(session: Session | otp.Name, timeout: float = 2.0) -> None:
    """End the conversation. See `Session.close`."""
    _session(session).close(timeout)
