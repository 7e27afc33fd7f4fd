"""The history at one moment: a sequence like any other."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_actors as ra
from realtime_actors.items import user_message
from realtime_actors.jsonable import Jsonable
from realtime_actors.snapshot import WIDTH, Snapshot

NUMBERS = tuple(range(3 * WIDTH * WIDTH + 5))


@pytest.fixture
def shown() -> Iterator[None]:
    ra.show_content()
    yield
    ra.show_content(False)


@given(size=st.integers(0, len(NUMBERS)), index=st.integers(-4000, 4000))
def test_it_is_read_like_a_tuple(size: int, index: int) -> None:
    plain = NUMBERS[:size]
    snapshot = Snapshot(plain)

    assert len(snapshot) == size
    assert tuple(snapshot) == plain
    assert tuple(reversed(snapshot)) == plain[::-1]
    assert bool(snapshot) is bool(plain)
    if -size <= index < size:
        assert snapshot[index] == plain[index]
        assert snapshot[index] in snapshot
        assert snapshot.index(plain[index]) == plain.index(plain[index])
    else:
        with pytest.raises(IndexError):
            snapshot[index]


PLACES = st.none() | st.integers(-300, 300)


@given(size=st.integers(0, 200), part=st.builds(slice, PLACES, PLACES, st.sampled_from((1, 2, -1))))
def test_a_slice_of_it_is_a_tuple(size: int, part: slice) -> None:
    assert Snapshot(NUMBERS[:size])[part] == NUMBERS[:size][part]


def test_it_is_equal_to_whatever_has_the_same_items() -> None:
    one = Snapshot("abc")

    assert one == Snapshot("abc") == ("a", "b", "c") == one == ["a", "b", "c"]
    assert hash(one) == hash(("a", "b", "c"))
    assert one != Snapshot("abd")
    assert one != ("a", "b")
    assert one != "abc"
    assert one + ["d"] == ("a", "b", "c", "d")  # noqa: RUF005 - that is what is tried
    assert ("z",) + one == ("z", "a", "b", "c")  # noqa: RUF005


def test_it_can_be_taken_apart() -> None:
    match Snapshot("abc"):
        case [first, *rest]:
            assert (first, rest) == ("a", ["b", "c"])
        case _:
            raise AssertionError("it is a sequence")


def test_it_survives_pickling_and_copying() -> None:
    history = Snapshot(user_message(str(each)) for each in range(100))

    assert pickle.loads(pickle.dumps(history)) == history
    assert copy.copy(history) == copy.deepcopy(history) == history


def test_its_repr_says_how_long_it_is() -> None:
    assert repr(Snapshot([user_message("My name is Ada.")])) == "<1 items>"


@pytest.mark.usefixtures("shown")
def test_its_repr_has_all_of_it_where_that_is_asked_for() -> None:
    assert "My name is Ada." in repr(Snapshot([user_message("My name is Ada.")]))


def test_it_is_a_list_in_json() -> None:
    class Holder(Jsonable):
        def _members(self) -> dict[str, object]:
            return {"history": Snapshot([1, 2])}

    assert Holder().to_dict() == {"history": [1, 2]}
