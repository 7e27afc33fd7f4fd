"""A function that the model may call, and what has to be known about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import evolve, field, frozen

from realtime_actors.config import ToolTexts
from realtime_actors.config.checks import from_mapping, instance_of
from realtime_actors.config.places import Explained
from realtime_actors.errors import ConfigError, ToolArgumentsError
from realtime_actors.guardrails import ToolGuardrail, ToolOutputGuardrail
from realtime_actors.pickling import Picklable
from realtime_actors.schema.calling import (
    Function,
    IsEnabled,
    call,
    check_is_enabled,
    check_takes,
    finish,
    is_enabled_for,
)
from realtime_actors.schema.function_tool import (
    check_parameters,
    check_tool_name,
    function_to_wire,
    parse_arguments,
)
from realtime_actors.schema.results import ToolOutput, output_text, tool_output
from realtime_actors.schema.signature import Signature
from realtime_actors.seconds import seconds_or_none, unlimited

__all__ = [
    "NeedsApproval",
    "RunIn",
    "Tool",
    "ToolOutput",
    "output_text",
    "tool_output",
]

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

    def run(self, arguments: str, context: object = None) -> ToolOutput:
        """Run the tool to its end in this thread, and return what the model is given.

        `context` is what a parameter annotated `ToolContext` gets.

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

    def invoke(self, arguments: str, context: object = None) -> str:
        """`run`, for the text alone."""
        return self.run(arguments, context).text

    def enabled_for(self, context: object, agent: object) -> bool:
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
