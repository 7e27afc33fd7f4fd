"""A conversation as the core saw it, to be played again: one JSON object a line.

    {"settings": {...}, "agent": "Desk", ...}             how the machine was made
    {"at": 0.031, "server": {"type": "session.created"}}  what the server said, as it came
    {"at": 0.032, "told": {"$": "Connected"}}             anything else that it was told
    {"settings": {...}, ...}                              its supervisor has started it again

The machine is deterministic, so the same lines give the same effects: that is how an
incident is looked into, and how it becomes a test. Agents, tools and handoffs are
known by name; what their code found out is in the lines.

A trace holds what was said. It is written where the program asks for it, nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
from attrs import define, field

from realtime_actors import config, items, messages
from realtime_actors.agent import Agent, Handoff
from realtime_actors.core import messages as core_messages
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    Effects,
    Publish,
    Refuse,
    Send,
    SetGate,
    SetTimer,
)
from realtime_actors.core.machine import Phase
from realtime_actors.core.session import SessionMachine
from realtime_actors.errors import ConfigError, RealtimeError
from realtime_actors.events import EventInfo
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.protocol import MalformedEvent, ServerEvent, dialect
from realtime_actors.snapshot import Snapshot
from realtime_actors.surrogates import replace_surrogates
from realtime_actors.tools import Tool
from realtime_actors.usage import SessionUsage

__all__ = ["TracedMachine", "as_text", "describe", "replay"]

CLASSES: Final[Mapping[str, type[Any]]] = {
    name: cls
    for module in (config, core_messages, items, messages)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and attrs.has(cls)
}
_OPTIONS: Final = (
    "session_type",
    "attached",
    "max_handoffs_per_turn",
    "max_tool_rounds_per_turn",
    "reset_tool_choice",
    "max_tool_output_chars",
    "max_message_bytes",
    "parallel_tools",
    "approval_timeout",
    "max_concurrency",
    "tool_timeout",
    "playback_reported",
    "model",
    "max_duration",
    "idle_timeout",
    "stall_timeout",
)
"""What of a machine is plain data."""


class TracedMachine:
    """A machine that writes down all that it is told, and does what it always does."""

    def __init__(
        self, machine: SessionMachine, write: Callable[[Mapping[str, Any]], object]
    ) -> None:
        """`write` takes a line as plain data (`as_text` makes text of it), and never raises."""
        self._machine = machine
        self._write = write
        self._write(
            {
                "agent": machine.agent.name,
                "voice": machine.agent.voice,
                "settings": _encode(machine.settings),
                "guardrails": [
                    each.name for each in (*machine.agent.output_guardrails, *machine.guardrails)
                ],
                "input_guardrails": [
                    each.name
                    for each in (*machine.agent.input_guardrails, *machine.input_guardrails)
                ],
                "guardrails_settings": _encode(machine.guardrails_settings),
                "barge_in": _encode(machine.barge_in),
                "tool_texts": _encode(machine.tool_texts),
                **{name: getattr(machine, name) for name in _OPTIONS},
            }
        )

    @property
    def phase(self) -> Phase:
        """See `SessionMachine.phase`."""
        return self._machine.phase

    @property
    def info(self) -> EventInfo:
        """See `SessionMachine.info`."""
        return self._machine.info

    @property
    def airing(self) -> str | None:
        """See `Machine.airing`."""
        return self._machine.airing

    @property
    def history(self) -> Snapshot[items.Item]:
        """See `SessionMachine.history`."""
        return self._machine.history

    @property
    def current_agent(self) -> Agent:
        """See `SessionMachine.current_agent`."""
        return self._machine.current_agent

    @property
    def usage(self) -> SessionUsage:
        """See `SessionMachine.usage`."""
        return self._machine.usage

    def handle(self, message: core_messages.Message | ServerEvent, now: float) -> Effects:
        """See `SessionMachine.handle`."""
        self._write(_line(message, now))
        return self._machine.handle(message, now)


def _line(message: object, now: float) -> Mapping[str, Any]:
    at = round(now, 6)
    try:
        if isinstance(message, ServerEvent):
            return {"at": at, "server": _said(message)}
        return {"at": at, "told": _encode(message)}
    except Exception as error:  # a program may say anything: a mapping that holds itself
        return {"at": at, "lost": f"{type(message).__name__}: {type(error).__name__}"}


def as_text(line: Mapping[str, Any]) -> str:
    """Make one line of a file out of one of `TracedMachine`."""
    text = json.dumps(line, ensure_ascii=False, default=repr)
    if replace_surrogates(text) != text:
        text = json.dumps(line, default=repr)  # a file can't hold half of a character
    return text + "\n"


def replay(lines: Iterable[str]) -> Iterator[tuple[float, object, Effects]]:
    """Play a trace again: each message with its time and what the core makes of it.

    Where the session was started again, the machine is. Raises `ConfigError` for what is
    no trace.
    """
    cast = _Cast()
    machine: SessionMachine | None = None
    for number, text in enumerate(lines, 1):
        try:
            line = json.loads(text)
            if machine is None or "settings" in line:
                cast = _Cast()
                machine = _machine(line, cast)
                continue
            at = float(line["at"])
            message = _heard(line["server"]) if "server" in line else cast.decode(line["told"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"line {number} is not one of a trace: {error!r}") from error
        yield at, message, machine.handle(message, at)


def describe(effects: Effects) -> Iterator[str]:
    """What is to be done, a line each, without what was said."""
    for effect in effects:
        match effect:
            case Publish(event=event):
                yield f"publish {event.type} {_ids(event)}".rstrip()
            case Send(event=event):
                kind = event.type or str(getattr(event, "payload", {}).get("type"))
                yield f"send {kind} {_ids(event)}".rstrip()
            case Answer(caller=None) | Refuse(caller=None):
                yield type(effect).__name__.lower()
            case CallHook(method=method):
                yield f"hook {method}"
            case SetGate(gate=gate):
                yield "gate open" if gate.open else f"gate closed: {gate.reason}"
            case SetTimer(key=key, delay=delay):
                yield f"timer {key} {delay:g} s"
            case CancelTimer(key=key):
                yield f"no timer {key}"
            case _:
                yield f"{type(effect).__name__} {_ids(effect)}".rstrip()


def _ids(event: object) -> str:
    names = ("response_id", "item_id", "call_id", "status", "heard_ms", "audio_end_ms", "change")
    known = ((name, getattr(event, name, None)) for name in names)
    return " ".join(f"{name}={value}" for name, value in known if value is not None)


def _machine(header: Mapping[str, Any], cast: _Cast) -> SessionMachine:
    return SessionMachine(
        agent=cast.agent(header["agent"], header.get("voice")),
        settings=cast.decode(header["settings"]),
        guardrails=tuple(
            OutputGuardrail(name=name, check=_passes) for name in header["guardrails"]
        ),
        input_guardrails=tuple(
            InputGuardrail(name=name, check=_passes) for name in header.get("input_guardrails", ())
        ),
        guardrails_settings=cast.decode(header["guardrails_settings"]),
        barge_in=cast.decode(header.get("barge_in", {"$": "BargeIn"})),
        tool_texts=cast.decode(header.get("tool_texts", {"$": "ToolTexts"})),
        **{name: header[name] for name in _OPTIONS if name in header},
    )


def _encode(value: Any) -> Any:
    match value:
        case Agent(name=name, voice=voice):
            return {"$agent": name} if voice is None else {"$agent": name, "voice": voice}
        case Tool(name=name):
            return {"$tool": name, "timeout": value.timeout, "texts": _encode(value.texts)}
        case Handoff():
            return {"$handoff": value.tool_name, "voice": value.voice}
        case ServerEvent():
            return {"$server": _said(value)}
        case bytes():
            return {"$bytes": items.encode64(value)}
        case Decimal():
            return str(value)
        case RealtimeError():
            return {"$error": str(value)}
        case Mapping():
            return {str(key): _encode(each) for key, each in value.items()}
        case list() | tuple() | Snapshot():
            return [_encode(each) for each in value]
        case core_messages.Asked(verb=verb):
            return {"$": "Asked", "verb": _encode(verb)}
        case config.ToolTexts() if callable(value.failed):
            # Its code is not in a trace, and the core never asks for it.
            return _encode(attrs.evolve(value, failed=None))
        case _ if attrs.has(type(value)):
            return {"$": type(value).__name__, **_members(value)}
        case _:
            return value


def _said(event: ServerEvent) -> Any:
    if isinstance(event, MalformedEvent):
        return {"type": event.type, "reason": event.reason, "kind": event.kind}
    return json.loads(dialect("ga").encode_server(event)) if event.raw is None else event.raw


def _heard(said: Any) -> ServerEvent:
    match said:
        case {"type": MalformedEvent.type, "reason": str(reason), "kind": str(kind)}:
            return MalformedEvent(reason=reason, kind=kind)
    return dialect("ga").decode_server(json.dumps(said))


def _members(value: Any) -> dict[str, Any]:
    members = {each.name: getattr(value, each.name) for each in attrs.fields(type(value))}
    return {name: _encode(member) for name, member in members.items() if member is not None}


@define
class _Cast:
    """Stand-ins for what the trace knows by name: the same one for the same name."""

    _agents: dict[str, Agent] = field(factory=dict)

    def agent(self, name: str, voice: str | None = None) -> Agent:
        return self._agents.setdefault(name, Agent(name=name, voice=voice))

    def decode(self, value: Any) -> Any:
        match value:
            case {"$": str(kind)}:
                members = {name: each for name, each in value.items() if name != "$"}
                return CLASSES[kind](**self.decode(members))
            case {"$agent": name}:
                return self.agent(name, value.get("voice"))
            case {"$tool": name, "timeout": timeout}:
                texts = self.decode(value.get("texts", {"$": "ToolTexts"}))
                return Tool(name=name, invoke=_no_tool, timeout=timeout, texts=texts)
            case {"$handoff": name}:
                return Handoff(_no_agent, tool_name=name, voice=value.get("voice", "refuse"))
            case {"$server": said}:
                return _heard(said)
            case {"$bytes": text}:
                return items.decode64(text)
            case {"$error": message}:
                return RealtimeError(message)
            case dict():
                return {name: self.decode(each) for name, each in value.items()}
            case list():
                return tuple(self.decode(each) for each in value)
            case _:
                return value


def _passes(text: str) -> bool:
    return False


def _no_tool(arguments: object) -> object:
    raise ConfigError("a trace has the names of tools, not their code")


def _no_agent() -> Agent:
    raise ConfigError("a trace has the names of agents, not their code")
