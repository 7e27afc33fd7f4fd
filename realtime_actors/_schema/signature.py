"""A function's parameters as the arguments of a tool."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

from attrs import frozen

from realtime_actors._schema.docstring import parse_docstring
from realtime_actors._schema.types import Shape, described, object_schema, shape_of
from realtime_actors.errors import ConfigError

__all__ = ["Signature"]


@frozen(kw_only=True)
class Signature:
    """What a function wants to be called with."""

    description: str
    schema: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    context_name: str | None
    """The parameter that takes the tool's context, and isn't the model's to fill."""

    @classmethod
    def of(cls, function: Callable[..., object], context_class: type) -> Signature:
        """Read a function. Raises `ConfigError` for parameters that JSON can't fill."""
        name = function.__name__
        hints = _hints(function)
        parameters = inspect.signature(function).parameters
        description, words = parse_docstring(function.__doc__, parameters)
        shapes: dict[str, Shape] = {}
        required: list[str] = []
        context_name = None
        for parameter in parameters.values():
            where = f"{name}({parameter.name})"
            _check_kind(parameter, where)
            if parameter.name not in hints:
                raise ConfigError(f"{where} has no type hint: the model must be told what to send")
            hint = hints[parameter.name]
            if context_class in (hint, *get_args(hint)):
                if context_name is not None:
                    raise ConfigError(f"{where}: {context_name} is given the context already")
                context_name = parameter.name
                continue
            shape = described(shape_of(hint, where), words.get(parameter.name, ""))
            if parameter.default is parameter.empty:
                required.append(parameter.name)
            shapes[parameter.name] = _with_default(shape, parameter.default)
        return cls(
            description=description,
            schema=object_schema(shapes, required),
            shapes=shapes,
            context_name=context_name,
        )

    def convert(self, arguments: dict[str, object]) -> dict[str, object]:
        """The arguments as the function's types. They must have no problems.

        Raises `ValueError` for a value that a class of the user's refuses.
        """
        converted = {}
        for name, value in arguments.items():
            try:
                converted[name] = self.shapes[name].convert(value)
            except Exception as error:  # a validator of the user's may raise anything
                raise ValueError(f"{name}: {error}") from error
        return converted


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    inner = inspect.unwrap(function)
    # What it returns doesn't matter, so a hint for that needn't be there at run time.
    wanted = {
        name: hint
        for name, hint in getattr(inner, "__annotations__", {}).items()
        if name != "return"
    }
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=wanted),
            globalns=getattr(inner, "__globals__", {}),
            include_extras=True,
        )
    except Exception as error:  # whatever a forward reference runs into
        raise ConfigError(
            f"the type hints of {function.__name__} can't be read: {error} "
            "(they must be importable at run time, and not local to a function)"
        ) from None


def _check_kind(parameter: inspect.Parameter, where: str) -> None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ConfigError(f"{where}: a tool can't take {parameter}, give its arguments names")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigError(f"{where}: a tool is called by name, this is positional-only")


def _with_default(shape: Shape, default: object) -> Shape:
    """Tell the model what happens when it leaves an argument out, where JSON can say it."""
    if type(default) not in (str, int, float, bool):
        return shape
    return Shape(schema={**shape.schema, "default": default}, convert=shape.convert)
