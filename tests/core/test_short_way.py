"""The short way that a piece of speech has through the machine: what comes of it is the same."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import protocol as wire
from realtime_actors.config import BargeIn
from tests.core.machine import (
    AnyMessage,
    added,
    created,
    done,
    interrupt,
    live,
    long_lists,
    play,
    speech,
    speech_done,
    spoken,
    transcript,
    user_speaks,
)


class LongWay(wire.ResponseOutputAudioDelta):
    """The same event, which is not taken for the usual one at a glance."""


def by_the_long_way(message: AnyMessage) -> AnyMessage:
    if not isinstance(message, wire.ResponseOutputAudioDelta):
        return message
    return LongWay(**attrs.asdict(message, recurse=False))


RESPONSES, ITEMS = ("r1", "r2"), ("i1", "i2")
PIECES: st.SearchStrategy[AnyMessage] = st.builds(
    lambda item_id, response_id, index, length: evolve(
        speech(item_id, response_id=response_id, content_index=index), delta=bytes(length)
    ),
    st.sampled_from(ITEMS),
    st.sampled_from(RESPONSES),
    st.sampled_from([0, 0, 0, 1, -1, wire.MAX_INDEX + 1]),
    st.sampled_from([0, 1, 2, 959, 960, 960, 960, 96_000]),
)
OTHERS: st.SearchStrategy[AnyMessage] = st.sampled_from(
    [
        *(created(each) for each in RESPONSES),
        *(done(each) for each in RESPONSES),
        *(done(each, "cancelled") for each in RESPONSES),
        *(speech_done(item, response_id=each) for item in ITEMS for each in RESPONSES),
        *(transcript("Hi. ", item, response_id=each) for item in ITEMS for each in RESPONSES),
        *(added(spoken(item)) for item in ITEMS),
        created("r2", conversation_id=None, metadata={"topic": "mood"}),
        user_speaks(),
        interrupt(),
    ]
)
STEPS = st.tuples(st.one_of(PIECES, PIECES, OTHERS), st.sampled_from([0.0, 0.02, 0.3, 3.0]))
MODES = st.sampled_from(["full", "gated", "half_duplex", "off"])


@given(steps=long_lists(STEPS, 80), mode=MODES)
def test_speech_that_takes_the_short_way_has_the_effects_of_the_long_way(
    steps: list[tuple[AnyMessage, float]], mode: Any
) -> None:
    short, long = (live(barge_in=BargeIn(mode=mode)) for _ in range(2))
    play(short, created("r1"), speech())
    play(long, created("r1"), by_the_long_way(speech()))
    now = 0.0

    for message, later in steps:
        now += later
        assert short.handle(message, now) == long.handle(by_the_long_way(message), now)
