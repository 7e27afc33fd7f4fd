"""The order of a conversation against a plain list, and what its snapshots share."""

from __future__ import annotations

import random
from itertools import pairwise
from math import log

from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.core.history.order import Order, Place
from realtime_actors.snapshot import WIDTH, Branch, Node, Snapshot
from tests.core.machine import times


@define(eq=False)
class Spot(Place[str]):
    """A place with a text to be seen, or nothing."""

    text: str | None
    rendered: int = 0

    def render(self) -> str | None:
        self.rendered += 1
        return self.text

    def show(self, text: str | None) -> None:
        self.text = text
        self.changed()


def order_of(spots: list[Spot]) -> Order[str]:
    order: Order[str] = Order()
    for spot in spots:
        order.append(spot)
    return order


def many(count: int) -> list[Spot]:
    return [Spot(str(number)) for number in range(count)]


OPERATIONS = ("append", "prepend", "put_behind", "remove", "show", "hide", "snapshot")


@times(3)
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1 << 20)), max_size=300))
def test_it_is_like_a_list_and_what_was_read_of_it_stays(steps: list[tuple[str, int]]) -> None:
    spots = many(40)
    order = order_of(spots)
    read: list[tuple[Snapshot[str], list[str]]] = []

    for number, (operation, where) in enumerate(steps):
        at = where % len(spots) if spots else 0
        new = Spot(f"new {number}")
        match operation:
            case "append":
                order.append(new)
                spots.append(new)
            case "prepend":
                order.prepend(new)
                spots.insert(0, new)
            case "put_behind" if spots:
                order.put_behind(spots[at], new)
                spots.insert(at + 1, new)
            case "remove" if spots:
                order.remove(spots.pop(at))
            case "show" if spots:
                spots[at].show(f"other {number}")
            case "hide" if spots:
                spots[at].show(None)
            case "snapshot":
                read.append((order.snapshot(), [each.text for each in spots if each.text]))

    neighbours = pairwise(spots)
    assert all(
        order.next(one) is other and order.previous(other) is one for one, other in neighbours
    )
    assert sorted(spots, key=order.path) == spots
    assert not spots or (order.previous(spots[0]) is None and order.next(spots[-1]) is None)
    assert order.snapshot() == [each.text for each in spots if each.text]
    for snapshot, before in read:
        assert snapshot == before


def test_only_what_has_changed_is_rendered() -> None:
    spots = many(10_000)
    order = order_of(spots)
    order.snapshot()
    assert {each.rendered for each in spots} == {1}

    spots[5_000].show("other")
    order.snapshot()

    assert [each.text for each in spots if each.rendered > 1] == ["other"]


def test_what_is_told_as_new_is_what_has_changed() -> None:
    spots = many(1_000)
    order = order_of(spots)
    order.snapshot()
    order.take_news()

    spots[7].show("seven")
    spots[8].show(None)
    order.snapshot()

    assert (order.take_news(), order.take_news()) == (["seven"], [])


def test_nothing_new_is_no_new_snapshot() -> None:
    order = order_of(many(100))

    assert order.snapshot() is order.snapshot()


def objects_of(tree: Node[str]) -> set[int]:
    """The ids of the tuples and branches of a snapshot."""
    inner = [objects_of(each) for each in tree.below] if isinstance(tree, Branch) else []
    return {id(tree)}.union(*inner)


def test_a_change_makes_as_many_new_objects_as_there_are_levels() -> None:
    spots = many(10_000)
    order = order_of(spots)
    one = order.snapshot()

    spots[1_234].show("other")
    other = order.snapshot()

    new = objects_of(other.tree) - objects_of(one.tree)
    assert len(new) == 3
    assert len(objects_of(other.tree)) == len(objects_of(one.tree)) > 10_000 / WIDTH


def depth(tree: Node[str]) -> int:
    return 1 + max(map(depth, tree.below)) if isinstance(tree, Branch) else 1


def widest(tree: Node[str]) -> int:
    if not isinstance(tree, Branch):
        return len(tree)
    return max(len(tree.below), *map(widest, tree.below))


def test_it_stays_flat_wherever_it_grows() -> None:
    chance = random.Random(1)
    spots = many(1)
    order = order_of(spots)
    for spot in many(20_000):
        order.put_behind(chance.choice(spots[:: max(1, len(spots) // 100)]), spot)
        spots.append(spot)

    tree = order.snapshot().tree

    assert widest(tree) <= WIDTH
    assert depth(tree) <= 1 + log(20_000, WIDTH / 2)


def test_what_has_become_empty_is_gone() -> None:
    spots = many(5_000)
    order = order_of(spots)
    for spot in spots[:-1]:
        order.remove(spot)

    assert order.snapshot().tree == ("4999",)
    order.remove(spots[-1])
    assert order.snapshot() == ()
    order.append(Spot("first"))
    assert order.snapshot() == ("first",)
