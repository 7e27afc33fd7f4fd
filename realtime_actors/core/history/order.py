"""The order of a conversation: cheap to change anywhere, and cheap to take a snapshot of.

          +-----------+-----------+            a node has at most `WIDTH` below it; one that
      [ a b c ]   [ d e f ]   [ g h ]          has more is split in two

Each place knows the node that it is in, so an item is found by its place, not by counting. A
node keeps what it was in the last snapshot (`frozen`) until something below it changes. The
next snapshot makes anew what has changed since, and takes over all the rest.

Nodes that become empty go. Those that become small stay small: places are seldom taken out.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from attrs import define, field

from realtime_actors.snapshot import WIDTH, Branch, Node, Snapshot

__all__ = ["Order", "Place"]

T = TypeVar("T")


class _Node(Generic[T]):
    """A part of the order: places, or smaller parts."""

    __slots__ = ("above", "below", "frozen")

    def __init__(self, below: list[Any]) -> None:
        self.above: _Node[T] | None = None
        self.below = below
        self.frozen: Node[T] | None = None
        """As in the last snapshot. None: something has changed, here and in all above."""
        for each in below:
            each.above = self

    @property
    def has_nodes(self) -> bool:
        return bool(self.below) and isinstance(self.below[0], _Node)

    def outdate(self) -> None:
        """Have the next snapshot look at this part."""
        node: _Node[T] | None = self
        while node is not None and node.frozen is not None:
            node.frozen = None
            node = node.above


@define(eq=False)
class Place(Generic[T]):
    """A place in the order. What is to be seen there, if anything, a subclass says: `render`."""

    above: _Node[T] | None = field(default=None, init=False, repr=False)
    """The node that it is in; None when it is in no order."""
    shown: T | None = field(default=None, init=False, repr=False)
    """What is to be seen here, in the last snapshot."""
    is_outdated: bool = field(default=True, init=False)
    """It is something else now."""

    def render(self) -> T | None:
        """Return what is to be seen here. None: nothing."""
        raise NotImplementedError

    def changed(self) -> None:
        """Note that something else is to be seen here."""
        self.is_outdated = True
        if self.above is not None:
            self.above.outdate()


class Order(Generic[T]):
    """Places, one after the other."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node([])
        self._snapshot: Snapshot[T] = Snapshot()
        self._news: dict[Place[T], None] = {}

    def append(self, place: Place[T]) -> None:
        """Put a place behind all others."""
        node = self._root
        while node.has_nodes:
            node = node.below[-1]
        self._insert(node, len(node.below), place)

    def prepend(self, place: Place[T]) -> None:
        """Put a place before all others."""
        node = self._root
        while node.has_nodes:
            node = node.below[0]
        self._insert(node, 0, place)

    def put_behind(self, before: Place[T], place: Place[T]) -> None:
        """Put a place right behind another one."""
        node = _node_of(before)
        self._insert(node, node.below.index(before) + 1, place)

    def remove(self, place: Place[T]) -> None:
        """Take a place out."""
        node = _node_of(place)
        place.changed()
        self._news.pop(place, None)
        node.below.remove(place)
        place.above = None
        while not node.below and node.above is not None:
            node.above.below.remove(node)
            node = node.above
        while len(self._root.below) == 1 and self._root.has_nodes:
            self._root = self._root.below[0]
            self._root.above = None

    def next(self, place: Place[T]) -> Place[T] | None:
        """Return the place right behind. None: it is the last."""
        return self._beside(place, 1)

    def previous(self, place: Place[T]) -> Place[T] | None:
        """Return the place right before. None: it is the first."""
        return self._beside(place, -1)

    def path(self, place: Place[T]) -> tuple[int, ...]:
        """Return where a place is: what is before another one compares as less."""
        path: list[int] = []
        here: Any = place
        while here.above is not None:
            path.append(here.above.below.index(here))
            here = here.above
        return tuple(reversed(path))

    def snapshot(self) -> Snapshot[T]:
        """Return what is to be seen now, in order. Makes anew only what has changed."""
        tree = self._freeze(self._root)
        if tree is not self._snapshot.tree:
            self._snapshot = Snapshot.of(tree)
        return self._snapshot

    def take_news(self) -> list[T]:
        """Return what is new in the snapshots since this was asked last."""
        seen = [place.shown for place in self._news if place.shown is not None]
        self._news.clear()
        return seen

    def _insert(self, node: _Node[T], at: int, new: Any) -> None:
        node.below.insert(at, new)
        new.above = node
        node.outdate()
        if len(node.below) > WIDTH:
            self._split(node, at)

    def _split(self, node: _Node[T], at: int) -> None:
        # What was put at the end is mostly followed by more: so nodes are full where
        # conversations grow.
        cut = WIDTH if at == WIDTH else WIDTH // 2
        behind: _Node[T] = _Node(node.below[cut:])
        del node.below[cut:]
        above = node.above
        if above is None:
            above = self._root = _Node([node])
        self._insert(above, above.below.index(node) + 1, behind)

    def _beside(self, place: Place[T], step: int) -> Place[T] | None:
        here: Any = place
        while here.above is not None:
            at = here.above.below.index(here) + step
            if 0 <= at < len(here.above.below):
                here = here.above.below[at]
                while isinstance(here, _Node):
                    here = here.below[0 if step > 0 else -1]
                found: Place[T] = here
                return found
            here = here.above
        return None

    def _freeze(self, node: _Node[T]) -> Node[T]:
        if node.frozen is not None:
            return node.frozen
        if node.has_nodes:
            # Looked at here as well: most have not changed, and a call costs more than a look.
            parts = [
                self._freeze(each) if each.frozen is None else each.frozen for each in node.below
            ]
            below = tuple(each for each in parts if each)
            node.frozen = Branch(below) if below else ()
        else:
            items = [self._look(each) if each.is_outdated else each.shown for each in node.below]
            node.frozen = tuple(each for each in items if each is not None)
        return node.frozen

    def _look(self, place: Place[T]) -> T | None:
        place.shown, place.is_outdated = place.render(), False
        self._news[place] = None
        return place.shown


def _node_of(place: Place[T]) -> _Node[T]:
    if place.above is None:
        raise ValueError("the place is in no order")
    return place.above
