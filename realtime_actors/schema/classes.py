"""Classes that are made from named fields: what each is called, and what it takes."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, NotRequired, Required, get_origin, get_type_hints, is_typeddict

import attrs
from attrs import frozen

from realtime_actors.errors import ConfigError
from realtime_actors.schema.constraints import is_field_of_pydantic
from realtime_actors.schema.docstring import parse_docstring

__all__ = ["Field", "Made", "fields_of", "read_hints"]


@frozen(kw_only=True)
class Field:
    """A field of a class."""

    name: str
    argument: str
    """What the constructor calls it."""
    required: bool
    hint: Any
    words: str


@frozen(kw_only=True)
class Made:
    """What a class is made from."""

    summary: str
    fields: tuple[Field, ...]


def fields_of(cls: Any, names: Mapping[str, object], where: str) -> Made | None:
    """The fields of a TypedDict, a NamedTuple, an attrs class or a dataclass; else None.

    Raises `ConfigError` when they have no hints, or are not enough to make one.
    """
    if is_typeddict(cls):
        hints = read_hints(cls, names, where)
        return _made(
            cls,
            {name: name for name in hints},
            {name: _is_required(cls, name, hint) for name, hint in hints.items()},
            names,
            where,
        )
    if issubclass(cls, tuple) and hasattr(cls, "_field_defaults"):
        fields: tuple[str, ...] = cls._fields
        required = {name: name not in cls._field_defaults for name in fields}
        return _made(cls, {name: name for name in fields}, required, names, where)
    if attrs.has(cls):
        members = [each for each in attrs.fields(cls) if each.init]
        return _made(
            cls,
            {each.name: each.alias or each.name for each in members},
            {each.name: each.default is attrs.NOTHING for each in members},
            names,
            where,
        )
    if dataclasses.is_dataclass(cls):
        return _dataclass(cls, names, where)
    return None


def _dataclass(cls: Any, names: Mapping[str, object], where: str) -> Made:
    missing = dataclasses.MISSING
    members = [each for each in dataclasses.fields(cls) if each.init]
    for each in members:
        if is_field_of_pydantic(each.default):
            raise ConfigError(
                f"{where}: {cls.__name__}.{each.name} has a pydantic Field, which a dataclass does"
                " not know: make it a pydantic.dataclasses.dataclass, or use Annotated"
            )
    required = {
        each.name: each.default is missing and each.default_factory is missing for each in members
    }
    return _made(cls, {each.name: each.name for each in members}, required, names, where)


def _made(
    cls: Any,
    arguments: Mapping[str, str],
    required: Mapping[str, bool],
    names: Mapping[str, object],
    where: str,
) -> Made:
    # Fields alone must be enough to make one: no InitVar, no __init__ of its own.
    if not is_typeddict(cls) and set(inspect.signature(cls).parameters) != set(arguments.values()):
        raise ConfigError(f"{where}: {cls.__name__} is not made from its fields alone")
    hints = read_hints(cls, names, where)
    documentation = cls.__doc__ or ""
    if documentation.startswith(f"{cls.__name__}("):
        documentation = ""  # written by dataclasses and namedtuples: the signature
    summary, words = parse_docstring(documentation, arguments)
    for name in arguments:
        if name not in hints:
            raise ConfigError(f"{where}: {cls.__name__}.{name} has no type hint")
    return Made(
        summary=summary,
        fields=tuple(
            Field(
                name=name,
                argument=argument,
                required=required[name],
                hint=hints[name],
                words=words.get(name, ""),
            )
            for name, argument in arguments.items()
        ),
    )


def read_hints(cls: Any, names: Mapping[str, object], where: str) -> dict[str, Any]:
    """The type hints of a class. One that is in no module may use `names`, and its own."""
    local = {**names, cls.__name__: cls, **vars(cls)}
    try:
        if "<locals>" in cls.__qualname__:
            return get_type_hints(cls, localns=local, include_extras=True)
        try:
            return get_type_hints(cls, include_extras=True)
        except NameError:  # its module is another one, while it is being made by `exec`, say
            return get_type_hints(cls, localns=local, include_extras=True)
    except Exception as error:  # whatever a forward reference runs into
        raise ConfigError(f"{where}: the hints of {cls.__name__} can't be read: {error}") from None


def _is_required(typed_dict: Any, name: str, hint: Any) -> bool:
    # `__required_keys__` doesn't see the markers while hints are text (PEP 563).
    marker = get_origin(hint)
    if marker in (Required, NotRequired):
        return marker is Required
    return name in typed_dict.__required_keys__
