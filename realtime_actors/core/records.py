"""Values of a conversation as JSON, and back: what traces and journals are made of.

    {"$": "MessageItem", "role": "user", ...}     a value of a class, without what is as always
    {"$agent": "Desk", ...}                       what has code is known by its name

There is one vocabulary: a line of a trace and a record of a journal that tell of the same
thing look the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, cast, get_args

import attrs
from attrs import define, field

from realtime_actors import config, items, messages, usage
from realtime_actors.agent import Agent, AnyTool, Handoff
from realtime_actors.core import messages as core_messages
from realtime_actors.core.journaling import facts
from realtime_actors.core.journaling.facts import Fact
from realtime_actors.errors import ConfigError, RealtimeError
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.hooks import AgentHooks
from realtime_actors.protocol import MalformedEvent, ServerEvent, dialect
from realtime_actors.snapshot import Snapshot
from realtime_actors.surrogates import replace_surrogates
from realtime_actors.tools import HostedMcpTool, Tool

__all__ = ["Cast", "as_text", "encode", "fact_as_text", "fact_from_text", "heard", "said"]

CLASSES: Final[Mapping[str, type[Any]]] = {
    name: cls
    for module in (config, core_messages, facts, items, messages, usage)
    for name, cls in vars(module).items()
    if isinstance(cls, type) and attrs.has(cls)
}

FACTS: Final = frozenset(each.__name__ for each in get_args(Fact))
"""What the records of a journal tell of."""

_OF_AGENTS: Final = ("voice", "tools", "handoffs", "output_guardrails", "input_guardrails")
"""What the core looks at of an agent, beside its name and whether it has hooks."""


def as_text(line: Mapping[str, Any]) -> str:
    """Make one line of a file out of plain data: it ends with a line break."""
    text = json.dumps(line, ensure_ascii=False, default=repr)
    if replace_surrogates(text) != text:
        text = json.dumps(line, default=repr)  # a file can't hold half of a character
    return text + "\n"


def fact_as_text(fact: Fact, at: float) -> str:
    """Make a record of a journal: a line of JSON. `at` is in seconds since 1970."""
    return as_text({"at": at, **encode(fact)}).rstrip("\n")


def fact_from_text(text: str) -> Fact | None:
    """Read a record. None: it tells of what this version knows nothing of, and may be skipped.

    Raises `ConfigError` for what is no record.
    """
    try:
        line = json.loads(text)
        kind = line["$"]
        return cast(Fact, Cast().decode(line)) if kind in FACTS else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"not a record of a journal: {error!r}") from error


def encode(value: Any) -> Any:
    """Make plain data of a value: what JSON has, and nothing else."""
    match value:
        case Agent(name=name):
            hooks = {} if value.hooks is None else {"hooks": True}
            return {"$agent": name, **_members_of(value, _OF_AGENTS), **hooks}
        case OutputGuardrail(name=name):
            return {"$guardrail": name}
        case InputGuardrail(name=name):
            return {"$input_guardrail": name}
        case Tool(name=name):
            told = {"$tool": name, "timeout": value.timeout, "texts": encode(value.texts)}
            return {**told, **_varies(value)}
        case HostedMcpTool(server_label=label):
            return {"$mcp": label, **_varies(value)}
        case Handoff():
            return {"$handoff": value.tool_name, "voice": value.voice, **_varies(value)}
        case ServerEvent():
            return {"$server": said(value)}
        case bytes():
            return {"$bytes": items.encode64(value)}
        case Decimal():
            return {"$decimal": str(value)}
        case RealtimeError():
            return {"$error": str(value)}
        case Mapping():
            members = {str(key): encode(each) for key, each in value.items()}
            # Somebody else's, which says nothing of what it stands for.
            return {"$mapping": members} if any(map(_is_ours, members)) else members
        case list() | tuple() | Snapshot():
            return [encode(each) for each in value]
        case core_messages.Asked(verb=verb):
            return {"$": "Asked", "verb": encode(verb)}
        case config.ToolTexts() if callable(value.failed):
            # Its code is not in a trace, and the core never asks for it.
            return encode(attrs.evolve(value, failed=None))
        case _ if attrs.has(type(value)):
            return {"$": type(value).__name__, **_members(value)}
        case _:
            return value


def _is_ours(name: str) -> bool:
    return name.startswith("$")


def _varies(tool: AnyTool) -> dict[str, Any]:
    return {"varies": True} if callable(tool.is_enabled) else {}


def said(event: ServerEvent) -> Any:
    """Return what the server said, as it came."""
    if isinstance(event, MalformedEvent):
        return {"type": event.type, "reason": event.reason, "kind": event.kind}
    return json.loads(dialect("ga").encode_server(event)) if event.raw is None else event.raw


def heard(told: Any) -> ServerEvent:
    """Make an event of what a server said once."""
    match told:
        case {"type": MalformedEvent.type, "reason": str(reason), "kind": str(kind)}:
            return MalformedEvent(reason=reason, kind=kind)
        case _:
            return dialect("ga").decode_server(json.dumps(told))


def _members(value: Any) -> dict[str, Any]:
    return _members_of(value, [each.name for each in attrs.fields(type(value))])


def _members_of(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """Encode those that are not as they are by themselves."""
    by_name = attrs.fields_dict(type(value))
    given = ((by_name[name], getattr(value, name)) for name in names)
    return {each.name: encode(member) for each, member in given if member != _default(each)}


def _default(attribute: attrs.Attribute[Any]) -> object:
    default: Any = attribute.default
    return default.factory() if hasattr(default, "factory") else default


@define
class Cast:
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
            case {"$": "Asked", "verb": {"$": str(kind)} as verb}:
                # `Usage` is a verb too, and a value.
                return core_messages.Asked(self._made(vars(messages)[kind], verb))
            case {"$": str(kind)}:
                return self._made(CLASSES[kind], value)
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
            case {"$server": told}:
                return heard(told)
            case {"$bytes": text}:
                return items.decode64(text)
            case {"$error": message}:
                return RealtimeError(message)
            case {"$mapping": dict(members)}:
                return self._mapping(members)
            case dict():
                return self._mapping(value)
            case list():
                return tuple(self.decode(each) for each in value)
            case _:
                return value

    def _made(self, cls: type[Any], value: Mapping[str, Any]) -> Any:
        # Of a newer version may be what this one has no name for.
        known = attrs.fields_dict(cls).keys() & value.keys()
        return cls(**{name: self.decode(value[name]) for name in known})

    def _mapping(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """What JSON has as it is, with lists as lists; and values of ours within it."""
        return {name: self._within(each) for name, each in members.items()}

    def _within(self, value: Any) -> Any:
        return [*map(self._within, value)] if isinstance(value, list) else self.decode(value)


def _is_enabled(written: Mapping[str, Any]) -> Literal[True] | Callable[[], bool]:
    return (lambda: True) if written.get("varies") else True


def _passes(text: str) -> bool:
    return False


def _no_tool(arguments: object) -> object:
    raise ConfigError("a trace has the names of tools, not their code")


def _no_agent() -> Agent:
    raise ConfigError("a trace has the names of agents, not their code")
