"""What settings classes share: made from dicts, and checked so that a mistake says its name.

A wrong value is refused where it is given, by a `ConfigError` that names the key, the
value and what is allowed; an unknown key also gets the nearest spelling.
"""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, TypeAlias, TypeGuard, TypeVar, cast

from attrs import NOTHING, Attribute, fields_dict, frozen

from realtime_actors.config.places import Explained, place_of
from realtime_actors.errors import ConfigError
from realtime_actors.jsonable import Jsonable
from realtime_actors.seconds import seconds, seconds_or_none

__all__ = [
    "Check",
    "Settings",
    "check",
    "deep_merge",
    "flag",
    "from_mapping",
    "instance_of",
    "is_mapping",
    "is_number",
    "is_text",
    "is_whole",
    "mapping",
    "number",
    "one_of",
    "some_of",
    "some_text",
    "text",
    "texts",
    "time_limit",
    "time_limit_or_none",
    "to_tuple",
    "whole",
    "whole_or_none",
    "wrong",
]

Check: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]
"""A validator of attrs. Those here let None through where it is the default: nothing is set."""

S = TypeVar("S", bound="Settings")
T = TypeVar("T")


@frozen(kw_only=True, repr=False)
class Settings(Explained, Jsonable):
    """The base of all settings: immutable, compared by value, made by keywords or from a dict.

    A subclass says `repr=False` to attrs: the repr here shows what is set, and no secrets.
    """

    def __repr__(self) -> str:
        known = fields_dict(type(self))
        shown = (
            f"{name}={_repr(known[name], value)}"
            for name, value in self.set_members().items()
            if known[name].repr
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from a mapping. Raises `ConfigError` for an unknown key or a wrong value."""
        if not isinstance(values, Mapping):
            given = type(values).__name__ if isinstance(values, Settings) else _shown(values)
            raise ConfigError(f"{cls.__name__} is made from a mapping, not from {given}")
        known = fields_dict(cls)
        for key, value in values.items():
            if key not in known:
                if place := place_of(str(key), known):
                    raise ConfigError(f"{cls.__name__} has no setting {key!r}: {place}")
                secrets = [name for name in known if not known[name].repr]
                secret = difflib.get_close_matches(str(key), secrets)
                given = "" if secret else f" (given: {_shown(value)})"
                raise ConfigError(
                    f"{cls.__name__} has no setting {key!r}{given}: {_allowed(str(key), known)}"
                )
        for name, attribute in known.items():
            if attribute.default is NOTHING and name not in values:
                raise ConfigError(f"{cls.__name__} needs {name!r}")
        return cls(**values)

    @classmethod
    def most_of(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what somebody else wrote: leave out what is unknown, null or wrong.

        Raises `ConfigError` when `type` is wrong, since the rest depends on it, and when
        something is missing that is needed.
        """
        accepted = {} if values.get("type") is None else {"type": values["type"]}
        settings = cls.from_dict(accepted)
        for key, value in values.items():
            if value is None:
                continue
            try:
                settings = cls.from_dict({**accepted, key: value})
            except ConfigError:
                continue
            accepted[key] = value
        return settings

    def _members(self) -> Mapping[str, Any]:
        return self.set_members()

    def set_members(self) -> dict[str, Any]:
        """The settings that are set, by name."""
        values = ((name, getattr(self, name)) for name in fields_dict(type(self)))
        return {name: value for name, value in values if value is not None}


def deep_merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Put `override` over `base`: mappings into mappings, anything else in place of what was."""
    merged = dict(base)
    for name, value in override.items():
        below = merged.get(name)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = deep_merge(below, value)
        merged[name] = value
    return merged


def from_mapping(cls: type[S], value: S | Mapping[str, Any] | T) -> S | T:
    """Turn a mapping into settings; anything else is for the checks to judge."""
    return cls.from_dict(value) if isinstance(value, Mapping) else value


def to_tuple(value: Iterable[T]) -> tuple[T, ...]:
    """Turn a list into a tuple; anything else is for the checks to judge."""
    return tuple(value) if isinstance(value, list) else cast("tuple[T, ...]", value)


# --- checks -------------------------------------------------------------------------------------


def check(is_right: Callable[[Any], bool], allowed: str) -> Check:
    """Make a check out of a test, and words for what passes it."""

    def validate(settings: Any, attribute: Attribute[Any], value: Any) -> None:
        if not (value is None and attribute.default is None) and not is_right(value):
            raise wrong(settings, attribute, value, f"allowed is {allowed}")

    return validate


def wrong(settings: Any, attribute: Attribute[Any], value: Any, why: str) -> ConfigError:
    """Make the error that says which value is wrong. Secrets are not repeated in it."""
    given = _repr(attribute, value) if attribute.repr else f"wrong (a {type(value).__name__})"
    return ConfigError(f"{type(settings).__name__}.{attribute.name} is {given}: {why}")


def one_of(*words: str) -> Check:
    """Make a check that a value is one of `words`."""

    def validate(settings: Any, attribute: Attribute[Any], value: Any) -> None:
        if not (value is None and attribute.default is None) and not (
            isinstance(value, str) and value in words
        ):
            raise wrong(settings, attribute, value, _allowed(str(value), words))

    return validate


def some_of(*words: str) -> Check:
    """Make a check that a value is a tuple of some of `words`."""

    def validate(settings: Any, attribute: Attribute[Any], value: Any) -> None:
        if value is None and attribute.default is None:
            return
        if not isinstance(value, tuple):
            raise wrong(settings, attribute, value, f"allowed is a list of {', '.join(words)}")
        for word in value:
            if not (isinstance(word, str) and word in words):
                raise wrong(settings, attribute, value, _allowed(str(word), words))

    return validate


def number(low: float, high: float) -> Check:
    """Make a check that a value is a number within bounds, both included."""
    return check(lambda value: is_number(value, low, high), f"a number from {low} to {high}")


def whole(low: int, high: int | None = None) -> Check:
    """Make a check that a value is a whole number within bounds, both included."""
    bounds = f"from {low} to {high}" if high is not None else f"of {low} or more"
    return check(lambda value: is_whole(value, low, high), f"a whole number {bounds}")


def whole_or_none(at_least: int) -> Check:
    """Make a check that a value is a whole number, or None for no limit."""
    return check(
        lambda value: value is None or is_whole(value, at_least),
        f"a whole number of {at_least} or more, or None",
    )


def time_limit(settings: Any, attribute: Attribute[Any], value: Any) -> None:
    """Check that a value is a number of seconds above 0."""
    seconds(value, f"{type(settings).__name__}.{attribute.name}", zero=False)


def time_limit_or_none(settings: Any, attribute: Attribute[Any], value: Any) -> None:
    """Check that a value is a number of seconds above 0, or None. See `seconds.unlimited`."""
    seconds_or_none(value, f"{type(settings).__name__}.{attribute.name}", zero=False)


def instance_of(cls: type, allowed: str) -> Check:
    """Make a check that a value is of a class."""
    return check(lambda value: isinstance(value, cls), allowed)


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a string that has something in it."""
    return isinstance(value, str) and value != ""


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Whether it is a number (True is none) within bounds, both included."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_whole(value: object, low: int, high: int | None = None) -> bool:
    """Whether it is a whole number within bounds, both included."""
    return isinstance(value, int) and is_number(value, low, math.inf if high is None else high)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether it is a mapping with text for keys."""
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


text = check(lambda value: isinstance(value, str), "text")
some_text = check(is_text, "text that is not empty")
flag = instance_of(bool, "True or False")
mapping = check(is_mapping, "a mapping")
texts = check(
    lambda value: isinstance(value, tuple) and all(is_text(each) for each in value),
    "a list of texts",
)


def _repr(attribute: Attribute[Any], value: Any) -> str:
    if callable(attribute.repr):
        return attribute.repr(value)
    return repr(value) if isinstance(value, Settings) else _shown(value)


def _shown(value: object) -> str:
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def _allowed(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, words := list(words), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}allowed: {', '.join(words)}"
