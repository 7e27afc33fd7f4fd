"""Options as people give them: a mistake is refused where it is given.

The `ConfigError` names the option, the value and what is allowed. Times have the same in
`realtime_actors.seconds`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from enum import Enum
from inspect import signature
from typing import Any, TypeVar

from realtime_actors.errors import ConfigError, did_you_mean
from realtime_actors.otp.kernel.exits import KILL
from realtime_actors.seconds import seconds_or_none

__all__ = [
    "check_class",
    "check_count",
    "check_flag",
    "check_function",
    "check_instance",
    "check_key",
    "check_limit",
    "check_shutdown",
    "check_word",
    "options_of",
    "wrong",
]

E = TypeVar("E", bound=Enum)

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def wrong(value: object, name: str, allowed: str) -> ConfigError:
    """Make the error that says which option is wrong."""
    return ConfigError(f"{name} is {_SHORT.repr(value)}: allowed is {allowed}")


def check_count(value: object, name: str, *, least: int = 1) -> int:
    """Return `value` if it is a whole number, `least` or more. Raises `ConfigError` with `name`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise wrong(value, name, f"a whole number, {least} or more")
    return value


def check_limit(value: object, name: str) -> int | None:
    """Return `value` if it is a whole number, 0 or more, or None: no limit."""
    if value is None:
        return None
    try:
        return check_count(value, name, least=0)
    except ConfigError as error:
        raise ConfigError(f"{error}, or None") from None


def check_word(value: object, name: str, words: type[E]) -> E:
    """Return the member of an enumeration that `value` is, or is the word of."""
    try:
        return words(value)
    except ValueError:
        allowed = " or ".join(repr(each.value) for each in words)
        raise wrong(value, name, allowed) from None


def check_flag(value: object, name: str) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool):
        raise wrong(value, name, "True or False")
    return value


def check_key(value: object, name: str) -> None:
    """Refuse what can't be a key or an id."""
    try:
        hash(value)
    except TypeError:
        raise wrong(value, name, "what can be hashed: a text, a number, a tuple of these") from None


def check_function(value: object, name: str) -> None:
    """Refuse what can't be called."""
    if not callable(value):
        raise wrong(value, name, "a function, or what else can be called")


def check_instance(value: object, name: str, cls: type[Any] | tuple[type[Any], ...]) -> None:
    """Refuse what is none of these."""
    if not isinstance(value, cls):
        classes = cls if isinstance(cls, tuple) else (cls,)
        raise wrong(value, name, " or ".join(_called(each) for each in classes))


def check_class(value: object, name: str, base: type[Any]) -> None:
    """Refuse what is no class, or no subclass of `base`."""
    if not (isinstance(value, type) and issubclass(value, base)):
        raise wrong(value, name, f"a subclass of {base.__name__}")


def check_shutdown(value: Any, name: str) -> float | str | None:
    """Return the seconds that something has for its end; None: no limit; or `"kill"`."""
    if isinstance(value, str):
        if value == KILL:
            return KILL
        raise ConfigError(f'{name} is {value!r}: allowed are seconds, "kill" or None')
    return seconds_or_none(value, name)


def options_of(
    owner: type[Any],
    init: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the `init` of `owner` would get, defaults included.

    Raises `ConfigError` for what it does not take.
    """
    known = signature(init)
    for name in kwargs:
        if name not in known.parameters:
            hint = did_you_mean(name, [each for each in known.parameters if each != "self"])
            raise ConfigError(f"{owner.__name__} has no option {name!r}: {hint}")
    try:
        bound = known.bind(None, *args, **kwargs)
    except TypeError as error:
        raise ConfigError(f"{owner.__name__}: {error}") from None
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name != "self"}


def _called(cls: type[Any]) -> str:
    words = {str: "a text", type(None): "None"}
    return words.get(cls, f"a {cls.__name__}")
