"""The history as it was at one moment, without a copy of it.

    one:  ( a b c ) ( d e f ) ( g h )
    two:      |     ( d E f )    |       e has changed: one part and the list of parts are new

A conversation of an hour has thousands of items, and changes several times a turn. Each event
that tells of a change has the whole conversation with it. Were that a tuple, it would have to
be filled anew each time, and events that wait to be read would hold as many copies.

So a `Snapshot` is a tree of small tuples: items in its leaves, in order. Nothing in it ever
changes. Where the next one differs, the leaf and what is above it are new; everything else
is the same objects, in both. What makes such trees is `core/order.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

from realtime_actors.content import is_content_shown

__all__ = ["WIDTH", "Branch", "Node", "Snapshot"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

WIDTH: Final = 32
"""How many items, or smaller trees, a tree has at most. Ours: so a conversation of 10,000 items
has three levels, and one change makes as many small tuples."""

FEW: Final = 64
"""Up to so many items are looked up one by one for a slice."""


class Branch(Generic[T_co]):
    """A tree with smaller ones below it, none of them empty. Its length is that of all items."""

    __slots__ = ("_size", "below")

    def __init__(self, below: tuple[Node[T_co], ...]) -> None:
        self.below: Final = below
        self._size: Final = sum(map(len, below))

    def __len__(self) -> int:
        return self._size


Node: TypeAlias = "tuple[T, ...] | Branch[T]"


class Snapshot(Sequence[T_co]):
    """Items in their order, as they were at one moment. It never changes.

    A sequence like any other: equal to a tuple, a list or another snapshot of the same items.
    A slice of it is a tuple; `tuple(snapshot)` makes one of all of it.
    """

    __slots__ = ("tree",)

    def __init__(self, items: Iterable[T_co] = ()) -> None:
        nodes: list[Node[T_co]] = _in_groups(tuple(items))
        while len(nodes) > 1:
            nodes = [Branch(group) for group in _in_groups(tuple(nodes))]
        self.tree: Node[T_co] = nodes[0] if nodes else ()
        """The items, as they are shared with other snapshots."""

    @classmethod
    def of(cls, root: Node[T_co]) -> Snapshot[T_co]:
        """Make one of a tree, as it is."""
        snapshot = cls.__new__(cls)
        snapshot.tree = root
        return snapshot

    def __len__(self) -> int:
        return len(self.tree)

    def __iter__(self) -> Iterator[T_co]:
        return chain.from_iterable(_leaves(self.tree))

    def __reversed__(self) -> Iterator[T_co]:
        return reversed(tuple(self))

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T_co, ...]: ...
    def __getitem__(self, index: int | slice) -> T_co | tuple[T_co, ...]:
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            return tuple(map(self._at, places)) if len(places) <= FEW else tuple(self)[index]
        return self._at(range(len(self))[index])

    def _at(self, index: int) -> T_co:
        node = self.tree
        while isinstance(node, Branch):
            for each in node.below:
                size = len(each)
                if index < size:
                    node = each
                    break
                index -= size
        return node[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Snapshot):
            is_same = self.tree is other.tree
            return is_same or (len(self) == len(other) and tuple(self) == tuple(other))
        if isinstance(other, tuple | list):
            return len(self) == len(other) and tuple(self) == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __add__(self, other: Iterable[Any]) -> tuple[Any, ...]:
        return (*self, *other)

    def __radd__(self, other: Iterable[Any]) -> tuple[Any, ...]:
        return (*other, *self)

    def __repr__(self) -> str:
        # It ends up in logs: see `content`.
        return f"Snapshot({list(self)!r})" if is_content_shown() else f"<{len(self)} items>"

    def __reduce__(self) -> tuple[type[Snapshot[Any]], tuple[Any, ...]]:
        return Snapshot, (tuple(self),)


def _in_groups(items: tuple[Any, ...]) -> list[Any]:
    return [items[at : at + WIDTH] for at in range(0, len(items), WIDTH)]


def _leaves(node: Node[T]) -> Iterator[tuple[T, ...]]:
    if not isinstance(node, Branch):
        yield node
        return
    for each in node.below:
        yield from _leaves(each)
