"""Whole numbers as people give them: how many there may be of something."""

from __future__ import annotations

from realtime_actors.errors import ConfigError

__all__ = ["check_count"]


def check_count(value: object, name: str, *, least: int = 1) -> int:
    """Return `value` if it is a whole number, `least` or more. Raises `ConfigError` with `name`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigError(f"{name} is {value!r}: allowed is a whole number, {least} or more")
    return value
