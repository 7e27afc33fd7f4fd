"""A type hint as JSON Schema, and the way back from JSON to the type."""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from attrs import define, field

from realtime_actors.errors import ConfigError
from realtime_actors.schema.check import fits, same
from realtime_actors.schema.classes import fields_of
from realtime_actors.schema.constraints import NO_DEFAULT, Constraints
from realtime_actors.schema.pydantic_types import is_pydantic, pydantic_schema
from realtime_actors.schema.shapes import Shape, described, object_schema

__all__ = ["HintReader", "enum_to_json"]

ALLOWED: Final = (
    "use str, int, float, bool, None, Literal, Enum, a union, list, tuple, set, dict[str, ...], "
    "TypedDict, NamedTuple, an attrs class, a dataclass, a pydantic model, datetime, date, time, "
    "Decimal or UUID"
)


def _to_decimal(value: object) -> Decimal:
    return Decimal(str(value))


_PLAIN: Final[dict[Any, Shape]] = {
    str: Shape(schema={"type": "string"}),
    int: Shape(schema={"type": "integer"}, convert=int),
    float: Shape(schema={"type": "number"}, convert=float),
    bool: Shape(schema={"type": "boolean"}),
    type(None): Shape(schema={"type": "null"}),
    datetime: Shape(
        schema={"type": "string", "format": "date-time"}, convert=datetime.fromisoformat
    ),
    date: Shape(schema={"type": "string", "format": "date"}, convert=date.fromisoformat),
    time: Shape(schema={"type": "string", "format": "time"}, convert=time.fromisoformat),
    # A number or its digits: the digits keep what a float would lose.
    Decimal: Shape(
        schema={"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
        convert=_to_decimal,
    ),
    object: Shape(schema={}),
}

_ARRAYS: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}

_MAPPINGS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@define
class HintReader:
    """Reads the hints of one function.

    `names` are those that the hints of classes may use beside their module's: what is local
    to the function in which they were written.
    """

    names: Mapping[str, object] = field(factory=dict)
    definitions: dict[str, Any] = field(factory=dict)
    """The schemas of what contains itself, by name: they are referred to."""
    _inside: list[Any] = field(factory=list, init=False)  # what is being looked at
    _named: dict[Any, str] = field(factory=dict, init=False)  # what contains itself
    _shapes: dict[Any, Shape] = field(factory=dict, init=False)

    def read(self, hint: Any, where: str) -> Shape:
        """The shape of a type hint. Raises `ConfigError` when it has none.

        `where` names the parameter or field in the message.
        """
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(hint, where)
        if origin in (Required, NotRequired):
            return self.read(arguments[0], where)
        if isinstance(hint, NewType):
            return self.read(hint.__supertype__, where)
        if type(hint).__name__ == "TypeAliasType":  # a `type` statement, from Python 3.12 on
            return self._once(hint, lambda: self.read(hint.__value__, where))
        if hint is Any:
            return Shape(schema={})
        if origin is Literal:
            return _literal(arguments, where)
        if origin in (Union, types.UnionType):
            return self._union([self.read(each, where) for each in arguments])
        kind = origin or hint
        if not isinstance(kind, type):
            raise ConfigError(f"{where}: {hint!r} can't be described to a model: {ALLOWED}")
        if kind in _ARRAYS:
            item = self.read(arguments[0], where) if arguments else Shape(schema={})
            return _array(item, _ARRAYS[kind])
        if kind is tuple:
            return self._tuple(arguments, where)
        if kind in _MAPPINGS:
            return self._mapping(arguments, where)
        if is_pydantic(kind):
            return pydantic_schema(hint, self.definitions, where)
        if origin is None:
            return self._class(kind, where)
        raise ConfigError(f"{where}: {hint!r} can't be described to a model: {ALLOWED}")

    def default_of(self, hint: Any, where: str) -> Any:
        """The default that a hint itself has (a pydantic `Field`), or `NO_DEFAULT`."""
        if get_origin(hint) is not Annotated:
            return NO_DEFAULT
        return Constraints.of(get_args(hint)[1:], where).default

    def _annotated(self, hint: Any, where: str) -> Shape:
        inner, *metadata = get_args(hint)
        constraints = Constraints.of(metadata, where)
        if constraints.needs_pydantic:
            return described(pydantic_schema(hint, self.definitions, where), constraints.words)
        return constraints.applied(self.read(inner, where), {"$defs": self.definitions}, where)

    def _class(self, cls: type, where: str) -> Shape:
        if cls in _PLAIN:
            return _PLAIN[cls]
        if (cls.__module__, cls.__qualname__) == ("uuid", "UUID"):
            return Shape(schema={"type": "string", "format": "uuid"}, convert=cls)
        if issubclass(cls, Enum):
            return _enum(cls, where)
        return self._once(cls, lambda: self._object(cls, where))

    def _once(self, key: Any, read: Callable[[], Shape]) -> Shape:
        """Read what may contain itself: within itself, it is referred to by its name."""
        if key in self._inside:
            if key not in self._named:
                name = getattr(key, "__name__", "Type")
                while name in self.definitions or name in self._named.values():
                    name += "_"
                self._named[key] = name
            return self._reference(key)
        if key in self._shapes:
            return self._reference(key)
        self._inside.append(key)
        try:
            shape = read()
        finally:
            self._inside.pop()
        if key not in self._named:
            return shape
        self._shapes[key] = shape
        self.definitions[self._named[key]] = shape.schema
        return self._reference(key)

    def _reference(self, key: Any) -> Shape:
        return Shape(
            schema={"$ref": f"#/$defs/{self._named[key]}"},
            convert=lambda value: self._shapes[key].convert(value),
        )

    def _object(self, cls: Any, where: str) -> Shape:
        """The shape of a class that is made from named fields."""
        made = fields_of(cls, self.names, where)
        if made is None:
            raise ConfigError(f"{where}: {cls.__name__} can't be described to a model: {ALLOWED}")
        properties = {
            each.argument: described(self.read(each.hint, f"{where}.{each.name}"), each.words)
            for each in made.fields
        }

        def convert(value: dict[str, Any]) -> Any:
            return cls(**{name: properties[name].convert(each) for name, each in value.items()})

        needed = [each.argument for each in made.fields if each.required]
        shape = Shape(schema=object_schema(properties, needed), convert=convert)
        return described(shape, made.summary)

    def _union(self, shapes: list[Shape]) -> Shape:
        """The first that fits wins, so `date | str` tries the date before the text."""
        root = {"$defs": self.definitions}
        return Shape(
            schema={"anyOf": [each.schema for each in shapes]},
            convert=lambda value: next(
                each.convert(value) for each in shapes if fits(value, each.schema, root)
            ),
        )

    def _tuple(self, arguments: tuple[Any, ...], where: str) -> Shape:
        if not arguments or arguments[-1] is Ellipsis:
            item = self.read(arguments[0], where) if arguments else Shape(schema={})
            return _array(item, tuple)
        items = [self.read(each, where) for each in arguments]
        return Shape(
            schema={
                "type": "array",
                "prefixItems": [each.schema for each in items],
                "minItems": len(items),
                "maxItems": len(items),
            },
            convert=lambda value: tuple(
                item.convert(each) for item, each in zip(items, value, strict=True)
            ),
        )

    def _mapping(self, arguments: tuple[Any, ...], where: str) -> Shape:
        if not arguments:
            return Shape(schema={"type": "object"})
        key, value_hint = arguments
        if key is not str:
            raise ConfigError(f"{where}: the keys of a JSON object are text, not {key!r}")
        item = self.read(value_hint, where)
        return Shape(
            schema={"type": "object", "additionalProperties": item.schema or True},
            convert=lambda value: {name: item.convert(each) for name, each in value.items()},
        )


def enum_to_json(member: Enum) -> str:
    """What the model writes for a member, and reads in a result.

    Its value when all values are text, else its name: a bare number tells a model nothing.
    """
    values = [each.value for each in type(member)]
    if all(isinstance(value, str) for value in values):
        return str(member.value)
    # Several flags in one have no name of their own.
    return member.name or str(member)


def _enum(cls: type[Enum], where: str) -> Shape:
    members = {enum_to_json(each): each for each in cls}
    if not members:
        raise ConfigError(f"{where}: {cls.__name__} has no members")
    return Shape(schema={"type": "string", "enum": list(members)}, convert=members.__getitem__)


def _literal(values: tuple[Any, ...], where: str) -> Shape:
    if not all(isinstance(each, str | int | None | Enum) for each in values):
        raise ConfigError(f"{where}: a Literal of {values!r} can't be written in JSON")
    written = [enum_to_json(each) if isinstance(each, Enum) else each for each in values]
    schema: dict[str, Any] = {"enum": written}
    for type_name, kind in (("string", str), ("integer", int)):
        if all(type(each) is kind for each in written):
            schema["type"] = type_name

    def convert(value: object) -> Any:
        at = next(at for at, each in enumerate(written) if same(each, value))
        return values[at]

    return Shape(schema=schema, convert=convert)


def _array(item: Shape, collect: Callable[[list[Any]], Any]) -> Shape:
    schema: dict[str, Any] = {"type": "array"}
    if item.schema:
        schema["items"] = item.schema
    if collect in (set, frozenset):
        schema["uniqueItems"] = True
    return Shape(schema=schema, convert=lambda value: collect([item.convert(x) for x in value]))
