"""What no input may do is noticed when one does it."""

from __future__ import annotations

import pytest

from tests.fuzz.bounds import MOST_BYTES, TooLargeError, TooSlowError, try_input
from tests.fuzz.by_hypothesis import inputs, search


def test_an_input_that_raises_is_noticed() -> None:
    def refuse(data: bytes) -> None:
        raise KeyError(data)

    with pytest.raises(KeyError):
        try_input(refuse, b"anything")


@pytest.mark.slow
def test_an_input_that_takes_for_ever_is_ended() -> None:
    def go_round(data: bytes) -> None:
        while True:
            pass

    with pytest.raises(TooSlowError, match="ended after 1 s"):
        try_input(go_round, b"")


def test_an_input_that_takes_much_memory_is_noticed_although_it_gives_it_back() -> None:
    def take(data: bytes) -> None:
        assert len(data * (MOST_BYTES + 2**22)) > MOST_BYTES

    with pytest.raises(TooLargeError, match="MiB of memory"):
        try_input(take, b"x")


def test_what_takes_neither_passes() -> None:
    try_input(lambda data: None, b"")


def test_a_search_finds_what_goes_wrong_and_makes_it_small() -> None:
    def choke(data: bytes) -> None:
        if data.count(b"\n") >= 2:
            raise ValueError("more than I can take")

    result = search(choke, inputs("core"), seconds=20.0, seed=1)

    assert isinstance(result.error, ValueError)
    assert result.found is not None
    assert result.found.count(b"\n") == 2, "no line more than it takes"
