"""Names in an order that changes anywhere, each change for the same small price."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import define, field

__all__ = ["Chain"]

_ENDS: Final = ""
"""What stands before the first and behind the last."""


@define
class Chain:
    """Names, one behind the other. None of them is empty, and none is there twice."""

    _next: dict[str, str] = field(factory=lambda: {_ENDS: _ENDS})
    _previous: dict[str, str] = field(factory=lambda: {_ENDS: _ENDS})

    def put(self, name: str, after: str | None) -> None:
        """Put a name behind another, or first (None), wherever it was before.

        It goes to the end where the other one is not there, and stays where it is its own.
        """
        if after == name:
            return
        self.remove(name)
        before = _ENDS if after is None else after
        if before not in self._next:
            before = self._previous[_ENDS]
        behind = self._next[before]
        self._next[before], self._previous[name] = name, before
        self._next[name], self._previous[behind] = behind, name

    @property
    def last(self) -> str | None:
        """The name at the end. None: there is none."""
        return self._previous[_ENDS] or None

    def before(self, name: str) -> str | None:
        """What stands right before a name that is there. None: nothing."""
        return self._previous[name] or None

    def remove(self, name: str) -> None:
        """Take a name out. Does nothing when it is not there."""
        if name in self:
            before, behind = self._previous.pop(name), self._next.pop(name)
            self._next[before], self._previous[behind] = behind, before

    def __contains__(self, name: str) -> bool:
        return name != _ENDS and name in self._next

    def __iter__(self) -> Iterator[str]:
        name = self._next[_ENDS]
        while name != _ENDS:
            yield name
            name = self._next[name]
