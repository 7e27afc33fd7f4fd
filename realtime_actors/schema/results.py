"""What a tool returned, as the model is given it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Set
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
from attrs import field, frozen

from realtime_actors.errors import ToolError
from realtime_actors.items import InputImage, InputText
from realtime_actors.schema.types import enum_to_json

__all__ = ["ToolOutput", "as_json", "output_text", "tool_output"]


@frozen(kw_only=True)
class ToolOutput:
    """What the model is given for a call."""

    text: str = field(repr=False)
    images: tuple[InputImage, ...] = field(default=(), repr=False)
    """They follow the text in a message of their own: an output is text and nothing else."""


def tool_output(value: object) -> ToolOutput:
    """What a tool returned, as the model is given it.

    A part of a message (`items.InputText`, `items.InputImage`), or a list with some in it,
    is several things: the texts become lines of the output, the images come after it.
    Everything else is `output_text`. Raises `ToolError` for what can't be sent.
    """
    parts = value if isinstance(value, list | tuple) else (value,)
    if not any(isinstance(part, InputText | InputImage) for part in parts):
        return ToolOutput(text=output_text(value))
    images = tuple(part for part in parts if isinstance(part, InputImage))
    texts = [
        output_text(part.text if isinstance(part, InputText) else part)
        for part in parts
        if not isinstance(part, InputImage)
    ]
    return ToolOutput(text="\n".join(texts) or "See the image that follows.", images=images)


def output_text(value: object) -> str:
    """What a tool returned, as the text that the model is given.

    Text stays as it is, None is empty, everything else is JSON: attrs classes, dataclasses,
    NamedTuples and pydantic models are objects, dates are ISO 8601, a Decimal is its digits,
    sets are arrays, and an Enum is what the model writes for it (see `tool`). Raises
    `ToolError` for what can't be written that way.
    """
    if value is None:
        return ""
    try:
        plain = as_json(value)
        if isinstance(value, str):
            return str(plain)
        return json.dumps(plain, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(
            f"the tool returned a {type(value).__name__} that can't be sent: {error}"
        ) from error


def as_json(value: Any) -> object:
    """The value in nothing but what JSON has, as far as that goes."""
    if isinstance(value, Enum):
        return enum_to_json(value)
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(
            f"{len(value)} bytes are no text: decode them, or return base64, or a picture as"
            " items.InputImage"
        )
    cls = type(value)
    if isinstance(value, Decimal) or (cls.__module__, cls.__qualname__) == ("uuid", "UUID"):
        return str(value)
    if hasattr(cls, "__pydantic_core_schema__") and hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {as_json(name): as_json(each) for name, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return as_json(value._asdict())
    if isinstance(value, list | tuple | Set):
        return [as_json(each) for each in value]
    if attrs.has(cls):
        names = [each.name for each in attrs.fields(cls)]
    elif dataclasses.is_dataclass(cls):
        names = [each.name for each in dataclasses.fields(cls)]
    else:
        return value
    return {name: as_json(getattr(value, name)) for name in names}
