"""Values that a JSON Schema allows, as chance will have it.

The published schema of the protocol lies beside the checkout, not in it
(`tests/conformance/specification.py`). It uses a small part of JSON Schema: types,
properties, lists, choices and references, and none that refers to itself for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from attrs import field, frozen

from tests.conformance.specification import FOLDER

__all__ = ["SCHEMA", "Values", "published"]

SCHEMA = FOLDER / "realtime.schema.json"

Json: TypeAlias = Any


def published(kind: str) -> Values | None:
    """Return what makes events of a kind (the beginning of their definitions' names).

    None where the schema is not beside the checkout.
    """
    return _of_kind(kind, SCHEMA) if SCHEMA.is_file() else None


def _of_kind(kind: str, path: Path) -> Values:
    definitions = json.loads(path.read_text())["$defs"]
    events = [
        {"$ref": f"#/$defs/{name}"}
        for name, definition in definitions.items()
        if name.startswith(kind) and name != kind and "properties" in definition
    ]
    return Values(definitions, events)


@frozen
class Values:
    """Makes events that a schema allows."""

    definitions: Mapping[str, Json] = field(repr=False)
    events: list[Json] = field(repr=False)

    def event(self, chance: Random, text: Callable[[Random, str], str]) -> Json:
        """Make one. `text` chooses a text for a member of that name."""
        return self._value(chance.choice(self.events), chance, text, "", 0)

    def _value(
        self,
        schema: Mapping[str, Json],
        chance: Random,
        text: Callable[[Random, str], str],
        name: str,
        depth: int,
    ) -> Json:
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        for choices in ("anyOf", "oneOf", "allOf"):
            if choices in schema:
                chosen = chance.choice(schema[choices])
                return self._value(chosen, chance, text, name, depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        kind = schema.get("type", "string")
        match chance.choice(kind) if isinstance(kind, list) else kind:
            case "object":
                return self._object(schema, chance, text, depth)
            case "array":
                if depth > 6:
                    return []
                items = schema.get("items", {})
                length = chance.randrange(3)
                return [self._value(items, chance, text, name, depth + 1) for _ in range(length)]
            case "integer":
                least = schema.get("minimum", 0)
                return chance.randint(least, schema.get("maximum", least + 3))
            case "number":
                least = schema.get("minimum", 0)
                return least + chance.random() * (schema.get("maximum", least + 1) - least)
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
            case _:
                return text(chance, name)

    def _object(
        self,
        schema: Mapping[str, Json],
        chance: Random,
        text: Callable[[Random, str], str],
        depth: int,
    ) -> Json:
        required = schema.get("required", ())
        members = {}
        for name, inner in schema.get("properties", {}).items():
            if name in required or (depth < 5 and chance.random() < 0.6):
                members[name] = self._value(inner, chance, text, name, depth + 1)
        return members
