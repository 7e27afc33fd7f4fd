"""What a supervisor decides, without a thread."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.otp.strategy import (
    AutoShutdown,
    Intensity,
    Restart,
    Restarts,
    Strategy,
    affected,
    auto_shutdown,
    wants_restart,
)

ORDERLY = ["normal", "shutdown", ("shutdown", "quota")]
ODD = ["odd", RuntimeError("boom"), ("noproc", "x"), None, "killed", "unknown"]


@pytest.mark.parametrize("reason", ORDERLY + ODD)
def test_permanent_children_come_back_and_temporary_ones_do_not(reason):
    assert wants_restart(Restart.PERMANENT, reason)
    assert not wants_restart(Restart.TEMPORARY, reason)


@pytest.mark.parametrize("reason", ORDERLY)
def test_a_transient_child_may_end_in_order(reason):
    assert not wants_restart(Restart.TRANSIENT, reason)


@pytest.mark.parametrize("reason", ODD)
def test_a_transient_child_comes_back_after_a_crash(reason):
    assert wants_restart(Restart.TRANSIENT, reason)


@pytest.mark.parametrize(
    ("strategy", "again"),
    [
        (Strategy.ONE_FOR_ONE, ("b",)),
        (Strategy.ONE_FOR_ALL, ("a", "b", "c")),
        (Strategy.REST_FOR_ONE, ("b", "c")),
    ],
)
def test_a_strategy_says_who_starts_again(strategy, again):
    assert affected(strategy, ["a", "b", "c"], "b") == again


def test_restarts_count_until_they_are_too_old():
    intensity = Intensity(max_restarts=2, max_seconds=5.0)

    first = Restarts().another(10.0, intensity)
    second = first.another(12.0, intensity)

    assert second == Restarts((12.0, 10.0))
    assert second.another(15.0, intensity) is None
    assert second.another(15.1, intensity) == Restarts((15.1, 12.0))


def test_no_restart_is_allowed_when_none_is():
    assert Restarts().another(0.0, Intensity(max_restarts=0)) is None


@given(
    st.lists(st.floats(0.0, 3.0), max_size=40),
    st.integers(0, 5),
    st.floats(0.1, 10.0),
)
def test_there_are_never_more_restarts_than_the_intensity_allows(gaps, most, window):
    intensity, restarts, now, made = Intensity(most, window), Restarts(), 0.0, list[float]()
    for gap in gaps:
        now += gap
        after = restarts.another(now, intensity)
        if after is None:
            recent = [at for at in made if now - at <= window]
            assert len(recent) >= most
            break
        restarts = after
        made.append(now)
        assert sum(now - at <= window for at in made) <= most


@pytest.mark.parametrize(
    ("policy", "significant", "left", "ends"),
    [
        (AutoShutdown.NEVER, True, 0, False),
        (AutoShutdown.ANY_SIGNIFICANT, True, 3, True),
        (AutoShutdown.ANY_SIGNIFICANT, False, 0, False),
        (AutoShutdown.ALL_SIGNIFICANT, True, 1, False),
        (AutoShutdown.ALL_SIGNIFICANT, True, 0, True),
    ],
)
def test_significant_children_may_take_their_supervisor_with_them(policy, significant, left, ends):
    assert auto_shutdown(policy, ended_significant=significant, significant_left=left) is ends
