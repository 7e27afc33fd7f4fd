"""Where a setting belongs: for the errors about one that was given in the wrong place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from attrs import AttrsInstance, fields

from realtime_actors.errors import ConfigError, did_you_mean

__all__ = ["Explained", "place_of", "placed", "put", "refusing_unknown", "unknown"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=AttrsInstance)

RUN: Final = (
    "config",
    "model_config",
    "context",
    "timeout",
    "transport",
    "name",
    "supervisor",
    "restart",
    "trace",
)
"""What `ra.run` takes."""

RENAMED: Final = {
    "api_base": "url",
    "description_override": "description",
    "func": "invoke",
    "function": "invoke",
    "name_override": "name",
    "on_invoke_tool": "invoke",
    "params_json_schema": "parameters",
    "tool_description_override": "tool_description",
    "tool_name_override": "tool_name",
    "on_handoff": "on_invoke_handoff",
    "failure_error_function": "texts",
    "base_url": "url",
    "system_prompt": "instructions",
    "system_message": "instructions",
    "model_name": "model",
    "functions": "tools",
    "function_tools": "tools",
    "guardrails": "output_guardrails",
    "max_tokens": "max_output_tokens",
    "max_response_output_tokens": "max_output_tokens",
    "input_audio_transcription_model": "input_audio_transcription",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "vad": "turn_detection",
    "websocket_url": "url",
    "starting_agent": "agent",
    "run_config": "config",
    "model_provider": "transport",
}
"""Words that others have for the same: openai-agents, OpenAI's own clients, other frameworks."""


def place_of(name: str, here: Iterable[str]) -> str:
    """Say where a setting belongs that is none of those `here`; "" when it belongs nowhere."""
    here = tuple(here)
    longer = [each for each in here if each.endswith(f"_{name}") and name not in RUN]
    ours = longer[0] if longer else RENAMED.get(name, name)
    if name != ours and ours in here:
        return f"it is called {ours!r} here"
    places = [place.replace("*", ours) for place, names in _places.items() if ours in names]
    return f"it belongs in {' or '.join(places[:2])}" if places else ""


def unknown(name: str, here: Iterable[str], *, what: str) -> ConfigError:
    """Make the error for an option that `what` does not have: where it belongs, or what is near."""
    here = tuple(here)
    return ConfigError(
        f"{what} has no option {name!r}: {place_of(name, here) or did_you_mean(name, here)}"
    )


class Explained:
    """The base of attrs classes that say where an unknown keyword belongs, by a `ConfigError`.

    A subclass with an `__init__` of its own takes what that takes.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # a checker goes by the `__init__` that attrs writes

        def __new__(cls, *args, **values):
            if "__attrs_attrs__" in vars(cls) or "__init__" not in vars(cls):
                _refuse_unknown(cls, args, values)
            return super().__new__(cls)


def _refuse_unknown(cls: type, args: tuple[object, ...], values: Mapping[str, object]) -> None:
    taken = [each for each in fields(cls) if each.init]
    known = [each.alias or each.name for each in taken]
    for name in values:
        if name not in known:
            raise unknown(name, known, what=cls.__name__)
    if args and all(each.kw_only for each in taken):
        example = f"{cls.__name__}({known[0]}=...)" if known else f"{cls.__name__}()"
        raise ConfigError(f"{cls.__name__} takes its options by name: {example}")


def refusing_unknown(function: Callable[P, R]) -> Callable[P, R]:
    """Have an unknown keyword be a `ConfigError` that says where it belongs, not a `TypeError`."""
    code = function.__code__
    what = function.__qualname__ if "." in function.__qualname__ else f"ra.{function.__name__}"
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise unknown(name, known, what=what)
        return function(*args, **kwargs)

    return checked


def placed(place: str) -> Callable[[type[C]], type[C]]:
    """Note that the options of an attrs class can be written down in a place of `_places`."""

    def note(cls: type[C]) -> type[C]:
        put(place, (each.name for each in fields(cls)))
        return cls

    return note


def put(place: str, names: Iterable[str]) -> None:
    """Note what can be written down in a place: what is there knows it, and tells us."""
    if place not in _places:
        raise KeyError(place)
    _places[place] = frozenset(names)


_places: Final[dict[str, frozenset[str]]] = dict.fromkeys(
    (
        "ra.agent(*=...)",
        "ra.run(..., *=...)",
        "RunConfig(*=...)",
        "ModelConfig(*=...)",
        "RunConfig(model_settings={'*': ...})",
        "RunConfig(model_settings={'turn_detection': {'*': ...}})",
        "RunConfig(model_settings={'input_audio_transcription': {'*': ...}})",
        "RunConfig(barge_in={'*': ...})",
        "RunConfig(reconnect={'*': ...})",
        "RunConfig(guardrails_settings={'*': ...})",
        "@ra.tool(*=...)",
        "ra.Handoff(..., *=...)",
    ),
    frozenset(),
)
"""The ways to write a setting down, with what can be written that way. The usual one first."""

put("ra.run(..., *=...)", RUN)
