"""Who is speaking: instructions, tools, and whom the conversation can be handed over to.

Agents are values. Two that hand over to each other need one reference that is looked
up later, so a `Handoff` takes a function as well:

```python
billing = Agent(name="Billing", handoffs=[Handoff(lambda: triage, tool_name="back_to_triage")])
triage = Agent(name="Triage", handoffs=[billing])
```
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MethodType
from typing import Any, Final, Literal, Self, TypeAlias, TypedDict, Unpack

import attrs
from attrs import field, fields_dict, frozen

from realtime_actors.config.models import default_model
from realtime_actors.config.places import Explained, put, unknown
from realtime_actors.errors import ConfigError, ToolError
from realtime_actors.guardrails import InputGuardrail, OutputGuardrail
from realtime_actors.items import Item, items_from_input
from realtime_actors.pickling import Picklable
from realtime_actors.schema.calling import (
    Function,
    IsEnabled,
    call,
    check_is_enabled,
    check_takes,
    is_enabled_for,
)
from realtime_actors.schema.function_tool import (
    check_parameters,
    check_tool_name,
    function_to_wire,
    parse_arguments,
)
from realtime_actors.tools.hosted import HostedMcpTool
from realtime_actors.tools.tool import Tool

__all__ = [
    "DEFAULT_INSTRUCTIONS",
    "Agent",
    "AgentOptions",
    "Handoff",
    "Hooks",
    "agent",
    "default_model",
]

DEFAULT_INSTRUCTIONS: Final = "You are a helpful assistant."
"""What an agent is told that was given no instructions. All that somebody wrote comes first."""


def _agent_name(agent: object) -> str:
    # Its name alone: agents that know each other would print each other at length.
    return f"<Agent {agent.name!r}>" if isinstance(agent, Agent) else repr(agent)


@frozen
class Handoff(Picklable, Explained):
    """A tool with which the model hands the conversation over to another agent.

    The target is `agent`: an agent, or a function of no argument that returns it.
    `on_invoke_handoff`, if there is one, has the last word: a function of the
    context, or of the context and the model's arguments (a dict that fits
    `input_schema`), that returns the agent. It runs in a task.
    """

    agent: Agent | Function | None = field(default=None, repr=_agent_name)
    _tool_name: str | None = field(default=None, kw_only=True, alias="tool_name")
    tool_description: str | None = field(default=None, kw_only=True, repr=False)
    input_schema: Mapping[str, Any] | None = field(
        default=None, kw_only=True, repr=False, hash=False
    )
    on_invoke_handoff: Function | None = field(default=None, kw_only=True, repr=False)
    is_enabled: IsEnabled = field(default=True, kw_only=True, repr=False)
    input_filter: Function | None = field(default=None, kw_only=True, repr=False)
    """A function of the history (a tuple of items), and if it takes it the context,
    that returns the items which the new agent is to know."""
    voice: Literal["refuse", "reconnect"] = field(default="refuse", kw_only=True, repr=False)
    """What happens when the agent has another voice and the model has spoken already. A
    connection keeps its voice then: "refuse" fails the call, "reconnect" makes a new
    connection, tells it the conversation so far, and lets the old one go."""

    def __attrs_post_init__(self) -> None:
        if self._tool_name is None and not isinstance(self.agent, Agent):
            raise ConfigError("a Handoff whose agent is known only later needs a tool_name")
        check_tool_name(self.tool_name, "handoff")
        what = f"handoff {self.tool_name!r}"
        if self.agent is None and self.on_invoke_handoff is None:
            raise ConfigError(f"{what} leads nowhere: give it an agent or an on_invoke_handoff")
        if self.agent is not None and not isinstance(self.agent, Agent):
            check_takes(self.agent, (), what=f"the agent of {what}")
        if not isinstance(self.tool_description, str | None):
            raise ConfigError(f"{what}: tool_description must be text")
        if self.input_schema is not None:
            check_parameters(self.input_schema, what)
        if self.on_invoke_handoff is not None:
            check_takes(
                self.on_invoke_handoff,
                ("context", "arguments"),
                what=f"on_invoke_handoff of {what}",
            )
        check_is_enabled(self.is_enabled, what)
        if self.input_filter is not None:
            check_takes(
                self.input_filter,
                ("history", "context"),
                what=f"input_filter of {what}",
                at_least=1,
            )
        if self.voice not in ("refuse", "reconnect"):
            raise ConfigError(f"{what}: voice is {self.voice!r}: allowed: refuse, reconnect")

    def _functions(self) -> Iterator[tuple[str, object]]:
        what = f"handoff {self.tool_name!r}"
        yield f"the agent of {what}", self.agent
        yield f"on_invoke_handoff of {what}", self.on_invoke_handoff
        yield f"is_enabled of {what}", self.is_enabled
        yield f"input_filter of {what}", self.input_filter

    @property
    def tool_name(self) -> str:
        """The name given, or `transfer_to_` and the agent's in what the API allows."""
        if self._tool_name is None:
            assert isinstance(self.agent, Agent)  # else a name was asked for
            return "transfer_to_" + _in_ascii(self.agent.name)
        return self._tool_name

    @property
    def name(self) -> str:
        """The tool's name, as every tool has one."""
        return self.tool_name

    def target(self) -> Agent | None:
        """The agent, looked up if need be; None if only `on_invoke_handoff` knows it."""
        if self.agent is None or isinstance(self.agent, Agent):
            return self.agent
        return self._checked(call(self.agent))

    def invoke(self, arguments: str, context: object) -> Agent:
        """Find the agent to hand over to. `arguments` is the JSON text the model sent.

        Raises `ToolArgumentsError`, `ToolError` when there is no agent, and whatever
        the functions raise.
        """
        schema = {"type": "object"} if self.input_schema is None else self.input_schema
        values = parse_arguments(arguments, schema, self.tool_name)
        if self.on_invoke_handoff is not None:
            return self._checked(call(self.on_invoke_handoff, context, values))
        return self._checked(self.target())

    def filter_history(self, history: Sequence[Item], context: object) -> tuple[Item, ...]:
        """The items that the new agent is to know: all of them without `input_filter`.

        It may return what `Session.update_history` takes. Raises `ConfigError` for anything
        else.
        """
        if self.input_filter is None:
            return tuple(history)
        what = f"input_filter of {self.tool_name!r}"
        kept = call(self.input_filter, tuple(history), context)
        if not isinstance(kept, Iterable):
            raise ConfigError(f"{what} must return items, not {kept!r}")
        try:
            items = items_from_input(kept)
        except ConfigError as error:
            raise ConfigError(f"{what} returned something else than items: {error}") from error
        known = {item.id: place for place, item in enumerate(history) if item.id is not None}
        places = [known[item.id] for item in items if item.id in known]
        if any(place >= later for place, later in pairwise(places)):
            raise ConfigError(f"{what} changed the places of items, or gave one twice")
        return items

    def enabled_for(self, context: object, agent: Agent) -> bool:
        """Whether the model is offered this handoff now."""
        return is_enabled_for(self.is_enabled, context, agent)

    def to_wire(self) -> dict[str, Any]:
        """The handoff as the API wants to have a tool described."""
        schema = self.input_schema
        return function_to_wire(
            self.tool_name,
            self._description() if self.tool_description is None else self.tool_description,
            {"type": "object", "properties": {}, "additionalProperties": False}
            if schema is None
            else schema,
        )

    def _description(self) -> str:
        target = self.target()
        if target is None:
            return "Hand the conversation over to another agent."
        return " ".join(filter(None, (f"Transfer to {target.name}.", target.handoff_description)))

    def _checked(self, found: object) -> Agent:
        if not isinstance(found, Agent):
            raise ToolError(f"handoff {self.tool_name} has no agent to hand over to: {found!r}")
        return found


put(
    "ra.Handoff(..., *=...)",
    fields_dict(Handoff).keys() - {"agent", "is_enabled", "_tool_name"},
)

AnyTool: TypeAlias = Tool | HostedMcpTool | Handoff


class Hooks:
    """What an agent knows of its hooks, which are told of agents: see `AgentHooks`."""

    def check_hooks(self) -> None:
        """Raise `ConfigError` for a hook that can't be called, or would never be."""
        raise ConfigError(f"{type(self).__name__} must be a subclass of AgentHooks")


class AgentOptions(TypedDict, total=False):
    """What `agent()` and `Agent.clone()` take."""

    name: str
    instructions: str | Function | None
    model: str | None
    voice: str | None
    tools: Iterable[Tool | HostedMcpTool]
    handoffs: Iterable[Agent | Handoff]
    output_guardrails: Iterable[OutputGuardrail]
    input_guardrails: Iterable[InputGuardrail]
    hooks: Hooks | None
    handoff_description: str | None


put("ra.agent(*=...)", AgentOptions.__annotations__)


def _in_ascii(name: str) -> str:
    """Write an agent's name in what the API allows.

    Letters that Latin does not have would all be the same: they are told apart by their numbers.
    """
    name = name.lower()
    ascii_name = re.sub(r"[^a-z0-9_-]", "_", name)
    others = [
        each
        for each in name
        if each.isalnum() and not unicodedata.normalize("NFKD", each)[0].isascii()
    ]
    if not others:
        return ascii_name
    numbers = "_".join(f"{ord(each):x}" for each in others)
    if len(ascii_name) + len(numbers) > 50:  # of the 64 that are allowed in all
        number = zlib.crc32(name.encode("utf-8", "replace"))
        return f"{ascii_name[:20].strip('_') or 'agent'}_{number:08x}"
    return numbers if not ascii_name.strip("_-") else f"{ascii_name}_{numbers}"


def _handoffs(given: Iterable[Agent | Handoff]) -> tuple[Handoff, ...]:
    return tuple(Handoff(each) if isinstance(each, Agent) else each for each in _each(given))


def _each(given: Iterable[Any]) -> tuple[Any, ...]:
    # A lone tool, or a string, where a list of them is wanted.
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigError(f"tools, handoffs and guardrails come in a list, not as {given!r}")
    return tuple(given)


def _tools(given: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(map(_as_tool, _each(given)))


def _as_tool(given: Any) -> Any:
    # From Python 3.13 on this is what a class method is that is decorated with @tool as well.
    if isinstance(given, MethodType) and isinstance(given.__func__, Tool):
        return given.__func__.__get__(given.__self__)
    return given


def _names(members: tuple[AnyTool | OutputGuardrail | InputGuardrail, ...]) -> str:
    return "[" + ", ".join(map(_label, members)) + "]"


def _label(member: AnyTool | OutputGuardrail | InputGuardrail) -> str:
    return member.server_label if isinstance(member, HostedMcpTool) else member.name


@frozen(kw_only=True)
class Agent(Picklable, Explained):
    """A voice with a purpose. Raises `ConfigError` when something about it is wrong."""

    name: str = "Agent"
    instructions: str | Function | None = field(default=DEFAULT_INSTRUCTIONS, repr=False)
    """Text, or a function of nothing, of the context, or of the context and the agent,
    which runs in a task. None leaves them to the server."""
    model: str | None = None
    """Of the session that begins with this agent; a session keeps its model. None: what the
    settings name, or else the dialect's default."""
    voice: str | None = None
    """None: the session's. Once the model has spoken a connection keeps its voice: only
    agents that sound the same can be handed over to then, or those whose handoff
    reconnects (`Handoff.voice`)."""
    tools: tuple[Tool | HostedMcpTool, ...] = field(default=(), converter=_tools, repr=_names)
    handoffs: tuple[Handoff, ...] = field(default=(), converter=_handoffs, repr=_names)
    """Given as agents or handoffs, kept as handoffs."""
    output_guardrails: tuple[OutputGuardrail, ...] = field(default=(), converter=_each, repr=_names)
    input_guardrails: tuple[InputGuardrail, ...] = field(default=(), converter=_each, repr=_names)
    hooks: Hooks | None = field(default=None, repr=False)
    handoff_description: str | None = field(default=None, repr=False)
    """For other agents' models: what this one is good for."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"the name of an agent must be text, not {self.name!r}")
        what = f"agent {self.name!r}"
        if not isinstance(self.instructions, str | None):
            check_takes(self.instructions, ("context", "agent"), what=f"instructions of {what}")
        if not isinstance(self.model, str | None) or self.model == "":
            raise ConfigError(f"{what}: model must be a model's name or None, not {self.model!r}")
        if not isinstance(self.voice, str | None) or self.voice == "":
            raise ConfigError(f"{what}: voice must be a voice's name or None, not {self.voice!r}")
        if not isinstance(self.handoff_description, str | None):
            raise ConfigError(f"{what}: handoff_description must be text")
        for each in self.tools:
            if isinstance(each, Tool):
                each.check_is_bound()
            elif not isinstance(each, HostedMcpTool):
                hint = ": decorate it with @tool" if callable(each) else ""
                raise ConfigError(f"{what}: {each!r} is no tool{hint}")
        for handoff in self.handoffs:
            if not isinstance(handoff, Handoff):
                raise ConfigError(f"{what}: {handoff!r} is neither an agent nor a Handoff")
        for guardrail in self.output_guardrails:
            if not isinstance(guardrail, OutputGuardrail):
                raise ConfigError(f"{what}: {guardrail!r} is no OutputGuardrail")
        for screening in self.input_guardrails:
            if not isinstance(screening, InputGuardrail):
                raise ConfigError(f"{what}: {screening!r} is no InputGuardrail")
        if not isinstance(self.hooks, Hooks | None):
            raise ConfigError(f"{what}: hooks must be an instance of AgentHooks")
        if self.hooks is not None:
            self.hooks.check_hooks()
        self._check_names(what)

    def _check_names(self, what: str) -> None:
        functions = [each.name for each in self.get_tools() if not isinstance(each, HostedMcpTool)]
        servers = [each.server_label for each in self.tools if isinstance(each, HostedMcpTool)]
        for names in (functions, servers):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ConfigError(
                    f"{what} has two tools or handoffs called {', '.join(map(repr, twice))}: "
                    "give one of them another name (a handoff's is its tool_name)"
                )

    @property
    def has_instructions(self) -> bool:
        """Whether somebody wrote its instructions: they are not the default ones, nor None."""
        return self.instructions not in (None, DEFAULT_INSTRUCTIONS)

    def clone(self, **changes: Unpack[AgentOptions]) -> Self:
        """A copy with some options changed. Raises `ConfigError` for an unknown one."""
        _check_options(changes, attrs.fields_dict(type(self)))
        return attrs.evolve(self, **changes)

    def default_model(self, dialect: str = "ga") -> str:
        """The agent's own model, or else the one that the dialect speaks by default."""
        return default_model(dialect) if self.model is None else self.model

    def resolve_instructions(self, context: object) -> str | None:
        """The instructions as text, for this context. Calls the function if it is one.

        Blocks as long as that takes, and raises what it raises, or `ConfigError` when
        it doesn't return text. None means: leave them to the server.
        """
        if isinstance(self.instructions, str | None):
            return self.instructions
        text = call(self.instructions, context, self)
        if not isinstance(text, str | None):
            raise ConfigError(f"instructions of agent {self.name!r} must be text, not {text!r}")
        return text

    def _functions(self) -> Iterator[tuple[str, object]]:
        yield f"instructions of agent {self.name!r}", self.instructions

    def get_tools(self) -> tuple[AnyTool, ...]:
        """All that the model could call: the tools, then the handoffs."""
        return (*self.tools, *self.handoffs)

    @property
    def offers_vary(self) -> bool:
        """Whether it depends on functions what the model is offered to call."""
        return any(callable(each.is_enabled) for each in self.get_tools())

    def enabled_tools(self, context: object) -> tuple[AnyTool, ...]:
        """Those of `get_tools()` that are enabled now. Calls functions, so it may block."""
        return tuple(each for each in self.get_tools() if each.enabled_for(context, self))

    def tool_definitions(self, context: object) -> tuple[dict[str, Any], ...]:
        """The enabled tools and handoffs, as `SessionModelSettings.tools` wants them."""
        return tuple(each.to_wire() for each in self.enabled_tools(context))

    def find_tool(self, name: str) -> Tool | Handoff | None:
        """The tool or handoff of that name, enabled or not; None if there is none."""
        for each in self.get_tools():
            if not isinstance(each, HostedMcpTool) and each.name == name:
                return each
        return None

    def find_handoff_target(self, name: str) -> Agent | None:
        """The agent behind a transfer tool's name.

        None if no handoff has that name, or only its `on_invoke_handoff` knows.
        """
        found = self.find_tool(name)
        return found.target() if isinstance(found, Handoff) else None


def agent(**options: Unpack[AgentOptions]) -> Agent:
    """Make an `Agent`. Raises `ConfigError` for an unknown option, or a wrong value."""
    _check_options(options, AgentOptions.__annotations__)
    return Agent(**options)


def _check_options(options: Mapping[str, object], known: Iterable[str]) -> None:
    for name in options:
        if name not in known:
            raise unknown(name, known, what="an agent")
