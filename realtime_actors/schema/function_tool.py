"""What every function that is offered to the model has: a name, a schema, arguments.

Tools are such functions, and so are handoffs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from realtime_actors.errors import ConfigError, ToolArgumentsError
from realtime_actors.schema.check import check_schema, problems
from realtime_actors.surrogates import replace_surrogates_within

__all__ = ["check_parameters", "check_tool_name", "function_to_wire", "parse_arguments"]

_LEGAL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_tool_name(name: object, what: str) -> None:
    """Raise `ConfigError` for a name that the API refuses."""
    if not isinstance(name, str) or not _LEGAL_NAME.fullmatch(name):
        raise ConfigError(
            f"{what} name {name!r} is refused by the API: "
            "1 to 64 letters, digits, underscores and hyphens are allowed"
        )


def check_parameters(schema: object, what: str) -> None:
    """Raise `ConfigError` for what can't be the schema of a tool's arguments."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise ConfigError(f"{what}: parameters must be a JSON Schema of type object: {schema!r}")
    check_schema(schema, f"{what}: parameters")
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{what}: parameters can't be written as JSON: {error}") from None


def parse_arguments(arguments: str, schema: Mapping[str, Any], name: str) -> dict[str, object]:
    """Read the JSON text that the model sent for the tool `name`.

    Blank text and null are no arguments: not every model writes `{}`. Halves of characters
    are replaced. Raises
    `ToolArgumentsError` for what isn't JSON, isn't an object, or doesn't fit `schema`.
    """
    try:
        blank = not arguments or arguments.isspace()
        values = {} if blank else json.loads(arguments, parse_constant=_refuse_constant)
        values = replace_surrogates_within(values)
    except (ValueError, RecursionError) as error:
        raise ToolArgumentsError(f"Invalid JSON arguments for {name}: {error}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ToolArgumentsError(f"Invalid JSON arguments for {name}: expected an object")
    try:
        wrong = "; ".join(problems(values, schema))
    except RecursionError:
        wrong = "they are nested too deeply"
    if wrong:
        raise ToolArgumentsError(f"Wrong arguments for {name}: {wrong}")
    return values


def function_to_wire(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A function tool as the API wants to have it described."""
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": dict(parameters),
    }


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
