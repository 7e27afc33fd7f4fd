"""Does a JSON value fit a JSON Schema, and if not, in what?

Covers what tools are described with: types, properties, items, unions, enumerations,
limits, references within the schema and the usual formats. A keyword that isn't covered
is let pass, so that a hand-made schema may say more to the model than we check.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeAlias

from realtime_actors.errors import ConfigError, did_you_mean

__all__ = ["JsonSchema", "check_schema", "fits", "problems", "resolved", "same", "shown"]

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

_UUID: Final = re.compile(r"(urn:uuid:)?\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")


_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?")


def _matching(pattern: re.Pattern[str]) -> Callable[[str], object]:
    def parse(text: str) -> object:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return parse


_FORMATS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "date": ("a date like 2026-01-31", date.fromisoformat),
    "date-time": ("a date and time like 2026-01-31T13:45:00Z", datetime.fromisoformat),
    "time": ("a time like 13:45:00", time.fromisoformat),
    "decimal": ("a number like 12.50", _matching(_DECIMAL)),
    "uuid": ("a UUID like 123e4567-e89b-42d3-a456-426614174000", _matching(_UUID)),
}

_LIMITS: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "minimum": ("at least {}", lambda value, limit: value >= limit),
    "maximum": ("at most {}", lambda value, limit: value <= limit),
    "exclusiveMinimum": ("more than {}", lambda value, limit: value > limit),
    "exclusiveMaximum": ("less than {}", lambda value, limit: value < limit),
    "multipleOf": (
        "a multiple of {}",
        lambda value, limit: Decimal(str(value)) % Decimal(str(limit)) == 0,
    ),
    "minLength": ("at least {} characters", lambda value, limit: len(value) >= limit),
    "maxLength": ("at most {} characters", lambda value, limit: len(value) <= limit),
    "minItems": ("at least {} items", lambda value, limit: len(value) >= limit),
    "maxItems": ("at most {} items", lambda value, limit: len(value) <= limit),
    "minProperties": ("at least {} members", lambda value, limit: len(value) >= limit),
    "maxProperties": ("at most {} members", lambda value, limit: len(value) <= limit),
}
_LIMITED: Final = {
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def fits(value: object, schema: JsonSchema | bool, root: JsonSchema | None = None) -> bool:
    """Whether nothing is wrong with `value`. References are looked up in `root`."""
    return next(problems(value, schema, root=root), None) is None


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal. Unlike Python, JSON tells 1 from true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def resolved(schema: JsonSchema | bool, root: JsonSchema) -> JsonSchema | bool:
    """The schema that a reference names; any other as it is. What can't be found is anything."""
    while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
        found = _find(schema["$ref"], root)
        if found is None:
            return True
        schema = found
    return schema


def problems(
    value: object, schema: JsonSchema | bool, where: str = "", root: JsonSchema | None = None
) -> Iterator[str]:
    """What is wrong with `value`, one sentence for each place.

    `where` is the path of `value` in the arguments (``order.items[2]``), `root` the schema
    in which references are looked up: this one, if it is not given.
    """
    if root is None:
        root = schema if isinstance(schema, Mapping) else {}
    schema = resolved(schema, root)
    if isinstance(schema, bool):
        if not schema:
            yield f"{where or 'this'} is not allowed"
        return
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{_name(where)}expected a number that is not that large: JSON has no infinity"
        return
    if not _is_of_type(value, schema) or not _is_among(value, schema):
        yield f"{_name(where)}expected {_expected(schema, root)}, got {shown(value)}"
        return
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and not any(fits(value, option, root) for option in options):
        yield from _problems_of_union(value, schema, options, where, root)
    for each in schema.get("allOf", ()):
        yield from problems(value, each, where, root)
    for keyword, (meaning, holds) in _limits_for(value):
        if keyword in schema and not holds(value, schema[keyword]):
            yield f"{_name(where)}expected {meaning.format(schema[keyword])}, got {shown(value)}"
    if isinstance(value, str):
        yield from _problems_of_text(value, schema, where)
    elif isinstance(value, list):
        yield from _problems_of_array(value, schema, where, root)
    elif isinstance(value, dict):
        yield from _problems_of_object(value, schema, where, root)


def _problems_of_union(
    value: Any,
    schema: JsonSchema,
    options: list[JsonSchema | bool],
    where: str,
    root: JsonSchema,
) -> Iterator[str]:
    """The problems of the option that was meant, if that is clear; else all that would do."""
    near = [
        option
        for option in (resolved(each, root) for each in options)
        if isinstance(option, Mapping) and _is_of_type(value, option)
    ]
    if tag := _wrong_tag(value, near):
        name, allowed = tag
        place = _member(where, name)
        yield f"{place}: expected {_either(map(shown, allowed))}, got {shown(value[name])}"
        return
    found = sorted(
        ((_tags_missed(value, each), list(problems(value, each, where, root))) for each in near),
        key=lambda missed: (missed[0], len(missed[1])),
    )
    if len(found) == 1 or (len(found) > 1 and found[0][0] < found[1][0]):
        yield from found[0][1]
        return
    expected = f"{_name(where)}expected {_expected(schema, root)}, got {shown(value)}"
    nearest = f" ({'; '.join(found[0][1])})" if found and found[0][1] else ""
    yield expected + nearest


def _wrong_tag(value: Any, options: list[JsonSchema]) -> tuple[str, list[object]] | None:
    """The member by which all options are told apart, and all its values, if it has another."""
    for name in value if isinstance(value, dict) and len(options) > 1 else ():
        tags = [_values_of(each.get("properties", {}).get(name)) for each in options]
        allowed = [tag for each in tags for tag in each]
        if all(tags) and not any(same(value[name], each) for each in allowed):
            return name, allowed
    return None


def _values_of(schema: object) -> list[object]:
    """The few values that a schema allows; none if there are more."""
    if not isinstance(schema, Mapping):
        return []
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _tags_missed(value: object, option: JsonSchema) -> int:
    """How many members that tell options apart (one of few values) say that it is another."""
    if not isinstance(value, dict):
        return 0
    return sum(
        name in value and isinstance(each, Mapping) and not _is_among(value[name], each)
        for name, each in option.get("properties", {}).items()
    )


def _problems_of_text(value: str, schema: JsonSchema, where: str) -> Iterator[str]:
    meaning, parse = _FORMATS.get(schema.get("format", ""), ("", str))
    try:
        parse(value)
    except ValueError:
        yield f"{_name(where)}expected {meaning}, got {shown(value)}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{_name(where)}expected text that matches {schema['pattern']}, got {shown(value)}"


def _problems_of_array(
    value: list[object], schema: JsonSchema, where: str, root: JsonSchema
) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    rest = schema.get("items", True)
    for index, each in enumerate(value):
        item_schema = first[index] if index < len(first) else rest
        yield from problems(each, item_schema, f"{where}[{index}]", root)


def _problems_of_object(
    value: dict[str, object], schema: JsonSchema, where: str, root: JsonSchema
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            expected = _expected(properties.get(name, True), root)
            yield f"{_member(where, name)} is missing (expected {expected})"
    others = schema.get("additionalProperties", True)
    for name, each in value.items():
        if name in properties:
            yield from problems(each, properties[name], _member(where, name), root)
        elif others is False:
            yield f"{_member(where, name)} is unknown ({did_you_mean(name, properties)})"
        else:
            yield from problems(each, others, _member(where, name), root)


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


def _expected(schema: JsonSchema | bool, root: JsonSchema) -> str:
    """What fits, in words that a model understands."""
    schema = resolved(schema, root)
    if isinstance(schema, bool):
        return "any value"
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return _either(shown(each) for each in schema["enum"])
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]][0]
    if schema.get("type") == "object" and schema.get("properties"):
        needed = schema.get("required") or schema["properties"]
        return f"an object with {', '.join(needed)}"
    if "type" in schema:
        return _either(_TYPES[each][0] for each in _listed(schema["type"]))
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    return _either(_expected(each, root) for each in options) or "any value"


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))


def shown(value: object) -> str:
    """A wrong value as an error message repeats it."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _name(where: str) -> str:
    return f"{where}: " if where else ""


def _member(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _find(reference: str, root: JsonSchema) -> JsonSchema | bool | None:
    """What a reference within the schema names. None: nothing, or something elsewhere."""
    document, _, path = reference.partition("#")
    found: Any = root
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if not document and isinstance(found, Mapping | bool) else None


def check_schema(schema: object, what: str, root: JsonSchema | None = None) -> None:
    """Raise `ConfigError` when a hand-made schema misuses a keyword that `problems` reads."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise ConfigError(f"{what} must be a JSON Schema, not {schema!r}")
    root = schema if root is None else root
    types = schema.get("type", [])
    for each in types if isinstance(types, list) else [types]:
        if each not in _TYPES:
            raise ConfigError(f"{what}: unknown type {each!r}: {did_you_mean(str(each), _TYPES)}")
    for keyword, kind in _KINDS.items():
        if keyword in schema and not isinstance(schema[keyword], kind):
            raise ConfigError(f"{what}: {keyword} can't be {schema[keyword]!r}")
    for keyword, value in schema.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{what}: {keyword} can't be {value}: JSON has no infinity")
    try:
        re.compile(schema.get("pattern", ""))
    except re.error as error:
        raise ConfigError(f"{what}: pattern {schema['pattern']!r}: {error}") from None
    _check_end(schema, what, root)
    for keyword in ("properties", "$defs"):
        for name, each in schema.get(keyword, {}).items():
            check_schema(each, f"{what}.{name}", root)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for each in schema.get(keyword, ()):
            check_schema(each, f"{what} ({keyword})", root)
    for keyword in ("items", "additionalProperties"):
        check_schema(schema.get(keyword, True), f"{what} ({keyword})", root)


def _check_end(schema: Any, what: str, root: JsonSchema, before: tuple[object, ...] = ()) -> None:
    """Refuse a reference that leads nowhere, or back to itself for the same value."""
    if not isinstance(schema, Mapping):
        return
    if any(schema is each for each in before):
        raise ConfigError(f"{what}: the schema refers to itself without an end")
    same_value = [
        each for keyword in ("anyOf", "oneOf", "allOf") for each in schema.get(keyword, ())
    ]
    reference = schema.get("$ref")
    if reference is not None:
        found = _find(reference, root)
        if found is None and reference.startswith("#"):
            raise ConfigError(f"{what}: there is no {reference!r} in the schema")
        same_value.append(found)
    for each in same_value:
        _check_end(each, what, root, (*before, schema))


_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "$defs": dict,
    "$ref": str,
    "allOf": list,
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
