"""Calling what a user wrote, with as many of the arguments as it takes.

Instructions may be a function of nothing, of the context, or of the context and
the agent; checks, filters and handoffs are as free. What a function takes is read
off its signature when it is handed to us, so that a wrong one is refused there and
not in the middle of a conversation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from realtime_actors.errors import ConfigError

__all__ = [
    "Function",
    "IsEnabled",
    "call",
    "check_is_enabled",
    "check_takes",
    "finish",
    "is_enabled_for",
]

Function: TypeAlias = Callable[..., object]
_ALIASES: Final = {"ctx": "context", "args": "arguments"}
"""What people call arguments as well."""

IsEnabled: TypeAlias = bool | Function
"""Whether the model is offered something: a bool, or a function of context and agent."""


def check_takes(function: object, offered: Sequence[str], *, what: str, at_least: int = 0) -> None:
    """Raise `ConfigError` unless `function` can be called with the first few of `offered`.

    `what` names the function in the message; `at_least` is how many arguments it
    has to take for the call to make sense.
    """
    if not callable(function):
        raise ConfigError(f"{what} must be a function, not {function!r}")
    count = _count(function, len(offered), what=what)
    if not at_least <= count <= len(offered):
        raise ConfigError(
            f"{what} takes {count} positional arguments, but is called with "
            f"{at_least} to {len(offered)}: {', '.join(offered)}"
        )
    for index, each in enumerate(_required(function)):
        name = _ALIASES.get(each.name, each.name)
        if index == 0 and name in ("self", "cls"):
            raise ConfigError(f"{what} is a method: bind it first, take it from an instance")
        if name in offered and offered.index(name) != index:
            raise ConfigError(
                f"{what} has {each.name!r} in the wrong place: it is called with"
                f" {', '.join(offered)}, in this order"
            )


def call(function: Function, *arguments: object) -> object:
    """Call `function` with the first of `arguments`, as many as it takes, and wait for it.

    A parameter that has a default keeps it: `lambda context, agent=billing: agent`
    takes one argument, not two.
    """
    count = _count(function, len(arguments), what=repr(function))
    return finish(function(*arguments[:count]))


def finish(result: object) -> object:
    """Return `result`, or what it comes to if it is a coroutine.

    User code has a thread of its own (a task), so a coroutine function may simply
    run to its end there, in an event loop of its own.
    """
    if not inspect.iscoroutine(result):
        return result
    import asyncio  # here, because few programs need it and it costs 30 ms

    return asyncio.run(result)


def check_is_enabled(is_enabled: object, what: str) -> None:
    """Raise `ConfigError` for what can't say whether something is enabled."""
    if not isinstance(is_enabled, bool):
        check_takes(is_enabled, ("context", "agent"), what=f"is_enabled of {what}")


def is_enabled_for(is_enabled: IsEnabled, context: object, agent: object) -> bool:
    """Ask a function whether something is enabled, or take the bool for an answer."""
    return is_enabled if isinstance(is_enabled, bool) else bool(call(is_enabled, context, agent))


def _required(function: Function) -> list[inspect.Parameter]:
    """The parameters without a default. Those of a wrapper count, and not of what it wraps."""
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        parameters = inspect.signature(function).parameters.values()
    return [each for each in parameters if each.default is each.empty]


def _count(function: Function, offered: int, *, what: str) -> int:
    try:
        required = _required(function)
    except (TypeError, ValueError):
        raise ConfigError(
            f"{what}: the signature of {function!r} can't be read, wrap it in a function of yours"
        ) from None
    if any(each.kind is each.KEYWORD_ONLY for each in required):
        raise ConfigError(f"{what} has a keyword-only parameter without a default")
    if any(each.kind is each.VAR_POSITIONAL for each in required):
        return offered
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in required)
