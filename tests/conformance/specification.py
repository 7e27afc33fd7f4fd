"""OpenAI's specification, its examples, and captured frames, where they lie beside the checkout.

They are not part of this repository: `shared/protocol`, next to it, has them. Without it
the tests of this folder are skipped.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

__all__ = ["Specification", "load"]

FOLDER = Path(__file__).parents[3] / "shared" / "protocol"


def load(name: str) -> Any:
    """Read one of the files, or skip the module that asks for it."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(
            f"the specification is not beside this checkout (no {name} in ../shared/protocol)",
            allow_module_level=True,
        )
    return json.loads(path.read_text())


def events_in(example: dict[str, Any]) -> list[dict[str, Any]]:
    """The JSON objects of an example. Some are several, with comments between them."""
    if "__unparsed__" not in example:
        return [example]
    text = re.sub(r"//[^\n]*", "", example["__unparsed__"])
    text = re.sub(r",(\s*[}\]])", r"\1", text)  # commas after the last member
    decoder = json.JSONDecoder()
    events = []
    while text := text.strip():
        event, end = decoder.raw_decode(text)
        events.append(event)
        text = text[end:]
    return events


class Specification:
    """The JSON Schema of the protocol, made strict about the names of members."""

    def __init__(self) -> None:
        self._definitions = copy.deepcopy(load("realtime.schema.json")["$defs"])
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}
        # Of a beta response.create the specification has GA's names, where OpenAI's own
        # client has these.
        create = self._definitions["RealtimeBetaResponseCreateParams"]["properties"]
        create["max_response_output_tokens"] = create.pop("max_output_tokens")
        create["input"] = {"type": "array", "items": {"$ref": "#/$defs/BetaWireItem"}}
        for definition in self._definitions.values():
            _close(definition)

    def errors(self, event: dict[str, Any], kind: str) -> list[str]:
        """What the schema of the event has to say against it.

        `kind` begins the names of the definitions: RealtimeClientEvent, ...
        """
        key = (kind, event["type"])
        if key not in self._validators:
            (name,) = (
                name
                for name, definition in self._definitions.items()
                if re.fullmatch(f"{kind}[A-Z].*", name)
                and event["type"] in _words(definition["properties"]["type"])
            )
            self._validators[key] = Draft202012Validator(
                {"$ref": f"#/$defs/{name}", "$defs": self._definitions}
            )
        return [
            f"{error.json_path}: {error.message}"
            for error in self._validators[key].iter_errors(event)
        ]


def _words(schema: dict[str, Any]) -> list[str]:
    return schema["enum"] if "enum" in schema else [schema["const"]]


def _close(schema: Any) -> None:
    """Forbid members that the schema doesn't name: a wrong name would pass for an extension."""
    if isinstance(schema, list):
        for inner in schema:
            _close(inner)
    elif isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for inner in schema.values():
            _close(inner)
