"""What an agent can do: functions of yours, described to the model by JSON Schema.

```python
@tool
def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    \"\"\"Current weather. Args: city: name of the city.\"\"\"
```

A tool is a value. Running one is the session's business, which does it in a task: a
tool may block as long as it likes, and may be a coroutine function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, overload

from attrs import evolve, field, frozen

from realtime_actors._calling import (
    Function,
    IsEnabled,
    call,
    check_is_enabled,
    check_takes,
    finish,
    is_enabled_for,
)
from realtime_actors._schema.function_tool import (
    check_parameters,
    check_tool_name,
    function_to_wire,
    parse_arguments,
)
from realtime_actors._schema.results import ToolOutput, as_json, output_text, tool_output
from realtime_actors._schema.signature import Signature, name_of
from realtime_actors.config import ToolTexts
from realtime_actors.config.checks import from_mapping, instance_of
from realtime_actors.config.places import Explained, refusing_unknown
from realtime_actors.errors import ConfigError, ToolArgumentsError
from realtime_actors.guardrails import ToolGuardrail, ToolOutputGuardrail
from realtime_actors.pickling import Picklable
from realtime_actors.seconds import seconds_or_none, unlimited

if TYPE_CHECKING:
    from realtime_actors.agent import Agent, Handoff

__all__ = [
    "HostedMcpTool",
    "NeedsApproval",
    "RunIn",
    "Tool",
    "ToolContext",
    "ToolOutput",
    "error_text",
    "output_text",
    "tool",
    "tool_output",
]

NO_TEXTS: Final = ToolTexts()
RunIn: TypeAlias = Literal["thread", "process"]
NeedsApproval: TypeAlias = bool | Function
"""Whether somebody has to approve a call: a bool, or a function of context and arguments."""


G = TypeVar("G", ToolGuardrail, ToolOutputGuardrail)


def _input_guardrails(given: Sequence[ToolGuardrail]) -> tuple[ToolGuardrail, ...]:
    return _listed(given)


def _output_guardrails(given: Sequence[ToolOutputGuardrail]) -> tuple[ToolOutputGuardrail, ...]:
    return _listed(given)


def _listed(given: Sequence[G]) -> tuple[G, ...]:
    if not isinstance(given, list | tuple):
        raise ConfigError(f"guardrails of a tool come in a list, not as {given!r}")
    return tuple(given)


def _texts(given: ToolTexts | Mapping[str, Any]) -> ToolTexts:
    return from_mapping(ToolTexts, given)


def _never() -> bool:
    return False


def _nobody_listens(message: str) -> None:
    pass


@frozen(kw_only=True)
class ToolContext:
    """Given to a tool that has a parameter annotated with it."""

    # A `Session`. It lives four floors up, and naming it here would tie a tool's
    # author to the whole of it.
    session: Any = field(repr=False)
    """The session that runs the tool: send, interrupt, read the history."""
    agent: Agent
    call_id: str
    context: Any = field(default=None, repr=False)
    """What was given to `run(context=...)`."""
    tool: Tool | Handoff | None = None
    _is_cancelled: Callable[[], bool] = field(
        default=_never, repr=False, eq=False, alias="is_cancelled"
    )
    _report: Callable[[str], None] = field(
        default=_nobody_listens, repr=False, eq=False, alias="report"
    )

    @property
    def cancelled(self) -> bool:
        """Nobody waits for this call any more: it took too long, or the session is over.

        The model has been told. Whatever the tool still returns is thrown away.
        """
        return self._is_cancelled()

    def progress(self, message: str) -> None:
        """Say how far the call is: a `ToolProgressEvent` for subscribers, not for the model."""
        self._report(message)


@frozen(kw_only=True)
class Tool(Picklable, Explained):
    """A function that the model may call. Usually made by `@tool`.

    Made by hand, `parameters` is the JSON Schema of an object, and `invoke` a function
    of the arguments (a dict), or of the arguments and the `ToolContext`. Calling a
    `Tool` calls the function, so a decorated one can be used as before.
    """

    _stands_for_its_function = True

    name: str = field()
    description: str = ""
    parameters: Mapping[str, Any] = field(
        factory=lambda: {"type": "object", "properties": {}}, hash=False, repr=False
    )
    function: Function = field(alias="invoke", repr=False)
    timeout: float | None = field(default=None, converter=unlimited)
    """Seconds after which the model is told that it took too long. None: no limit."""
    is_enabled: IsEnabled = field(default=True, repr=False)
    """Whether the model is offered it, asked again before each call: it may be a permission."""
    run_in: RunIn = field(default="thread", repr=False)
    """A process of its own is for what keeps the processor busy: a thread would slow down
    all others. It is ended when the call is cancelled."""
    needs_approval: NeedsApproval = field(default=False, repr=False)
    """The call waits for `session.approve(call_id)`. Asked once the arguments are known to fit."""
    texts: ToolTexts = field(
        factory=ToolTexts,
        converter=_texts,
        validator=instance_of(ToolTexts, "ToolTexts, or a dict"),
        repr=False,
    )
    """What the model is told when it fails, takes too long or is not approved."""
    input_guardrails: tuple[ToolGuardrail, ...] = field(
        default=(), converter=_input_guardrails, repr=False
    )
    """They judge the arguments before anybody is asked, and before the tool is run."""
    output_guardrails: tuple[ToolOutputGuardrail, ...] = field(
        default=(), converter=_output_guardrails, repr=False
    )
    """They judge what the tool gives back, before the model is told."""
    _signature: Signature | None = field(default=None, eq=False, repr=False, alias="signature")

    def __attrs_post_init__(self) -> None:
        check_tool_name(self.name, "tool")
        what = f"tool {self.name!r}"
        if self._signature is None:
            check_takes(self.function, ("arguments", "tool context"), what=what, at_least=1)
        seconds_or_none(self.timeout, f"the timeout of {what}", zero=False)
        if not isinstance(self.description, str):
            raise ConfigError(f"{what}: description must be text, not {self.description!r}")
        check_is_enabled(self.is_enabled, what)
        check_parameters(self.parameters, what)
        if self.run_in not in ("thread", "process"):
            raise ConfigError(f"{what}: run_in is 'thread' or 'process', not {self.run_in!r}")
        if not isinstance(self.needs_approval, bool):
            check_takes(
                self.needs_approval, ("context", "arguments"), what=f"needs_approval of {what}"
            )
        for guardrail in self.input_guardrails:
            if not isinstance(guardrail, ToolGuardrail):
                raise ConfigError(f"{what}: {guardrail!r} is no ToolGuardrail")
        for each in self.output_guardrails:
            if not isinstance(each, ToolOutputGuardrail):
                raise ConfigError(f"{what}: {each!r} is no ToolOutputGuardrail")
        if self.run_in == "process":
            self._check_runs_elsewhere(f"{what} runs in a process of its own")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def _functions(self) -> Iterator[tuple[str, object]]:
        yield f"tool {self.name!r}", self.function
        yield f"is_enabled of tool {self.name!r}", self.is_enabled
        yield f"needs_approval of tool {self.name!r}", self.needs_approval
        yield f"the text for a failure of tool {self.name!r}", self.texts.failed

    def __get__(self, instance: object, owner: type | None = None) -> Tool:
        """The tool of a method, bound to an instance; any other as it is."""
        if self._signature is None or not self._signature.is_method or instance is None:
            return self
        return evolve(
            self,
            invoke=self.function.__get__(instance, owner),
            signature=evolve(self._signature, is_method=False),
        )

    def check_is_bound(self) -> None:
        """Raise `ConfigError` for the tool of a method that is bound to no instance."""
        if self._signature is not None and self._signature.is_method:
            owner = self.function.__qualname__.rpartition(".")[0].rpartition(".")[2]
            raise ConfigError(
                f"the tool {self.name!r} is a method of {owner}, and bound to no instance: take"
                f" it from one, {owner}(...).{self.function.__name__}"
            )

    def bind(self, arguments: str) -> dict[str, object]:
        """Turn the JSON text that the model sent into the function's arguments.

        Raises `ToolArgumentsError`, which names everything that is wrong.
        """
        values = parse_arguments(arguments, self.parameters, self.name)
        if self._signature is None:
            return values
        try:
            return self._signature.convert(values)
        except (ValueError, RecursionError) as error:
            raise ToolArgumentsError(f"Wrong arguments for {self.name}: {error}") from error

    def run(self, arguments: str, context: ToolContext | None = None) -> ToolOutput:
        """Run the tool to its end in this thread, and return what the model is given.

        Blocks. Raises `ToolArgumentsError`, `ToolError` for a result that can't be
        sent, and whatever the function raises: `error_text` has the words for it.
        """
        self.check_is_bound()
        values = self.bind(arguments)
        if self._signature is None:
            return tool_output(call(self.function, values, context))
        if self._signature.context_name is not None:
            values[self._signature.context_name] = context
        return tool_output(finish(self.function(**values)))

    def invoke(self, arguments: str, context: ToolContext | None = None) -> str:
        """`run`, for the text alone."""
        return self.run(arguments, context).text

    def enabled_for(self, context: object, agent: Agent) -> bool:
        """Whether the model is offered this tool now."""
        return is_enabled_for(self.is_enabled, context, agent)

    def needs_approval_for(self, context: object, arguments: dict[str, object]) -> bool:
        """Whether a call with these arguments (see `bind`) has to be approved."""
        if isinstance(self.needs_approval, bool):
            return self.needs_approval
        return bool(call(self.needs_approval, context, arguments))

    def to_wire(self) -> dict[str, Any]:
        """The tool as the API wants to have it described."""
        return function_to_wire(self.name, self.description, self.parameters)

    @property
    def is_described_by_signature(self) -> bool:
        """Whether the function takes its arguments by name (`@tool`), or as a dict."""
        return self._signature is not None

    def _check_runs_elsewhere(self, what: str) -> None:
        if getattr(sys, "frozen", False):
            raise ConfigError(
                f"{what}, and this program is frozen: there is no Python to start, only the"
                " program again. Use run_in='thread'"
            )
        module = getattr(self.function, "__module__", None)
        name = getattr(self.function, "__qualname__", "")
        if not name.isidentifier() or module is None:
            raise ConfigError(f"{what}: its function must stand at the top of a module")
        if module == "__main__":
            raise ConfigError(
                f"{what}: put {name} into a module, the other process must not run your program"
            )
        if self._signature is None:
            check_takes(self.function, ("arguments",), what=what, at_least=1)
        elif self._signature.context_name is not None:
            raise ConfigError(f"{what}, where there is no session: it can't have a ToolContext")


@frozen(kw_only=True)
class HostedMcpTool(Explained):
    """An MCP server whose tools the Realtime API calls itself: we only name it.

    Exactly one of `server_url`, `connector_id` and `tunnel_id` is needed. What has no
    name here goes in `extra`, as on the wire.
    """

    server_label: str = field()
    server_url: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    authorization: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False, hash=False)
    server_description: str | None = None
    allowed_tools: Sequence[str] | Mapping[str, object] | None = field(default=None, hash=False)
    require_approval: str | Mapping[str, object] | None = field(default=None, hash=False)
    """ "always" (the server's default), "never", or which tools need it."""
    extra: Mapping[str, object] = field(factory=dict, repr=False, hash=False)
    is_enabled: IsEnabled = field(default=True, repr=False)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.server_label, str) or not self.server_label:
            raise ConfigError(f"an MCP tool needs a server_label, not {self.server_label!r}")
        what = f"MCP tool {self.server_label!r}"
        places = [self.server_url, self.connector_id, self.tunnel_id]
        if sum(each is not None for each in places) != 1:
            raise ConfigError(f"{what} needs one of server_url, connector_id and tunnel_id")
        if isinstance(self.require_approval, str) and self.require_approval not in (
            "always",
            "never",
        ):
            raise ConfigError(
                f"{what}: require_approval is 'always', 'never' or a filter, "
                f"not {self.require_approval!r}"
            )
        check_is_enabled(self.is_enabled, what)

    def enabled_for(self, context: object, agent: Agent) -> bool:
        """Whether the model is offered this server now."""
        return is_enabled_for(self.is_enabled, context, agent)

    def to_wire(self) -> dict[str, Any]:
        """The tool as the API wants to have it described."""
        members = {
            "server_label": self.server_label,
            "server_url": self.server_url,
            "connector_id": self.connector_id,
            "tunnel_id": self.tunnel_id,
            "authorization": self.authorization,
            "headers": dict(self.headers) if self.headers is not None else None,
            "server_description": self.server_description,
            "allowed_tools": as_json(self.allowed_tools),
            "require_approval": as_json(self.require_approval),
        }
        given = {name: value for name, value in members.items() if value is not None}
        return {"type": "mcp", **given, **self.extra}


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    is_enabled: IsEnabled = True,
    run_in: RunIn = "thread",
    needs_approval: NeedsApproval = False,
    texts: ToolTexts | Mapping[str, Any] = NO_TEXTS,
    input_guardrails: Sequence[ToolGuardrail] = (),
    output_guardrails: Sequence[ToolOutputGuardrail] = (),
) -> Callable[[Function], Tool]: ...
@refusing_unknown
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    is_enabled: IsEnabled = True,
    run_in: RunIn = "thread",
    needs_approval: NeedsApproval = False,
    texts: ToolTexts | Mapping[str, Any] = NO_TEXTS,
    input_guardrails: Sequence[ToolGuardrail] = (),
    output_guardrails: Sequence[ToolOutputGuardrail] = (),
) -> Tool | Callable[[Function], Tool]:
    """Make a `Tool` of a function, from its signature, type hints and docstring.

    With or without options: `@tool`, `@tool(timeout=5)`. Above a method it makes a tool of
    each instance: `agent(tools=[desk.greet])`. `name` and `description`
    replace the function's own. Arguments are checked and converted to the hinted types
    before the function sees them; a parameter annotated `ToolContext` is given one.
    An Enum is written by its values if these are text, else by its names.

    `run_in="process"` runs each call in a new process, which imports the function: it
    stands at the top of a module that is not the program itself, and takes no
    `ToolContext`. That costs a fraction of a second, and is worth it for long sums only.

    Raises `ConfigError` for a parameter that can't be described to a model.
    """

    def decorate(function: Function) -> Tool:
        if isinstance(function, classmethod):
            raise ConfigError("@ra.tool goes below @classmethod, and not above it")
        if not callable(function) or isinstance(function, type | Tool):
            raise ConfigError(f"a tool is made of a function, not of {function!r}")
        signature = Signature.of(function, ToolContext)
        return Tool(
            name=name_of(function) if name is None else name,
            description=signature.description if description is None else description,
            parameters=signature.schema,
            invoke=function,
            timeout=timeout,
            is_enabled=is_enabled,
            run_in=run_in,
            needs_approval=needs_approval,
            texts=texts,
            input_guardrails=input_guardrails,
            output_guardrails=output_guardrails,
            signature=signature,
        )

    return decorate if function is None else decorate(function)


def error_text(error: BaseException) -> str:
    """What an error says, as a line. The model is told that of a `ToolError`."""
    return f"Error: {str(error) or type(error).__name__}"
