"""The ledger: what was heard of each part, never more than was received."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors.core.speech.playback import LATE, PlaybackLedger

MS = 48
"""Bytes of a millisecond of PCM16 at 24 kHz."""


def heard(ledger: PlaybackLedger, now: float) -> list[tuple[str, int, int]]:
    return [(part.item_id, part.heard_ms, part.received_ms) for part in ledger.heard(now)]


def receive(
    ledger: PlaybackLedger, item_id: str, ms: int, now: float, *, index: int = 0, response="r1"
) -> None:
    ledger.received(response, item_id, index, ms * MS, now)


def test_without_reports_playback_runs_in_real_time_from_the_first_byte() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 1000, now=10.0)

    times = (10.0, 10.25, 11.0, 99.0)
    assert [heard(ledger, now)[0][1] for now in times] == [0, 250, 1000, 1000]


def test_audio_that_comes_faster_than_it_is_played_waits() -> None:
    ledger = PlaybackLedger()
    for piece in range(10):
        receive(ledger, "a", 100, now=piece / 100)

    assert heard(ledger, 0.5) == [("a", 500, 1000)]


def test_items_are_played_one_behind_the_other() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 500, now=0.0)
    receive(ledger, "b", 500, now=0.125)
    receive(ledger, "c", 500, now=0.125, response="r2")

    assert heard(ledger, 0.25) == [("a", 250, 500), ("b", 0, 500), ("c", 0, 500)]
    assert heard(ledger, 0.75) == [("a", 500, 500), ("b", 250, 500), ("c", 0, 500)]


def test_a_player_that_runs_dry_goes_on_when_more_comes() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    receive(ledger, "a", 500, now=1.0)

    assert heard(ledger, 1.0) == [("a", 100, 600)]
    assert heard(ledger, 1.25) == [("a", 350, 600)]


def test_playback_that_ends_before_the_next_item_begins_has_heard_it_all() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    receive(ledger, "b", 500, now=5.0)

    assert heard(ledger, 5.25) == [("a", 100, 100), ("b", 250, 500)]


def test_what_is_complete_and_heard_is_forgotten_when_the_next_begins() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    ledger.complete("a", 0)
    receive(ledger, "b", 100, now=1.0)

    assert heard(ledger, 1.0) == [("b", 0, 100)]


def test_a_session_of_many_responses_keeps_only_what_is_not_heard() -> None:
    ledger = PlaybackLedger()
    for number in range(1000):
        receive(ledger, f"i{number}", 100, now=float(number), response=f"r{number}")
        ledger.response_done(f"r{number}")

    assert len(ledger.heard(1000.0)) == 1


def test_parts_of_an_item_are_counted_apart() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    receive(ledger, "a", 100, now=0.0, index=1)

    parts = ledger.heard(0.125)

    assert [(part.content_index, part.heard_ms) for part in parts] == [(0, 100), (1, 25)]


def test_a_part_is_complete_for_itself_alone() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    receive(ledger, "b", 100, now=0.0)
    ledger.complete("b", 1)
    ledger.complete("a", 0)

    assert [part.complete for part in ledger.heard(1.0)] == [True, False]


@pytest.mark.parametrize("by", ["part", "response"])
def test_a_part_is_wholly_heard_only_when_no_more_comes(by) -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 100, now=0.0)
    assert not ledger.heard(1.0)[0].wholly

    if by == "part":
        ledger.complete("a", 0)
    else:
        ledger.response_done("r1")

    assert not ledger.heard(0.05)[0].wholly
    assert ledger.heard(1.0)[0].wholly


def test_stopping_throws_away_what_was_not_played() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 1000, now=0.0)

    assert [part.heard_ms for part in ledger.stop(0.25)] == [250]
    assert ledger.heard(0.5) == []

    receive(ledger, "b", 1000, now=0.5)
    assert heard(ledger, 0.75) == [("b", 250, 1000)]


def test_after_a_lost_connection_nothing_is_known() -> None:
    ledger = PlaybackLedger()
    receive(ledger, "a", 5000, now=0.0)

    ledger.clear()

    assert ledger.heard(0.5) == []
    receive(ledger, "a", 500, now=1.0)
    assert heard(ledger, 1.25) == [("a", 250, 500)]


def test_g711_lasts_six_times_as_long_per_byte() -> None:
    ledger = PlaybackLedger(bytes_per_ms=8)
    ledger.received("r1", "a", 0, 800, 0.0)

    assert heard(ledger, 0.05) == [("a", 50, 100)]


def test_a_fraction_of_a_millisecond_is_not_lost() -> None:
    ledger = PlaybackLedger()
    for _ in range(48):
        ledger.received("r1", "a", 0, MS + 1, 0.0)

    assert heard(ledger, 9.0) == [("a", 49, 49)]


def reporting(*reports: tuple[float, float]) -> PlaybackLedger:
    """A second of audio that came at 10 s, and reports of a player: what was heard, and when."""
    ledger = PlaybackLedger(reported=True)
    receive(ledger, "a", 1000, now=10.0)
    for heard_ms, at in reports:
        ledger.played("a", 0, heard_ms, at, absolute=True)
    return ledger


@pytest.mark.parametrize(
    ("ledger", "ends_by"),
    [
        pytest.param(reporting(), 11.0 + LATE, id="it never reports"),
        pytest.param(reporting((300, 10.5)), 11.2 + LATE, id="it has died"),
        pytest.param(reporting((999, 11.5)), 11.501 + LATE, id="it stops a millisecond short"),
        pytest.param(reporting((300, 10.5), (300, 99.0)), 11.2 + LATE, id="it stands still"),
        pytest.param(reporting((500, 11.0), (0, 12.0)), 11.5 + LATE, id="it goes back"),
        pytest.param(reporting((10, 11.8)), 12.0 + LATE, id="it is slower than anything"),
    ],
)
def test_a_player_that_makes_no_progress_is_waited_for_so_long_and_no_longer(
    ledger, ends_by
) -> None:
    assert ledger.ends_by == pytest.approx(ends_by)
    assert ledger.ends_at(1000.0) == pytest.approx(ends_by)
    assert ledger.ends_of({"r1"}, 1000.0) is None


def test_a_player_that_makes_progress_is_believed() -> None:
    ledger = reporting((300, 10.5))

    assert ledger.ends_at(10.5) == pytest.approx(11.2)
    assert ledger.ends_of({"r1"}, 10.5) == pytest.approx(11.2)

    ledger.played("a", 0, 1000, 11.3, absolute=True)

    assert ledger.ends_at(99.0) == pytest.approx(11.3)


def test_what_was_thrown_away_is_not_waited_for() -> None:
    ledger = reporting((300, 10.5))

    ledger.stop(10.6)

    assert ledger.ends_at(10.6) == ledger.ends_at(99.0) == 10.6


arrivals = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # item
        st.integers(0, 1),  # content index
        st.integers(0, 20_000),  # bytes
        st.floats(0, 0.5),  # seconds since the one before
        st.booleans(),  # the part is complete after it
    ),
    max_size=30,
)
reports = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 1), st.floats(-500, 5000), st.booleans()),
    max_size=10,
)


@given(arrivals=arrivals, reports=reports, wait=st.floats(0, 2))
def test_heard_is_never_more_than_received_and_never_goes_back(arrivals, reports, wait) -> None:
    ledger, now = PlaybackLedger(), 0.0
    total: dict[tuple[str, int], int] = {}
    for item_id, index, length, pause, complete in arrivals:
        before = [part.heard_ms for part in ledger.heard(now)]
        now += pause
        after = [part.heard_ms for part in ledger.heard(now)]
        assert all(earlier <= later for earlier, later in zip(before, after, strict=True))
        ledger.received("r1", item_id, index, length, now)
        total[item_id, index] = total.get((item_id, index), 0) + length
        if complete:
            ledger.complete(item_id, index)
    for item_id, index, ms, absolute in reports:
        ledger.played(item_id, index, ms, now, absolute=absolute)

    for part in ledger.heard(now + wait):
        came_ms = total[part.item_id, part.content_index] / MS
        assert 0 <= part.heard_ms <= part.received_ms <= came_ms


@given(arrivals=arrivals, reports=st.lists(st.tuples(reports, st.floats(0, 9)), max_size=5))
def test_nothing_waits_for_a_player_longer_than_twice_what_came(arrivals, reports) -> None:
    ledger, now, seconds = PlaybackLedger(reported=True), 0.0, 0.0
    for item_id, index, length, pause, _ in arrivals:
        now += pause
        ledger.received("r1", item_id, index, length, now)
        seconds += length / MS / 1000
    last = now
    for group, pause in reports:
        now += pause
        for item_id, index, ms, absolute in group:
            ledger.played(item_id, index, ms, now, absolute=absolute)

    over = last + 2 * seconds + LATE + 0.001
    assert ledger.ends_at(over) <= over
    assert ledger.ends_of({"r1"}, over) is None


@given(
    lengths_ms=st.lists(st.integers(1, 400), min_size=1, max_size=8),
    elapsed_ms=st.integers(0, 3500),
)
def test_what_is_heard_is_what_the_clock_says(lengths_ms, elapsed_ms) -> None:
    ledger = PlaybackLedger()
    for number, length_ms in enumerate(lengths_ms):
        receive(ledger, f"i{number}", length_ms, now=0.0)

    heard_ms = sum(part.heard_ms for part in ledger.heard((elapsed_ms + 0.5) / 1000))

    assert heard_ms == min(elapsed_ms, sum(lengths_ms))
