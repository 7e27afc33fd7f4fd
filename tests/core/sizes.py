"""How much an object holds: what is in all containers that can be reached from it."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, cast

import attrs

from realtime_actors.agent import Agent
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.history.conversation import Conversation
from realtime_actors.core.history.readings import Readings
from realtime_actors.tools import Tool

__all__ = ["sizes"]

GIVEN = (Agent, Tool, SessionModelSettings)
"""What a program has made: it is not looked into."""


def sizes(root: object, *, conversation: bool = True) -> Counter[str]:
    """How many things are in the containers of each name, such as `Speech._aired`.

    Without the `conversation`, what is known of its items is left out.
    """
    found: Counter[str] = Counter()
    seen: set[int] = set()
    left: list[tuple[str, Any]] = [(type(root).__name__, root)]
    while left:
        name, each = left.pop()
        is_text = isinstance(each, str | bytes | int | float | type(None) | type)
        if is_text or callable(each) or isinstance(each, GIVEN) or id(each) in seen:
            continue
        if isinstance(each, Conversation | Readings) and not conversation:
            continue
        seen.add(id(each))
        if isinstance(each, dict):
            found[name] += len(each)
            left += [(name, part) for pair in each.items() for part in pair]
        elif isinstance(each, list | tuple | set | frozenset | deque):
            found[name] += len(each)
            left += [(name, part) for part in each]
        left += [(f"{type(each).__name__}.{key}", part) for key, part in members(each)]
    return +found


def members(value: object) -> list[tuple[str, Any]]:
    """The members of one of our own objects."""
    if not type(value).__module__.startswith("realtime_actors"):
        return []
    if attrs.has(type(value)):
        names = [each.name for each in attrs.fields(cast("type[Any]", type(value)))]
    else:
        names = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
        names += list(getattr(value, "__dict__", ()))
    return [(name, getattr(value, name)) for name in names if hasattr(value, name)]
