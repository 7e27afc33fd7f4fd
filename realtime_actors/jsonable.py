"""Values as JSON: for the response of a web framework, a log, a file.

json.dumps(session.usage().to_dict())
dict(session.usage())                  # the same; it is what FastAPI asks for
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from realtime_actors.snapshot import Snapshot

__all__ = ["Jsonable"]

SECRET: Final = "(secret)"
_SECRETS: Final = frozenset({"authorization", "api_key", "api-key", "headers", "cookie"})
"""Members whose values are shown nowhere, in lower case."""


class Jsonable:
    """The base of attrs classes that can be turned into JSON: by `to_dict()`, or `dict()`.

    FastAPI and pydantic take them too. Money is text, functions are their names, keys are
    hidden. It is for reading: not all of it can be read in again.
    """

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Give the members as JSON has them."""
        return {name: _plain(name, value) for name, value in self._members().items()}

    def _members(self) -> Mapping[str, Any]:
        fields = attrs.fields(type(self))  # type: ignore[arg-type]  # subclasses are attrs classes
        return {each.name: getattr(self, each.name) for each in fields}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give names and values, as pydantic's models do, so that `dict()` gives a dict."""
        return iter(self.to_dict().items())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Have pydantic write it as `to_dict` does. Only pydantic asks, so it is there."""
        from pydantic_core import core_schema

        writing = core_schema.plain_serializer_function_ser_schema(
            lambda value: value.to_dict() if isinstance(value, Jsonable) else value
        )
        return core_schema.any_schema(serialization=writing)


def _plain(name: str, value: object) -> Any:
    if name.lower() in _SECRETS and value is not None:
        return SECRET
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return str(value)
        case Enum():
            return _plain(name, value.value)
        case Jsonable():
            return value.to_dict()
        case Mapping():
            return {str(key): _plain(str(key), each) for key, each in value.items()}
        case list() | tuple() | Set() | Snapshot():
            return [_plain(name, each) for each in value]
        case _:
            return _plain_object(value)


def _plain_object(value: object) -> Any:
    label = getattr(value, "name", None) or getattr(value, "__qualname__", None)
    if isinstance(label, str):
        return label
    cls = type(value)
    if attrs.has(cls):
        members = attrs.fields(cls)
        return {each.name: _plain(each.name, getattr(value, each.name)) for each in members}
    return cls.__name__
