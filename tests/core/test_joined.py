"""The core against a server that keeps the protocol: any order, any delay, any wish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import messages
from realtime_actors.config import OFF, BargeIn, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.effects import Refuse
from tests.core.joined import NO_NAMES, World
from tests.core.machine import ask, long_lists, times

MOVES = (
    *["server reads"] * 8,
    *["client reads"] * 8,
    *["model"] * 16,
    *["task"] * 4,
    *["time"] * 3,
    *["say"] * 2,
    *["words"] * 2,
    *["turn"] * 2,
    *["microphone"] * 2,
    *["decide"] * 2,
    "wish",
    "beside",
    "protected",
    "interrupt",
    "hand over",
    "manual",
    "update",
    "report",
)
stories = long_lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 255)), 200)
turn_detection = st.sampled_from(
    [
        None,
        OFF,
        TurnDetectionConfig(interrupt_response=False),
        TurnDetectionConfig(create_response=False),
    ]
)
worlds = st.fixed_dictionaries(
    {
        "settings": st.builds(
            SessionModelSettings,
            turn_detection=turn_detection,
            input_audio_transcription=st.sampled_from([None, {"model": "gpt-transcribe"}]),
        ),
        "beta": st.booleans(),
        "by_ear": st.booleans(),
        "options": st.fixed_dictionaries(
            {
                "async_tool_calls": st.booleans(),
                "playback_reported": st.booleans(),
                "approval_timeout": st.sampled_from([None, 5.0]),
                "stall_timeout": st.sampled_from([None, 3.0]),
                "input_guardrails": st.sampled_from([(), (NO_NAMES,)]),
                "barge_in": st.sampled_from(
                    [BargeIn(mode=mode) for mode in ("full", "gated", "half_duplex", "off")]
                ),
            }
        ),
    }
)


# To shrink a failing story takes longer than to find it.
pytestmark = pytest.mark.timeout(600)


def told(story: list[tuple[str, int]], world: World) -> World:
    for move, number in story:
        world.happen(move, number)
    return world


@times(4)
@given(story=stories, world=worlds)
def test_whatever_happens_everything_comes_to_its_end(story, world) -> None:
    joined = told(story, World(**world))

    joined.settle()

    joined.check_at_rest()


@given(story=stories, world=worlds)
def test_a_connection_may_be_lost_at_any_moment(story, world) -> None:
    joined = told(story, World(**world))

    joined.lose_connection()
    joined.tell(ask(messages.Close(), "the end"))

    joined.watch.at_the_end()


@given(story=stories, world=worlds)
def test_what_was_recorded_can_be_replayed(story, world) -> None:
    joined = told(story, World(**world))

    again = joined.new_client()
    effects = [effect for now, message in joined.trace for effect in again.handle(message, now)]

    assert _comparable(effects) == _comparable(joined.told)


def _comparable(effects) -> list[object]:
    """Two exceptions are never equal."""
    return [
        (effect.caller, str(effect.error)) if isinstance(effect, Refuse) else effect
        for effect in effects
    ]
