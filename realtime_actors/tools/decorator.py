"""`@tool`: a tool out of a function, its type hints and its docstring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, overload

from realtime_actors.config.places import put, refusing_unknown
from realtime_actors.config.tool_texts import ToolTexts
from realtime_actors.errors import ConfigError
from realtime_actors.guardrails import ToolGuardrail, ToolOutputGuardrail
from realtime_actors.schema.calling import Function, IsEnabled
from realtime_actors.schema.signature import Signature, name_of
from realtime_actors.tools.context import ToolContext
from realtime_actors.tools.tool import NeedsApproval, RunIn, Tool

__all__ = ["tool"]

NO_TEXTS: Final = ToolTexts()

put("@ra.tool(*=...)", ("run_in", "needs_approval", "timeout"))


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
