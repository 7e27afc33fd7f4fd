"""Types that pydantic describes and reads: its models, and whatever it alone can check.

It is never imported here: whoever has such a type has imported it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from realtime_actors.errors import ConfigError
from realtime_actors.schema.shapes import Shape

__all__ = ["is_pydantic", "pydantic", "pydantic_schema"]


def pydantic() -> Any:
    """The module, if the program has imported it, and it is version 2; else None."""
    module = sys.modules.get("pydantic")
    return module if hasattr(module, "TypeAdapter") else None


def is_pydantic(cls: type) -> bool:
    """Whether pydantic knows a class: a model, a dataclass of its own, a type with its hooks."""
    return pydantic() is not None and (
        hasattr(cls, "__pydantic_core_schema__") or hasattr(cls, "__get_pydantic_core_schema__")
    )


def pydantic_schema(hint: Any, definitions: dict[str, Any], where: str) -> Shape:
    """The shape of a hint as pydantic has it. What its schema refers to goes to `definitions`.

    Raises `ConfigError` when pydantic has no schema for it.
    """
    try:
        adapter = pydantic().TypeAdapter(hint)
        schema: dict[str, Any] = adapter.json_schema()
    except Exception as error:  # of several kinds, and those of hooks of the user's
        raise ConfigError(f"{where}: pydantic can't describe {hint!r}: {error}") from None

    def convert(value: object) -> Any:
        try:
            # As JSON, which pydantic reads otherwise than what is Python's already.
            return adapter.validate_json(json.dumps(value))
        except pydantic().ValidationError as error:
            raise ValueError(_said(error)) from None

    return Shape(schema=_adopt(schema, definitions), convert=convert)


def _said(error: Any) -> str:
    """What pydantic found wrong, in a line."""
    found = []
    for each in error.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in each["loc"])
        found.append(f"{path}: {each['msg']}" if path else each["msg"])
    return "; ".join(found)


def _adopt(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Move what a schema refers to into `definitions`; two of one name get names of their own."""
    own = {name: _changed(each, _untitled) for name, each in schema.pop("$defs", {}).items()}
    names = {}
    for name, each in own.items():
        names[name] = name
        while definitions.get(names[name], each) != each:
            names[name] += "_"

    def renamed(part: dict[str, Any]) -> dict[str, Any]:
        name = str(part.get("$ref", "")).removeprefix("#/$defs/")
        return {**part, "$ref": f"#/$defs/{names[name]}"} if name in names else part

    for name, each in own.items():
        definitions[names[name]] = _changed(each, renamed)
    adopted: dict[str, Any] = _changed(_changed(schema, _untitled), renamed)
    return adopted


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the title that pydantic makes of a name: that would be told twice."""
    return {key: value for key, value in schema.items() if key != "title"}


def _changed(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A schema with every schema in it changed; names of properties are no keywords."""
    if not isinstance(schema, Mapping):
        return schema
    changed = change(dict(schema))
    for keyword in ("properties", "patternProperties"):
        if keyword in changed:
            changed[keyword] = {
                name: _changed(each, change) for name, each in changed[keyword].items()
            }
    for keyword in ("items", "additionalProperties", "not"):
        if keyword in changed:
            changed[keyword] = _changed(changed[keyword], change)
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if keyword in changed:
            changed[keyword] = [_changed(each, change) for each in changed[keyword]]
    return changed
