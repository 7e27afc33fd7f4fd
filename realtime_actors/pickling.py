"""Pickles of what has functions in it: by name, or refused with what to do.

A decorated function is no function any more, so pickle finds something else under its name
than what it was to write down. What stands under the name of its function is written as that
name, and found again where it is read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, ClassVar, Self

from realtime_actors.errors import ConfigError

__all__ = ["Picklable"]


class Picklable:
    """The base of values that have functions of a program's in them.

    Pickling raises `ConfigError` for one that can't be found again. The values are immutable,
    so a copy is the value itself.
    """

    __slots__ = ()

    _stands_for_its_function: ClassVar[bool] = False
    """A decorator makes it of the first of its functions, and it takes that one's place."""

    def _functions(self) -> Iterator[tuple[str, object]]:
        """Give what is called where the value is used, and what that is to people."""
        raise NotImplementedError

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        functions = [(what, each) for what, each in self._functions() if callable(each)]
        if self._stands_for_its_function and functions:
            place = _place(functions[0][1])
            if _standing_at(*place) is self:
                return _found, place
        for what, each in functions:
            _check(each, what)
        return super().__reduce_ex__(protocol)


def _check(function: object, what: str) -> None:
    module, name = _place(function)
    if not name or hasattr(function, "__self__"):
        return  # an object that can be called, or a method of one: pickle goes by what it is
    if _standing_at(module, name) is not function:
        raise ConfigError(
            f"{what} cannot be pickled: {name!r} in {module} is something else, or not there."
            " Define it at the top of a module, or make the agent where it is used"
        )


def _place(function: object) -> tuple[str, str]:
    return getattr(function, "__module__", None) or "", getattr(function, "__qualname__", "")


def _standing_at(module: str, qualname: str) -> object:
    found: object = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def _found(module: str, qualname: str) -> object:
    import_module(module)
    found = _standing_at(module, qualname)
    if not isinstance(found, Picklable):
        raise ConfigError(
            f"{module}.{qualname} was pickled as a tool or guardrail; it is none here"
        )
    return found
