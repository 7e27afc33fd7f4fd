"""Audio of the user that was dropped is told at once, once a second, and to the millisecond."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors.core.effects import CancelTimer, Publish, SetTimer
from realtime_actors.core.messages import Asked, AudioDropped, ConnectionLost, TimerFired
from realtime_actors.core.speech.audio_losses import LOSSES_TIMER, TELL_EVERY
from realtime_actors.events import ConnectionEvent, InputAudioDroppedEvent
from tests.core.machine import Timers, live, only, published

SECOND_IS_OVER = TimerFired(LOSSES_TIMER)


def dropped(ms: float, at_ms: float = 0.0) -> AudioDropped:
    return AudioDropped(ms=ms, at_ms=at_ms)


def test_the_first_loss_is_told_at_once_and_the_rest_of_a_second_in_one() -> None:
    machine = live()

    first = machine.handle(dropped(20, at_ms=4000), now=1.0)
    assert first == [
        Publish(InputAudioDroppedEvent(dropped_ms=20, audio_start_ms=4000)),
        SetTimer(LOSSES_TIMER, TELL_EVERY),
    ]
    for number in range(50):
        assert machine.handle(dropped(20, at_ms=4000 + number), now=1.5) == []
    assert machine.handle(SECOND_IS_OVER, now=2.0) == [
        Publish(InputAudioDroppedEvent(dropped_ms=1000, audio_start_ms=4000)),
        SetTimer(LOSSES_TIMER, TELL_EVERY),
    ]


def test_an_outage_is_over_when_a_second_passes_without_and_the_next_is_told_at_once() -> None:
    machine = live()
    machine.handle(dropped(20), now=1.0)

    assert machine.handle(SECOND_IS_OVER, now=2.0) == []
    assert published(machine.handle(dropped(40, at_ms=9000), now=2.1)) == [
        InputAudioDroppedEvent(dropped_ms=40, audio_start_ms=9000)
    ]


@pytest.mark.parametrize("end", [ConnectionLost(code=1000), Asked(messages.Close())])
def test_what_is_not_told_yet_is_told_when_the_connection_ends(end) -> None:
    machine = live()
    machine.handle(dropped(20), now=1.0)
    machine.handle(dropped(60, at_ms=100), now=1.2)

    effects = machine.handle(end, now=1.3)
    assert only(InputAudioDroppedEvent, effects) == [
        InputAudioDroppedEvent(dropped_ms=60, audio_start_ms=100)
    ]
    assert CancelTimer(LOSSES_TIMER) in effects
    if isinstance(end, Asked):
        assert isinstance(published(effects)[-1], ConnectionEvent)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1 / 64, 0.5, 20.0, 333.25]), st.sampled_from([0.0, 1 / 64, 0.75])
        ),
        max_size=60,
    )
)
def test_the_events_add_up_to_what_was_dropped_and_come_once_a_second(drops) -> None:
    machine, timers, now = live(), Timers(), 0.0
    told: list[tuple[float, int]] = []

    def handle(message: AudioDropped | TimerFired, at: float) -> None:
        effects = timers.note(machine.handle(message, at), at)
        told.extend((at, each.dropped_ms) for each in only(InputAudioDroppedEvent, effects))

    def fire_until(limit: float) -> None:
        while timers.due and min(timers.due.values()) <= limit:
            due = timers.next()
            assert due is not None
            handle(*due)

    for ms, later in drops:
        now += later
        fire_until(now)
        handle(dropped(ms), now)
    fire_until(now + 10)

    assert not timers.due
    assert sum(ms for _, ms in told) == int(sum(ms for ms, _ in drops))
    assert all(second - first >= TELL_EVERY for (first, _), (second, _) in pairwise(told))
