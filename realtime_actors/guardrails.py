"""Guardrails on what the model says: text in, verdict out.

When and on which part of the transcript they run is the session's business
(`GuardrailsSettings`). They run in tasks, so a check may take its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from attrs import Attribute, field, frozen

from realtime_actors._calling import Function, call, check_takes
from realtime_actors.errors import ConfigError

if TYPE_CHECKING:
    from realtime_actors.agent import Agent

__all__ = ["GuardrailVerdict", "OutputGuardrail", "output_guardrail"]

_OFFERED = ("text", "context", "agent")


@frozen(kw_only=True)
class GuardrailVerdict:
    """What a guardrail thinks of a text."""

    tripped: bool
    reason: str = ""
    """Why, for the model: it is told to say something else."""


@frozen(kw_only=True)
class OutputGuardrail:
    """A check of the model's words, spoken or written.

    `check` is a function of the text so far, and if it takes them the context and the
    agent. It returns whether the text is *not* acceptable (True trips the guardrail),
    or a `GuardrailVerdict`; it may be a coroutine function.
    """

    name: str = field()
    check: Function = field(repr=False)

    @name.validator
    def _check_name(self, _attribute: Attribute[str], name: str) -> None:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"the name of a guardrail must be text, not {name!r}")

    @check.validator
    def _check_check(self, _attribute: Attribute[Function], check: object) -> None:
        check_takes(check, _OFFERED, what=f"the check of guardrail {self.name!r}", at_least=1)

    def run(self, text: str, context: Any, agent: Agent) -> GuardrailVerdict:
        """Judge `text`. Blocks as long as the check does, and raises what it raises."""
        verdict = call(self.check, text, context, agent)
        if isinstance(verdict, bool):
            return GuardrailVerdict(tripped=verdict)
        if isinstance(verdict, GuardrailVerdict):
            return verdict
        # A check that forgot to return must not pass for one that found nothing.
        raise ConfigError(
            f"guardrail {self.name!r} must return a bool or a GuardrailVerdict, not {verdict!r}"
        )


@overload
def output_guardrail(check: Function, /) -> OutputGuardrail: ...
@overload
def output_guardrail(*, name: str | None = None) -> Callable[[Function], OutputGuardrail]: ...
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

    def decorate(check: Function) -> OutputGuardrail:
        found = name if name is not None else str(getattr(check, "__name__", "guardrail"))
        return OutputGuardrail(name=found, check=check)

    return decorate if check is None else decorate(check)
