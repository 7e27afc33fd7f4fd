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
from typing import Any, Final, Literal

import attrs
from attrs import define, field

from realtime_actors import config, items, messages, usage
from realtime_actors.agent import Agent, AnyTool, Handoff
from realtime_actors.core import messages as core_messages
from realtime_actors.core.contract import Phase
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
from realtime_actors.core.machine import SessionMachine
from realtime_actors.errors import ConfigError, RealtimeError
from realtime_actors.events import EventInfo
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.hooks import AgentHooks
from realtime_actors.protocol import MalformedEvent, ServerEvent, dialect
from realtime_actors.snapshot import Snapshot
from realtime_actors.surrogates import replace_surrogates
from realtime_actors.tools import HostedMcpTool, Tool
from realtime_actors.usage import SessionUsage

__all__ = ["TracedMachine", "as_text", "describe", "replay"]

CLASSES: Final[Mapping[str, type[Any]]] = {
    name: cls
    for module in (config, core_messages, items, messages, usage)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and attrs.has(cls)
}
_PLAIN: Final = ("session_type", "attached", "max_message_bytes", "playback_reported", "model")
"""What of a machine is plain data."""


_OF_AGENTS: Final = ("voice", "tools", "handoffs", "output_guardrails", "input_guardrails")
"""What the core looks at of an agent, beside its name and whether it has hooks."""


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
                "agent": _encode(machine.agent),
                "settings": _encode(machine.settings),
                # Of the settings it has what the program wrote: above is what came of it.
                "config": _encode(attrs.evolve(machine.config, model_settings={})),
                **{name: getattr(machine, name) for name in _PLAIN},
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
        agent=cast.decode(header["agent"]),
        settings=cast.decode(header["settings"]),
        config=cast.decode(header["config"]),
        **{name: header[name] for name in _PLAIN if name in header},
    )


def _encode(value: Any) -> Any:
    match value:
        case Agent(name=name):
            hooks = {} if value.hooks is None else {"hooks": True}
            return {"$agent": name, **_members_of(value, _OF_AGENTS), **hooks}
        case OutputGuardrail(name=name):
            return {"$guardrail": name}
        case InputGuardrail(name=name):
            return {"$input_guardrail": name}
        case Tool(name=name):
            told = {"$tool": name, "timeout": value.timeout, "texts": _encode(value.texts)}
            return {**told, **_varies(value)}
        case HostedMcpTool(server_label=label):
            return {"$mcp": label, **_varies(value)}
        case Handoff():
            return {"$handoff": value.tool_name, "voice": value.voice, **_varies(value)}
        case ServerEvent():
            return {"$server": _said(value)}
        case bytes():
            return {"$bytes": items.encode64(value)}
        case Decimal():
            return {"$decimal": str(value)}
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


def _varies(tool: AnyTool) -> dict[str, Any]:
    return {"varies": True} if callable(tool.is_enabled) else {}


def _said(event: ServerEvent) -> Any:
    if isinstance(event, MalformedEvent):
        return {"type": event.type, "reason": event.reason, "kind": event.kind}
    return json.loads(dialect("ga").encode_server(event)) if event.raw is None else event.raw


def _heard(said: Any) -> ServerEvent:
    match said:
        case {"type": MalformedEvent.type, "reason": str(reason), "kind": str(kind)}:
            return MalformedEvent(reason=reason, kind=kind)
        case _:
            return dialect("ga").decode_server(json.dumps(said))


def _members(value: Any) -> dict[str, Any]:
    return _members_of(value, [each.name for each in attrs.fields(type(value))])


def _members_of(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """Encode those that are not as they are by themselves."""
    by_name = attrs.fields_dict(type(value))
    given = ((by_name[name], getattr(value, name)) for name in names)
    return {each.name: _encode(member) for each, member in given if member != _default(each)}


def _default(attribute: attrs.Attribute[Any]) -> object:
    default: Any = attribute.default
    return default.factory() if hasattr(default, "factory") else default


@define
class _Cast:
    """Stand-ins for what the trace knows by name: the same one for the same name."""

    _agents: dict[str, Agent] = field(factory=dict)

    def agent(self, name: str, written: Mapping[str, Any]) -> Agent:
        if name not in self._agents:
            members = {each: self.decode(written[each]) for each in _OF_AGENTS if each in written}
            hooks = AgentHooks() if written.get("hooks") else None
            self._agents[name] = Agent(name=name, hooks=hooks, **members)
        return self._agents[name]

    def decode(self, value: Any) -> Any:
        match value:
            case {"$": str(kind)}:
                members = {name: each for name, each in value.items() if name != "$"}
                return CLASSES[kind](**self.decode(members))
            case {"$agent": str(name)}:
                return self.agent(name, value)
            case {"$guardrail": name}:
                return OutputGuardrail(name=name, check=_passes)
            case {"$input_guardrail": name}:
                return InputGuardrail(name=name, check=_passes)
            case {"$decimal": text}:
                return Decimal(text)
            case {"$tool": name, "timeout": timeout}:
                texts = self.decode(value.get("texts", {"$": "ToolTexts"}))
                return Tool(
                    name=name,
                    invoke=_no_tool,
                    timeout=timeout,
                    texts=texts,
                    is_enabled=_is_enabled(value),
                )
            case {"$mcp": label}:
                return HostedMcpTool(
                    server_label=label, connector_id="a trace", is_enabled=_is_enabled(value)
                )
            case {"$handoff": name}:
                voice, is_enabled = value.get("voice", "refuse"), _is_enabled(value)
                return Handoff(_no_agent, tool_name=name, voice=voice, is_enabled=is_enabled)
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


def _is_enabled(written: Mapping[str, Any]) -> Literal[True] | Callable[[], bool]:
    return (lambda: True) if written.get("varies") else True


def _passes(text: str) -> bool:
    return False


def _no_tool(arguments: object) -> object:
    raise ConfigError("a trace has the names of tools, not their code")


def _no_agent() -> Agent:
    raise ConfigError("a trace has the names of agents, not their code")
