"""How a type looks in JSON, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve, frozen

__all__ = ["Shape", "described", "object_schema"]


def _as_it_is(value: Any) -> Any:
    return value


@frozen(kw_only=True)
class Shape:
    """How a type looks in JSON: its schema, and how a value that fits becomes the type's.

    `convert` may raise what the type's own constructor raises.
    """

    schema: dict[str, Any]
    convert: Callable[[Any], Any] = _as_it_is


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
