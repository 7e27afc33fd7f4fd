"""What is remembered of things that are over, and no longer than it can matter.

Events come late and twice: of a response that has ended, of an item that was deleted. So what
is over is remembered for a while. A call may last for hours; what is remembered must not grow
with it, so the oldest goes when there is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Final, Generic, TypeVar

__all__ = ["LATELY", "Recent", "RecentSet"]

K = TypeVar("K")
V = TypeVar("V")

LATELY: Final = 256
"""How many things of a kind are remembered: responses, items, calls. Ours: servers are late by
seconds, and in those there are a handful of each."""


class Recent(MutableMapping[K, V]):
    """A dict of what was put into it last. What is put in again is new again."""

    __slots__ = ("_kept", "_most")

    def __init__(self, most: int = LATELY) -> None:
        self._kept: dict[K, V] = {}
        self._most = most

    def __getitem__(self, key: K) -> V:
        return self._kept[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._kept.pop(key, None)
        self._kept[key] = value
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def __delitem__(self, key: K) -> None:
        del self._kept[key]

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[K]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"Recent({self._kept!r})"


class RecentSet(Generic[K]):
    """A set of what was added to it last. What is added again is new again."""

    __slots__ = ("_kept",)

    def __init__(self, most: int = LATELY) -> None:
        self._kept: Recent[K, None] = Recent(most)

    def add(self, each: K) -> None:
        self._kept[each] = None

    def update(self, those: Iterable[K]) -> None:
        for each in those:
            self._kept[each] = None

    def discard(self, each: K) -> None:
        self._kept.pop(each, None)

    def clear(self) -> None:
        self._kept.clear()

    def __contains__(self, each: object) -> bool:
        return each in self._kept

    def __iter__(self) -> Iterator[K]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"RecentSet({list(self)!r})"
