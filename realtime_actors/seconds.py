"""Times in seconds, checked where they come in. Every setting, timer and wait uses these.

What is no length of time is refused by a `ConfigError` that names it: NaN, less than
nothing, more than `LONGEST`, and what is no number (a bool, a text, a `timedelta`).
Infinity is another word for None, where None is allowed.
"""

from __future__ import annotations

import math
import reprlib
from datetime import timedelta
from numbers import Real
from typing import Any, Final

from realtime_actors.errors import ConfigError

__all__ = ["LONGEST", "LONGEST_WAIT", "seconds", "seconds_or_none", "unlimited"]

LONGEST: Final = 100 * 365.25 * 86_400.0
"""A hundred years. What is longer is a mistake, and more than the clocks of systems take."""
LONGEST_WAIT: Final = 2_000_000.0
"""Seconds that a lock, a condition or a selector of any system can wait in one go: poll()
takes 24 days, Windows 49. To wait for longer is to wait again."""

_SHORT = reprlib.Repr()
_SHORT.maxother = 60


def seconds(value: Any, name: str, *, zero: bool = True) -> float:
    """Return `value` if it is a number of seconds. Raises `ConfigError`, which calls it `name`.

    With `zero` False it has to be more than 0.
    """
    if not _is_time(value, zero=zero):
        raise ConfigError(_objection(value, name, _allowed(zero=zero)))
    return value if type(value) is float else float(value)


def seconds_or_none(value: Any, name: str, *, zero: bool = True) -> float | None:
    """Return `value` if it is a number of seconds, and None for None and infinity: no limit."""
    value = unlimited(value)
    if value is None:
        return None
    if not _is_time(value, zero=zero):
        raise ConfigError(_objection(value, name, f"{_allowed(zero=zero)}, or None"))
    return value if type(value) is float else float(value)


def unlimited(value: float | None) -> float | None:
    """Return None for infinity, and all else as it is: the converter of a field of settings."""
    return None if isinstance(value, Real) and value == math.inf else value


def _is_time(value: Any, *, zero: bool) -> bool:
    # NaN is neither more nor less than anything, so it is within no bounds.
    return _is_number(value) and bool(0 <= value <= LONGEST) and (zero or value != 0)


def _is_number(value: object) -> bool:
    return type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))


def _allowed(*, zero: bool) -> str:
    return "allowed are seconds" if zero else "allowed are seconds above 0"


def _objection(value: Any, name: str, allowed: str) -> str:
    said = f"{name} is {_SHORT.repr(value)}: {allowed}"
    if isinstance(value, timedelta):
        return f"{said}. Give timedelta.total_seconds()"
    if not _is_number(value):
        return f"{said}, as a number"
    return f"{said}, up to {LONGEST:.0f} (100 years)" if value > LONGEST else said
