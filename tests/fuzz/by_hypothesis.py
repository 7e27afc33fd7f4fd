"""Inputs by chance, by hypothesis: what goes wrong is made as small as it can be."""

from __future__ import annotations

import time
from functools import partial

import hypothesis
from attrs import define
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from tests.fuzz.bounds import Target, try_input
from tests.fuzz.hostile import input_for

__all__ = ["Search", "inputs", "search"]

AT_ONCE = 200
"""Inputs until the clock is looked at."""


def inputs(target: str) -> st.SearchStrategy[bytes]:
    """Inputs for a target, out of the published schema (where it is) and our own samples."""
    return st.randoms(use_true_random=False).map(partial(input_for, target))


@define
class Search:
    """What a search has come to."""

    tried: int = 0
    found: bytes | None = None
    """The smallest input that went wrong, if one did."""
    error: Exception | None = None


def search(
    target: Target, strategy: st.SearchStrategy[bytes], *, seconds: float, seed: int
) -> Search:
    """Try inputs until the time is over, or one goes wrong."""
    result = Search()
    ends_at = time.monotonic() + seconds
    number = 0
    while time.monotonic() < ends_at and result.found is None:
        _search_once(target, strategy, result, f"{seed}/{number}")
        number += 1
    return result


def _search_once(
    target: Target, strategy: st.SearchStrategy[bytes], result: Search, seed: object
) -> None:
    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=AT_ONCE,
        database=None,
        deadline=None,
        derandomize=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def attempt(data: bytes) -> None:
        result.tried += 1
        try:
            try_input(target, data)
        except Exception:
            result.found = data
            raise

    try:
        attempt()
    except Exception as error:
        result.error = error
