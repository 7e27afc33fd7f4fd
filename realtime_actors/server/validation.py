"""Checks of JSON values, to put together into the shape of a message.

A check takes a value and its place (`session.audio.output.speed`), and raises `Refused`
with the code and the sentence of the real service. Null stands for "not given" wherever
a member is optional.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from realtime_actors.server.refusals import Refused, invalid_value, missing

__all__ = [
    "Check",
    "anything",
    "array",
    "boolean",
    "either",
    "integer",
    "literal",
    "mapping",
    "number",
    "obj",
    "one_of",
    "string",
    "tagged",
]

Check: TypeAlias = Callable[[object, str], None]

_JSON_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    tuple: "an array",
    dict: "an object",
    type(None): "null",
}


def _wrong_type(expected: str, value: object, place: str) -> Refused:
    got = _JSON_NAMES.get(type(value), "something else")
    return Refused(
        f"Invalid type for '{place}': expected {expected}, but got {got} instead.",
        code="invalid_type",
        param=place,
    )


def anything(value: object, place: str) -> None:
    """Take whatever there is."""


def boolean(value: object, place: str) -> None:
    """Take true and false."""
    if not isinstance(value, bool):
        raise _wrong_type("a boolean", value, place)


def string(*, max_length: int | None = None, pattern: str | None = None) -> Check:
    """Take text."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, str):
            raise _wrong_type("a string", value, place)
        if max_length is not None and len(value) > max_length:
            raise Refused(
                f"Invalid '{place}': string too long. Expected a string with maximum length "
                f"{max_length}, but got a string with length {len(value)} instead.",
                code="string_above_max_length",
                param=place,
            )
        if pattern is not None and not re.fullmatch(pattern, value):
            raise Refused(
                f"Invalid '{place}': string does not match pattern. Expected a string that "
                f"matches the pattern '{pattern}'.",
                code="invalid_value",
                param=place,
            )

    return check


def _in_range(
    value: float, kind: str, place: str, minimum: float | None, maximum: float | None
) -> None:
    for bound, broken, side, word, sign in (
        (minimum, minimum is not None and value < minimum, "min", "below minimum", ">="),
        (maximum, maximum is not None and value > maximum, "max", "above maximum", "<="),
    ):
        if broken:
            below_or_above = "below" if side == "min" else "above"
            raise Refused(
                f"Invalid '{place}': {kind} {word} value. Expected a value {sign} {bound}, "
                f"but got {value} instead.",
                code=f"{kind}_{below_or_above}_{side}_value",
                param=place,
            )


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Check:
    """Take a whole number."""

    def check(value: object, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type("an integer", value, place)
        _in_range(value, "integer", place, minimum, maximum)

    return check


def number(*, minimum: float | None = None, maximum: float | None = None) -> Check:
    """Take a number."""

    def check(value: object, place: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type("a decimal", value, place)
        _in_range(value, "decimal", place, minimum, maximum)

    return check


def one_of(*allowed: str) -> Check:
    """Take one of these words."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, str):
            raise _wrong_type("a string", value, place)
        if value not in allowed:
            raise invalid_value(value, allowed, place)

    return check


def literal(expected: object) -> Check:
    """Take this and nothing else."""

    def check(value: object, place: str) -> None:
        if value != expected:
            raise invalid_value(value, (str(expected),), place)

    return check


def array(each: Check, *, max_length: int | None = None) -> Check:
    """Take a list, all of one kind."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, list | tuple):
            raise _wrong_type("an array", value, place)
        if max_length is not None and len(value) > max_length:
            raise Refused(
                f"Invalid '{place}': array too long. Expected an array with maximum length "
                f"{max_length}, but got an array with length {len(value)} instead.",
                code="array_above_max_length",
                param=place,
            )
        for index, member in enumerate(value):
            each(member, f"{place}[{index}]")

    return check


def mapping(each: Check = anything, *, max_keys: int | None = None, key: Check = anything) -> Check:
    """Take an object with any keys."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise _wrong_type("an object", value, place)
        if max_keys is not None and len(value) > max_keys:
            raise Refused(
                f"Invalid '{place}': too many properties. Expected an object with at most "
                f"{max_keys} properties, but got an object with {len(value)} properties instead.",
                code="object_above_max_properties",
                param=place,
            )
        for name, member in value.items():
            key(name, place)
            each(member, f"{place}.{name}")

    return check


def obj(members: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Take an object with these members and no others."""

    def check(value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise _wrong_type("an object", value, place)
        prefix = f"{place}." if place else ""
        for name in required:
            if value.get(name) is None:
                raise missing(prefix + name)
        for name, member in value.items():
            check_member = members.get(name)
            if check_member is None:
                raise Refused(
                    f"Unknown parameter: '{prefix}{name}'.",
                    code="unknown_parameter",
                    param=f"{prefix}{name}",
                )
            if member is not None:
                check_member(member, prefix + name)

    return check


def tagged(tag: str, cases: Mapping[str, Check]) -> Check:
    """Take one of several kinds of object, told apart by one member."""
    check_tag = one_of(*cases)

    def check(value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise _wrong_type("an object", value, place)
        prefix = f"{place}." if place else ""
        if value.get(tag) is None:
            raise missing(prefix + tag)
        check_tag(value[tag], prefix + tag)
        cases[value[tag]](value, place)

    return check


def either(kind: type, when: Check, otherwise: Check) -> Check:
    """Take a value of one kind, or of another: the first when it is a `kind`."""

    def check(value: object, place: str) -> None:
        (when if isinstance(value, kind) else otherwise)(value, place)

    return check
