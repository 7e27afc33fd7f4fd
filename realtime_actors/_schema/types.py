"""A type hint as JSON Schema, and the way back from JSON to the type."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
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
    get_type_hints,
    is_typeddict,
)

import attrs
from attrs import evolve, frozen

from realtime_actors._schema.check import fits, same
from realtime_actors._schema.docstring import parse_docstring
from realtime_actors.errors import ConfigError

__all__ = ["Shape", "described", "enum_to_json", "object_schema", "shape_of"]

ALLOWED: Final = (
    "use str, int, float, bool, None, Literal, Enum, a union, list, tuple, set, dict[str, ...], "
    "TypedDict, an attrs class, a dataclass, datetime, date or time"
)


def _as_it_is(value: Any) -> Any:
    return value


@frozen(kw_only=True)
class Shape:
    """How a type looks in JSON: its schema, and how a value that fits becomes the type's.

    `convert` may raise what the type's own constructor raises.
    """

    schema: dict[str, Any]
    convert: Callable[[Any], Any] = _as_it_is


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


def shape_of(hint: Any, where: str, inside: tuple[Any, ...] = ()) -> Shape:
    """The shape of a type hint. Raises `ConfigError` when it has none.

    `where` names the parameter or field in the message; `inside` are the classes that
    are being looked at, to notice one that contains itself.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        words = [each for each in arguments[1:] if isinstance(each, str)]
        return described(shape_of(arguments[0], where, inside), " ".join(words))
    if origin in (Required, NotRequired):
        return shape_of(arguments[0], where, inside)
    if isinstance(hint, NewType):
        return shape_of(hint.__supertype__, where, inside)
    if type(hint).__name__ == "TypeAliasType":  # a `type` statement, from Python 3.12 on
        return shape_of(hint.__value__, where, inside)
    if hint is Any:
        return Shape(schema={})
    if origin is Literal:
        return _literal(arguments, where)
    if origin in (Union, types.UnionType):
        return _union([shape_of(each, where, inside) for each in arguments])
    kind = origin or hint
    if not isinstance(kind, type):
        raise ConfigError(f"{where}: {hint!r} can't be described to a model: {ALLOWED}")
    if kind in _ARRAYS:
        item = shape_of(arguments[0], where, inside) if arguments else Shape(schema={})
        return _array(item, _ARRAYS[kind])
    if kind is tuple:
        return _tuple(arguments, where, inside)
    if kind in _MAPPINGS:
        return _mapping(arguments, where, inside)
    if origin is None:
        return _class(kind, where, inside)
    raise ConfigError(f"{where}: {hint!r} can't be described to a model: {ALLOWED}")


def described(shape: Shape, words: str) -> Shape:
    """The same shape with a description, if there is one."""
    if not words:
        return shape
    return evolve(shape, schema={**shape.schema, "description": words})


def object_schema(properties: Mapping[str, Shape], required: list[str]) -> dict[str, Any]:
    """The schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "properties": {name: shape.schema for name, shape in properties.items()},
        "required": required,
        "additionalProperties": False,
    }


def _class(cls: type, where: str, inside: tuple[Any, ...]) -> Shape:
    if cls in _PLAIN:
        return _PLAIN[cls]
    if issubclass(cls, Enum):
        return _enum(cls, where)
    if cls in inside:
        raise ConfigError(f"{where}: {cls.__name__} contains itself, which no tool can take")
    inside = (*inside, cls)
    if is_typeddict(cls):
        hints = _hints(cls, where)
        return _object(
            cls,
            {name: name for name in hints},
            {name: _is_required(cls, name, hint) for name, hint in hints.items()},
            where,
            inside,
        )
    if attrs.has(cls):
        fields = [each for each in attrs.fields(cls) if each.init]
        return _object(
            cls,
            {each.name: each.alias or each.name for each in fields},
            {each.name: each.default is attrs.NOTHING for each in fields},
            where,
            inside,
        )
    if dataclasses.is_dataclass(cls):
        members = [each for each in dataclasses.fields(cls) if each.init]
        missing = dataclasses.MISSING
        return _object(
            cls,
            {each.name: each.name for each in members},
            {
                each.name: each.default is missing and each.default_factory is missing
                for each in members
            },
            where,
            inside,
        )
    raise ConfigError(f"{where}: {cls.__name__} can't be described to a model: {ALLOWED}")


def _object(
    cls: type,
    aliases: Mapping[str, str],
    required: Mapping[str, bool],
    where: str,
    inside: tuple[Any, ...],
) -> Shape:
    """The shape of a class that is made from named fields.

    `aliases` maps the fields to what the constructor calls them, `required` to
    whether they have no default.
    """
    # Fields alone must be enough to make one: no InitVar, no __init__ of its own.
    if not is_typeddict(cls) and set(inspect.signature(cls).parameters) != set(aliases.values()):
        raise ConfigError(f"{where}: {cls.__name__} is not made from its fields alone")
    hints = _hints(cls, where)
    documentation = cls.__doc__ or ""
    if documentation.startswith(f"{cls.__name__}("):
        documentation = ""  # written by dataclasses: the signature
    summary, words = parse_docstring(documentation, aliases)
    properties = {}
    for name, alias in aliases.items():
        if name not in hints:
            raise ConfigError(f"{where}: {cls.__name__}.{name} has no type hint")
        shape = shape_of(hints[name], f"{where}.{name}", inside)
        properties[alias] = described(shape, words.get(name, ""))

    def convert(value: dict[str, Any]) -> Any:
        return cls(**{name: properties[name].convert(each) for name, each in value.items()})

    needed = [alias for name, alias in aliases.items() if required[name]]
    return described(Shape(schema=object_schema(properties, needed), convert=convert), summary)


def _hints(cls: type, where: str) -> dict[str, Any]:
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception as error:  # whatever a forward reference runs into
        raise ConfigError(f"{where}: the hints of {cls.__name__} can't be read: {error}") from None


def _is_required(typed_dict: Any, name: str, hint: Any) -> bool:
    # `__required_keys__` doesn't see the markers while hints are text (PEP 563).
    marker = get_origin(hint)
    if marker in (Required, NotRequired):
        return marker is Required
    return name in typed_dict.__required_keys__


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
    if not all(
        isinstance(each, str | int | None) and not isinstance(each, Enum) for each in values
    ):
        raise ConfigError(f"{where}: a Literal of {values!r} can't be written in JSON")
    schema: dict[str, Any] = {"enum": list(values)}
    for type_name, kind in (("string", str), ("integer", int)):
        if all(type(each) is kind for each in values):
            schema["type"] = type_name
    return Shape(
        schema=schema,
        convert=lambda value: next(each for each in values if same(each, value)),
    )


def _union(shapes: list[Shape]) -> Shape:
    """The first that fits wins, so `date | str` tries the date before the text."""
    return Shape(
        schema={"anyOf": [each.schema for each in shapes]},
        convert=lambda value: next(
            each.convert(value) for each in shapes if fits(value, each.schema)
        ),
    )


def _array(item: Shape, collect: Callable[[list[Any]], Any]) -> Shape:
    schema: dict[str, Any] = {"type": "array"}
    if item.schema:
        schema["items"] = item.schema
    if collect in (set, frozenset):
        schema["uniqueItems"] = True
    return Shape(schema=schema, convert=lambda value: collect([item.convert(x) for x in value]))


def _tuple(arguments: tuple[Any, ...], where: str, inside: tuple[Any, ...]) -> Shape:
    if not arguments or arguments[-1] is Ellipsis:
        item = shape_of(arguments[0], where, inside) if arguments else Shape(schema={})
        return _array(item, tuple)
    items = [shape_of(each, where, inside) for each in arguments]
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


def _mapping(arguments: tuple[Any, ...], where: str, inside: tuple[Any, ...]) -> Shape:
    if not arguments:
        return Shape(schema={"type": "object"})
    key, value_hint = arguments
    if key is not str:
        raise ConfigError(f"{where}: the keys of a JSON object are text, not {key!r}")
    item = shape_of(value_hint, where, inside)
    return Shape(
        schema={"type": "object", "additionalProperties": item.schema or True},
        convert=lambda value: {name: item.convert(each) for name, each in value.items()},
    )
