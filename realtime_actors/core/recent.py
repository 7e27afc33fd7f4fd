"""What is remembered of things that are over, and no longer than it can matter.

Events come late and twice: of a response that has ended, of an item that was deleted. So what
is over is remembered for a while. A call may last for hours; what is remembered must not grow
with it, so the oldest goes when there is too much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

__all__ = ["BY_THE_PROGRAM", "DELETED", "LATELY", "Recent", "RecentSet"]

K = TypeVar("K")
V = TypeVar("V")

LATELY: Final = 100
"""How many things of a kind are remembered: responses, turns, items, calls. Ours: servers are
late by seconds, and in those there are a handful of each."""

BY_THE_PROGRAM: Final = 10_000
"""How many items are remembered that the program has created, and the server has not told. Ours:
it may hand in a whole conversation at once."""

DELETED: Final = 1_000
"""How many of the deleted items are remembered. Ours: a program that keeps the history short
deletes a few with each turn, and one that clears it may delete many at once."""


class Recent(dict[K, V]):
    """A dict of what was put into it last. What is put in again is new again.

    `forgotten` is told of what goes. Takes new keys by `recent[key] = value` and `setdefault`.
    """

    __slots__ = ("_forgotten", "_most")

    def __init__(
        self, most: int = LATELY, *, forgotten: Callable[[K, V], object] | None = None
    ) -> None:
        super().__init__()
        self._most = most
        self._forgotten = forgotten

    def __setitem__(self, key: K, value: V) -> None:
        self.pop(key, None)
        super().__setitem__(key, value)
        if len(self) > self._most:
            oldest = next(iter(self))
            gone = self.pop(oldest)
            if self._forgotten is not None:
                self._forgotten(oldest, gone)

    def setdefault(self, key: K, default: V) -> V:
        if key not in self:
            self[key] = default
        return self[key]


class RecentSet(Recent[K, None]):
    """A set of what was added to it last. What is added again is new again."""

    __slots__ = ()

    def add(self, each: K) -> None:
        self[each] = None

    def add_all(self, those: Iterable[K]) -> None:
        for each in those:
            self[each] = None

    def discard(self, each: K) -> None:
        self.pop(each, None)
