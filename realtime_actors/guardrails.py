"""Guardrails: what the model says, what the user says, what tools are called with and give back.

A guardrail gives a verdict. When it is asked is the session's business; it runs in a
task, so a check may take its time, and it may be a coroutine function. A check is a
function of what is judged, and if it takes them of the context and the agent. It
returns whether that is *not* acceptable (True trips the guardrail), or a
`GuardrailVerdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar, overload

from attrs import Attribute, field, frozen

from realtime_actors.config.places import Explained, refusing_unknown
from realtime_actors.errors import ConfigError
from realtime_actors.pickling import Picklable
from realtime_actors.schema.calling import Function, call, check_takes

__all__ = [
    "GuardrailVerdict",
    "InputGuardrail",
    "OutputGuardrail",
    "ToolGuardrail",
    "ToolOutputGuardrail",
    "input_guardrail",
    "output_guardrail",
    "tool_guardrail",
    "tool_output_guardrail",
]


@frozen(kw_only=True)
class GuardrailVerdict(Explained):
    """What a guardrail thinks of something."""

    tripped: bool
    reason: str = ""
    """Why, for the model: it is told."""


@frozen(kw_only=True)
class _Guardrail(Picklable, Explained):
    """A name and a check."""

    _stands_for_its_function = True

    judges: ClassVar[str]

    name: str = field()
    check: Function = field(repr=False)

    @name.validator
    def _check_name(self, _attribute: Attribute[str], name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the name of a guardrail must be text, not {name!r}")

    @check.validator
    def _check_check(self, _attribute: Attribute[Function], check: object) -> None:
        offered = (self.judges, "context", "agent")
        check_takes(check, offered, what=f"the check of guardrail {self.name!r}", at_least=1)

    def _functions(self) -> Iterator[tuple[str, object]]:
        yield f"guardrail {self.name!r}", self.check

    def _judge(self, judged: object, context: object, agent: object) -> GuardrailVerdict:
        verdict = call(self.check, judged, context, agent)
        if isinstance(verdict, bool):
            return GuardrailVerdict(tripped=verdict)
        if isinstance(verdict, GuardrailVerdict):
            return verdict
        # A check that forgot to return must not pass for one that found nothing.
        raise ConfigError(
            f"guardrail {self.name!r} must return a bool or a GuardrailVerdict, not {verdict!r}"
        )


@frozen(kw_only=True)
class OutputGuardrail(_Guardrail):
    """A check of the model's words, spoken or written: of the text so far."""

    judges = "text"

    def run(self, text: str, context: Any, agent: object) -> GuardrailVerdict:
        """Judge `text`. Blocks as long as the check does, and raises what it raises."""
        return self._judge(text, context, agent)


@frozen(kw_only=True)
class InputGuardrail(_Guardrail):
    """A check of what the user said: of the transcript of a turn."""

    judges = "text"

    def run(self, text: str, context: Any, agent: object) -> GuardrailVerdict:
        """Judge `text`. Blocks as long as the check does, and raises what it raises."""
        return self._judge(text, context, agent)


@frozen(kw_only=True)
class ToolGuardrail(_Guardrail):
    """A check of what a tool is called with: of its arguments, by name.

    When it trips, or raises, the tool is not run, and the model is told.
    """

    judges = "arguments"

    def run(self, arguments: dict[str, object], context: Any, agent: object) -> GuardrailVerdict:
        """Judge `arguments`. Blocks as long as the check does, and raises what it raises."""
        return self._judge(arguments, context, agent)


@frozen(kw_only=True)
class ToolOutputGuardrail(_Guardrail):
    """A check of what a tool gives back: of the text that the model would be told.

    When it trips, or raises, the model is told that instead.
    """

    judges = "output"

    def run(self, output: str, context: Any, agent: object) -> GuardrailVerdict:
        """Judge `output`. Blocks as long as the check does, and raises what it raises."""
        return self._judge(output, context, agent)


@overload
def output_guardrail(check: Function, /) -> OutputGuardrail: ...
@overload
def output_guardrail(*, name: str | None = None) -> Callable[[Function], OutputGuardrail]: ...
@refusing_unknown
def output_guardrail(
    check: Function | None = None, /, *, name: str | None = None
) -> OutputGuardrail | Callable[[Function], OutputGuardrail]:
    """Make an `OutputGuardrail` of a function, under the function's name or `name`.

    ```python
    @output_guardrail
    def no_prices(text: str) -> bool:
        return "$" in text
    ```
    """
    return _made(OutputGuardrail, check, name)


@overload
def input_guardrail(check: Function, /) -> InputGuardrail: ...
@overload
def input_guardrail(*, name: str | None = None) -> Callable[[Function], InputGuardrail]: ...
@refusing_unknown
def input_guardrail(
    check: Function | None = None, /, *, name: str | None = None
) -> InputGuardrail | Callable[[Function], InputGuardrail]:
    """Make an `InputGuardrail` of a function, under the function's name or `name`.

    ```python
    @input_guardrail
    def no_passwords(text: str) -> bool:
        return "password" in text
    ```
    """
    return _made(InputGuardrail, check, name)


@overload
def tool_guardrail(check: Function, /) -> ToolGuardrail: ...
@overload
def tool_guardrail(*, name: str | None = None) -> Callable[[Function], ToolGuardrail]: ...
@refusing_unknown
def tool_guardrail(
    check: Function | None = None, /, *, name: str | None = None
) -> ToolGuardrail | Callable[[Function], ToolGuardrail]:
    """Make a `ToolGuardrail` of a function, under the function's name or `name`.

    ```python
    @tool_guardrail
    def small_sums(arguments: dict) -> bool:
        return arguments["euros"] > 100
    ```
    """
    return _made(ToolGuardrail, check, name)


@overload
def tool_output_guardrail(check: Function, /) -> ToolOutputGuardrail: ...
@overload
def tool_output_guardrail(
    *, name: str | None = None
) -> Callable[[Function], ToolOutputGuardrail]: ...
@refusing_unknown
def tool_output_guardrail(
    check: Function | None = None, /, *, name: str | None = None
) -> ToolOutputGuardrail | Callable[[Function], ToolOutputGuardrail]:
    """Make a `ToolOutputGuardrail` of a function, under the function's name or `name`.

    ```python
    @tool_output_guardrail
    def no_addresses(output: str) -> bool:
        return "@" in output
    ```
    """
    return _made(ToolOutputGuardrail, check, name)


G = TypeVar("G", bound=_Guardrail)


def _made(kind: type[G], check: Function | None, name: str | None) -> G | Callable[[Function], G]:
    def decorate(check: Function) -> G:
        found = name if name is not None else str(getattr(check, "__name__", "guardrail"))
        return kind(name=found, check=check)

    return decorate if check is None else decorate(check)
