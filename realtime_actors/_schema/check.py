"""Does a JSON value fit a JSON Schema, and if not, in what?

Covers what tools are described with: types, properties, items, unions, enumerations,
limits and the date formats. A keyword that isn't covered is let pass, so that a
hand-made schema may say more to the model than we check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, Final, TypeAlias

from realtime_actors.errors import ConfigError, did_you_mean

__all__ = ["JsonSchema", "check_schema", "fits", "problems", "same"]

JsonSchema: TypeAlias = Mapping[str, Any]

_SHOWN: Final = 80
"""Characters of a wrong value that an error message repeats."""

_TYPES: Final[dict[str, tuple[str, Callable[[object], bool]]]] = {
    "string": ("a string", lambda value: isinstance(value, str)),
    "integer": (
        "an integer",
        # JSON Schema counts 3.0 among the integers, and models write it.
        lambda value: (
            not isinstance(value, bool)
            and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
        ),
    ),
    "number": (
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "null": ("null", lambda value: value is None),
    "array": ("an array", lambda value: isinstance(value, list)),
    "object": ("an object", lambda value: isinstance(value, dict)),
}

_FORMATS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "date": ("a date like 2026-01-31", date.fromisoformat),
    "date-time": ("a date and time like 2026-01-31T13:45:00Z", datetime.fromisoformat),
    "time": ("a time like 13:45:00", time.fromisoformat),
}

_LIMITS: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "minimum": ("at least {}", lambda value, limit: value >= limit),
    "maximum": ("at most {}", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("more than {}", lambda value, limit: value > limit),
    "exclusiveMaximum": ("less than {}", lambda value, limit: value < limit),
    "minLength": ("at least {} characters", lambda value, limit: len(value) >= limit),
    "maxLength": ("at most {} characters", lambda value, limit: len(value) <= limit),
    "minItems": ("at least {} items", lambda value, limit: len(value) >= limit),
    "maxItems": ("at most {} items", lambda value, limit: len(value) <= limit),
}
_LIMITED: Final = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
}


def fits(value: object, schema: JsonSchema | bool) -> bool:
    """Whether nothing is wrong with `value`."""
    return next(problems(value, schema), None) is None


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal. Unlike Python, JSON tells 1 from true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def problems(value: object, schema: JsonSchema | bool, where: str = "") -> Iterator[str]:
    """What is wrong with `value`, one sentence for each place.

    `where` is the path of `value` in the arguments (``order.items[2]``).
    """
    if isinstance(schema, bool):
        if not schema:
            yield f"{where or 'this'} is not allowed"
        return
    if not _is_of_type(value, schema) or not _is_among(value, schema):
        yield f"{_name(where)}expected {_expected(schema)}, got {_shown(value)}"
        return
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and not any(fits(value, option) for option in options):
        yield from _problems_of_union(value, schema, options, where)
    for keyword, (meaning, holds) in _limits_for(value):
        if keyword in schema and not holds(value, schema[keyword]):
            yield (f"{_name(where)}expected {meaning.format(schema[keyword])}, got {_shown(value)}")
    if isinstance(value, str):
        yield from _problems_of_text(value, schema, where)
    elif isinstance(value, list):
        yield from _problems_of_array(value, schema, where)
    elif isinstance(value, dict):
        yield from _problems_of_object(value, schema, where)


def _problems_of_union(
    value: object, schema: JsonSchema, options: list[JsonSchema | bool], where: str
) -> Iterator[str]:
    """The problems of the only option of the right type; else all that would do."""
    near = [each for each in options if isinstance(each, Mapping) and _is_of_type(value, each)]
    if len(near) == 1:
        yield from problems(value, near[0], where)
    else:
        yield f"{_name(where)}expected {_expected(schema)}, got {_shown(value)}"


def _problems_of_text(value: str, schema: JsonSchema, where: str) -> Iterator[str]:
    meaning, parse = _FORMATS.get(schema.get("format", ""), ("", str))
    try:
        parse(value)
    except ValueError:
        yield f"{_name(where)}expected {meaning}, got {_shown(value)}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{_name(where)}expected text that matches {schema['pattern']}, got {_shown(value)}"


def _problems_of_array(value: list[object], schema: JsonSchema, where: str) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    rest = schema.get("items", True)
    for index, each in enumerate(value):
        item_schema = first[index] if index < len(first) else rest
        yield from problems(each, item_schema, f"{where}[{index}]")


def _problems_of_object(value: dict[str, object], schema: JsonSchema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            expected = _expected(properties.get(name, True))
            yield f"{_member(where, name)} is missing (expected {expected})"
    others = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in properties:
            yield from problems(each, properties[name], _member(where, name))
        elif others is False:
            yield f"{_member(where, name)} is unknown ({did_you_mean(name, properties)})"
        else:
            yield from problems(each, others, _member(where, name))


def _is_of_type(value: object, schema: JsonSchema) -> bool:
    allowed = schema.get("type")
    if allowed is None:
        return True
    return any(_TYPES[each][1](value) for each in _listed(allowed))


def _is_among(value: object, schema: JsonSchema) -> bool:
    if "const" in schema and not same(value, schema["const"]):
        return False
    return "enum" not in schema or any(same(value, each) for each in schema["enum"])


def _limits_for(value: object) -> Iterator[tuple[str, tuple[str, Callable[[Any, Any], bool]]]]:
    for type_name, keywords in _LIMITED.items():
        if _TYPES[type_name][1](value):
            yield from ((keyword, _LIMITS[keyword]) for keyword in keywords)


def _expected(schema: JsonSchema | bool) -> str:
    """What fits, in words that a model understands."""
    if isinstance(schema, bool):
        return "any value"
    if "const" in schema:
        return _shown(schema["const"])
    if "enum" in schema:
        return " or ".join(_shown(each) for each in schema["enum"])
    if "format" in schema and schema["format"] in _FORMATS:
        return _FORMATS[schema["format"]][0]
    if "type" in schema:
        return " or ".join(_TYPES[each][0] for each in _listed(schema["type"]))
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    return " or ".join(_expected(each) for each in options) or "any value"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _name(where: str) -> str:
    return f"{where}: " if where else ""


def _member(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def check_schema(schema: object, what: str) -> None:
    """Raise `ConfigError` when a hand-made schema misuses a keyword that `problems` reads."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ConfigError(f"{what} must be a JSON Schema, not {schema!r}")
    types = schema.get("type", [])
    for each in types if isinstance(types, list) else [types]:
        if each not in _TYPES:
            raise ConfigError(f"{what}: unknown type {each!r}: {did_you_mean(str(each), _TYPES)}")
    for keyword, kind in _KINDS.items():
        if keyword in schema and not isinstance(schema[keyword], kind):
            raise ConfigError(f"{what}: {keyword} can't be {schema[keyword]!r}")
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as error:
        raise ConfigError(f"{what}: pattern {schema['pattern']!r}: {error}") from None
    for name, each in schema.get("properties", {}).items():
        check_schema(each, f"{what}.{name}")
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        for each in schema.get(keyword, ()):
            check_schema(each, f"{what} ({keyword})")
    for keyword in ("items", "additionalProperties"):
        check_schema(schema.get(keyword, True), f"{what} ({keyword})")


_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "anyOf": list,
    "enum": list,
    "format": str,
    "oneOf": list,
    "pattern": str,
    "prefixItems": list,
    "properties": dict,
    "required": list,
    **dict.fromkeys(_LIMITS, (int, float)),
}
