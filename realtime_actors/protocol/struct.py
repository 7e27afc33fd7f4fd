"""Reading and writing objects by the fields of their classes.

The type of a field says what is read, its default what happens when that isn't there.
See `base` for what this means to an event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import attrs
from attrs import NOTHING, frozen

__all__ = ["NULL", "Kind", "Kinds", "Struct", "UnreadableError"]

NULL: Final = "null"
"""The metadata of a field whose None means something, and is written: `{NULL: True}`."""

T = TypeVar("T")


class UnreadableError(ValueError):
    """Why a JSON object can't be what it ought to be."""

    member: str = ""
    """Which of its members is to blame."""


@frozen
class Kind:
    """How values of one type travel."""

    what: str
    """For people: "a text"."""
    read: Callable[[Any], Any]
    """Makes a value out of JSON; None when it is none of this kind. Raises `UnreadableError`
    for what must not be taken for something else: then the whole object is unreadable."""
    write: Callable[[Any], Any] = lambda value: value


class Kinds:
    """The kinds of all types of fields: the given ones, tuples of them, and attrs classes."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, Kind] = {}

    def add(self, hint: object, kind: Kind) -> None:
        """Say what a type of field is on the wire."""
        self._kinds[_alternatives(hint)] = kind

    def __getitem__(self, hint: Any) -> Kind:
        """What a type of field is on the wire. Whether it may also be None doesn't matter."""
        alternatives = _alternatives(hint)
        if alternatives not in self._kinds:
            (single,) = alternatives
            if get_origin(single) is tuple:
                self._kinds[alternatives] = _many(self[get_args(single)[0]])
            else:
                struct = Struct(single, self)
                self._kinds[alternatives] = Kind("an object", struct.find, struct.write)
        return self._kinds[alternatives]


class Struct(Generic[T]):
    """Objects of one attrs class.

    A field `raw` keeps the JSON object itself, a field `ignored` names the members that were
    given and are of the wrong type.
    """

    def __init__(self, cls: type[T], kinds: Kinds) -> None:
        hints = get_type_hints(cls, include_extras=True)
        members: tuple[attrs.Attribute[Any], ...] = attrs.fields(cast("Any", cls))
        self._make: Callable[..., T] = cls
        names = {member.name for member in members}
        self._nulls = [member.name for member in members if member.metadata.get(NULL)]
        self._keeps_raw, self._names_ignored = "raw" in names, "ignored" in names
        self._members = [
            (member.name, kinds[hints[member.name]], member)
            for member in members
            if member.name not in ("raw", "ignored")
        ]

    def read(self, wire: Mapping[str, Any], raw: Mapping[str, Any] | None = None) -> T:
        """Make an object out of JSON; `raw` is what to keep of it, if not `wire`.

        Raises `UnreadableError` when something is missing that is needed.
        """
        values: dict[str, Any] = {}
        ignored: list[str] = []
        for name, kind, member in self._members:
            given = wire.get(name)
            try:
                value = None if given is None else kind.read(given)
            except UnreadableError as error:
                raise _unreadable(name, str(error)) from None
            if value is not None:
                values[name] = value
            elif member.default is NOTHING:
                raise _unreadable(name, "is missing" if given is None else f"is not {kind.what}")
            elif given is not None:
                ignored.append(f"{name} is not {kind.what}")
        if ignored and self._names_ignored:
            values["ignored"] = tuple(ignored)
        if self._keeps_raw:
            values["raw"] = wire if raw is None else raw
        return self._make(**values)

    def find(self, wire: object) -> T | None:
        """Make an object out of JSON; None when that isn't possible."""
        try:
            return self.read(wire) if isinstance(wire, Mapping) else None
        except UnreadableError:
            return None

    def write(self, value: T) -> dict[str, Any]:
        """Make JSON. What is None is left out, or null where the field says so: see `NULL`."""
        members = ((name, kind, getattr(value, name)) for name, kind, _ in self._members)
        written = {name: kind.write(member) for name, kind, member in members if member is not None}
        for name in self._nulls:
            written.setdefault(name, None)
        return written


def _unreadable(member: str, why: str) -> UnreadableError:
    error = UnreadableError(f"{member} {why}")
    error.member = member
    return error


def _alternatives(hint: Any) -> frozenset[Any]:
    is_union = get_origin(hint) in (Union, UnionType)
    return frozenset(get_args(hint) if is_union else [hint]) - {NoneType}


def _many(kind: Kind) -> Kind:
    """A list of things. What is none of them is left out."""

    def read(value: object) -> tuple[Any, ...] | None:
        if not isinstance(value, list):
            return None
        return tuple(each for each in map(kind.read, value) if each is not None)

    return Kind("a list", read, lambda value: [kind.write(each) for each in value])
