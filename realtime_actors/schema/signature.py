"""A function's parameters as the arguments of a tool.

The signature that is really called counts: that of a wrapper and not of what it wraps, and
without what a `functools.partial` has bound.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import sys
import types
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Annotated, Any, Final, TypeAlias, get_args, get_type_hints

from attrs import field, frozen

from realtime_actors.errors import ConfigError
from realtime_actors.schema.constraints import NO_DEFAULT, MadeAnew, is_field_of_pydantic
from realtime_actors.schema.docstring import parse_docstring
from realtime_actors.schema.shapes import Shape, described, object_schema
from realtime_actors.schema.types import HintReader

__all__ = ["Signature", "name_of"]

_NO_HINT: Final = object()
_INSTANCE: Final = ("self", "cls")

Parameter: TypeAlias = inspect.Parameter
Names: TypeAlias = Mapping[str, object]


@frozen(kw_only=True)
class Signature:
    """What a function wants to be called with."""

    description: str
    schema: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    context_name: str | None
    """The parameter that takes the tool's context, and isn't the model's to fill."""
    defaults: Mapping[str, Any] = field(factory=dict)
    """What is given for what the model leaves out, where the function has no default itself."""
    is_method: bool = False
    """It was written in a class, and is bound to no instance yet."""

    @classmethod
    def of(cls, function: Callable[..., object], context_class: type) -> Signature:
        """Read a function. Raises `ConfigError` for parameters that JSON can't fill."""
        names = _names_around(function)
        parameters = _parameters(function, names)
        is_method = _is_method(function, parameters)
        if is_method:
            del parameters[0]
        # What is bound may be described too, and is not to run into what is not.
        known = {*(each.name for each in parameters), *_innermost_names(function)}
        description, words = parse_docstring(_documentation(function), known)
        reader = HintReader({**getattr(inspect.unwrap(function), "__globals__", {}), **names})
        shapes: dict[str, Shape] = {}
        required: list[str] = []
        defaults: dict[str, Any] = {}
        context_name = None
        for parameter in parameters:
            name, where = parameter.name, f"{name_of(function)}({parameter.name})"
            hint, default = _hint_and_default(function, parameter, where)
            if context_class in (hint, *get_args(hint)):
                if context_name is not None:
                    raise ConfigError(f"{where}: {context_name} is given the context already")
                context_name = name
                continue
            shape = described(reader.read(hint, where), words.get(name, ""))
            if default is NO_DEFAULT:
                default = reader.default_of(hint, where)
                if default is NO_DEFAULT:
                    required.append(name)
                else:
                    defaults[name] = default
            shapes[name] = _with_default(shape, default, where)
        schema = object_schema(shapes, required)
        if reader.definitions:
            schema["$defs"] = reader.definitions
        return cls(
            description=description,
            schema=schema,
            shapes=shapes,
            context_name=context_name,
            defaults=defaults,
            is_method=is_method,
        )

    def convert(self, arguments: dict[str, object]) -> dict[str, object]:
        """The arguments as the function's types. They must have no problems.

        Raises `ValueError` for a value that a class of the user's refuses.
        """
        converted = {
            name: default.make() if isinstance(default, MadeAnew) else default
            for name, default in self.defaults.items()
            if name not in arguments
        }
        for name, value in arguments.items():
            try:
                converted[name] = self.shapes[name].convert(value)
            except Exception as error:  # a validator of the user's may raise anything
                raise ValueError(f"{name}: {error}") from error
        return converted


def name_of(function: Any) -> str:
    """What a function is called, or the class of a callable object."""
    if isinstance(function, functools.partial) and "__name__" not in vars(function):
        return name_of(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _parameters(function: Any, names: Names) -> list[Parameter]:
    """What a call by name may give, with the hints as types (`_NO_HINT` where there is none)."""
    if isinstance(function, functools.partial):
        return _unbound(_parameters(function.func, names), function)
    if isinstance(function, types.MethodType):
        return _parameters(function.__func__, names)[1:]
    if isinstance(function, staticmethod):
        return _parameters(function.__func__, names)
    called = type(function).__call__
    if isinstance(called, types.FunctionType):  # an object that can be called
        return _parameters(called, names)[1:]
    own = _own_parameters(function, names)
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is None or hasattr(function, "__signature__"):
        return own
    inner = {each.name: each for each in _parameters(wrapped, names)}
    named = [
        each.replace(annotation=inner[each.name].annotation)
        if each.annotation is _NO_HINT and each.name in inner
        else each
        for each in own
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if any(each.kind is each.VAR_KEYWORD for each in own):
        taken = {each.name for each in named}
        return [*named, *(each for name, each in inner.items() if name not in taken)]
    return own if any(each.kind is each.VAR_POSITIONAL for each in own) else named


def _own_parameters(function: Any, names: Names) -> list[Parameter]:
    """The parameters of a function itself, whatever it wraps."""
    options: dict[str, Any] = {"follow_wrapped": False}
    if sys.version_info >= (3, 14):
        import annotationlib

        # What it returns doesn't matter, so a hint for that needn't be there at run time.
        options["annotation_format"] = annotationlib.Format.FORWARDREF
    try:
        parameters = inspect.signature(function, **options).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            f"the signature of {name_of(function)} can't be read: wrap it in a function of yours"
        ) from None
    written = {
        each.name: each.annotation for each in parameters if each.annotation is not each.empty
    }
    hints = _hints(function, written, names)
    return [each.replace(annotation=hints.get(each.name, _NO_HINT)) for each in parameters]


def _unbound(parameters: list[Parameter], partial: functools.partial[Any]) -> list[Parameter]:
    """What a partial leaves open. What it has bound is the program's, and not for the model."""
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    bound = [each.name for each in parameters if each.kind in positional][: len(partial.args)]
    return [
        each for each in parameters if each.name not in bound and each.name not in partial.keywords
    ]


def _hints(function: Any, written: Mapping[str, Any], names: Names) -> dict[str, Any]:
    inner = inspect.unwrap(function)
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=dict(written)),
            # A wrapper has the hints of what it wraps, which may be in another module.
            globalns={**getattr(function, "__globals__", {}), **getattr(inner, "__globals__", {})},
            localns=dict(names),
            include_extras=True,
        )
    except Exception as error:  # whatever a forward reference runs into
        raise ConfigError(
            f"the type hints of {name_of(function)} can't be read: {error} "
            "(they must be importable at run time, and not under TYPE_CHECKING)"
        ) from None


def _names_around(function: Any) -> dict[str, object]:
    """What is local to the functions in which a function was written, as far as that is there."""
    while not isinstance(function, types.FunctionType):
        inner = getattr(function, "func", None) or getattr(function, "__func__", None)
        if inner is None:
            called = type(function).__call__
            inner = called if isinstance(called, types.FunctionType) else None
        if inner is None:
            return {}
        function = inner
    function = inspect.unwrap(function)
    if not isinstance(function, types.FunctionType) or "<locals>" not in function.__qualname__:
        return {}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    names = {name: cell.cell_contents for name, cell in cells if cell != types.CellType()}
    path = function.__qualname__.split(".")
    scopes = {".".join(path[:length]) for length in range(1, len(path))}
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_globals is function.__globals__ and frame.f_code.co_qualname in scopes:
            names = {**frame.f_locals, **names}
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return names


def _innermost_names(function: Any) -> list[str]:
    """The names that the docstring of a function may be about, bound ones included."""
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(inspect.unwrap(function), "__code__", None)
    return [] if code is None else [*code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]]


def _is_method(function: Any, parameters: list[Parameter]) -> bool:
    """Whether it was written in a class, and takes the instance as its first argument."""
    if not isinstance(function, types.FunctionType) or not parameters:
        return False
    scope = function.__qualname__.rpartition(".")[0]
    first = parameters[0]
    in_class = scope != "" and not scope.endswith("<locals>")
    return in_class and first.name in _INSTANCE and first.annotation is _NO_HINT


def _documentation(function: Any) -> str | None:
    if isinstance(function, functools.partial):
        own: str | None = vars(function).get("__doc__")
        return own or _documentation(function.func)
    called = type(function).__call__
    if isinstance(called, types.FunctionType):
        return called.__doc__ or type(function).__doc__
    documentation: str | None = function.__doc__
    return documentation


def _hint_and_default(function: Any, parameter: Parameter, where: str) -> tuple[Any, Any]:
    """The hint and the default of a parameter. A pydantic `Field` for a default is of the hint."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
        raise ConfigError(
            f"{where}: a tool can't take {stars}{parameter.name}, give its arguments names"
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigError(f"{where}: a tool is called by name, this is positional-only")
    hint, default = parameter.annotation, parameter.default
    if hint is _NO_HINT:
        why = f"{where} has no type hint: the model must be told what to send"
        if hasattr(function, "__wrapped__"):
            why += " (a wrapper has the hints of what it wraps: functools.wraps replaces its own)"
        raise ConfigError(why)
    if default is parameter.empty:
        return hint, NO_DEFAULT
    if is_field_of_pydantic(default):
        return Annotated[hint, default], NO_DEFAULT
    if isinstance(default, dataclasses.Field) or type(default).__name__ == "_CountingAttr":
        raise ConfigError(f"{where}: the default is a field of a class: give the value itself")
    return hint, default


def _with_default(shape: Shape, default: object, where: str) -> Shape:
    """Tell the model what happens when it leaves an argument out, where JSON can say it."""
    if type(default) not in (str, int, float, bool):
        return shape
    if isinstance(default, float) and not math.isfinite(default):
        raise ConfigError(
            f"{where}: the default {default} can't be told to a model, JSON has no infinity:"
            " use None, and float | None"
        )
    return Shape(schema={**shape.schema, "default": default}, convert=shape.convert)
