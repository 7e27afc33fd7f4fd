"""The connection may change at any moment, and on the new one everything comes to its end too.

It changes for a voice, because its time is over, or because it is lost: at any moment, several
times in a row, and in the middle of another change.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from realtime_actors import events, messages
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import OFF, SessionModelSettings, TurnDetectionConfig
from realtime_actors.core.contract import Phase
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import AgentResolved
from realtime_actors.server import server_messages
from tests.core import joined
from tests.core.machine import AnyMessage, ask, long_lists, resolve, times

BILLING: Agent = evolve(
    joined.BILLING,
    voice="cedar",
    handoffs=[Handoff(lambda: DESK, tool_name="dance", voice="reconnect")],
)
DESK: Agent = evolve(joined.DESK, voice="marin", handoffs=[Handoff(BILLING, voice="reconnect")])

MOVES = (
    *["server reads"] * 8,
    *["client reads"] * 8,
    *["model"] * 10,
    *["dial"] * 6,
    *["task"] * 6,
    *["time"] * 6,
    *["say"] * 2,
    *["words"] * 2,
    *["turn"] * 2,
    *["decide"] * 2,
    "wish",
    "beside",
    "interrupt",
    "manual",
    "update",
    "report",
    "lose",
    "renew",
)
BEGINNING = (
    ("say", 0),
    ("server reads", 3),
    ("client reads", 7),
    ("model", 0),  # a word
    ("model", 2),  # a sound
    ("client reads", 7),
)


@define(kw_only=True)
class World(joined.World):
    """A world whose agents have voices of their own."""

    def new_client(self) -> Any:
        machine = super().new_client()
        return SessionMachine(evolve(machine.setup, agent=DESK))

    def tell(self, message: AnyMessage) -> None:
        if isinstance(message, AgentResolved):
            message = AgentResolved(resolve(DESK))
        super().tell(message)


worlds = st.fixed_dictionaries(
    {
        "settings": st.builds(
            SessionModelSettings,
            turn_detection=st.sampled_from([None, OFF, TurnDetectionConfig(create_response=False)]),
            input_audio_transcription=st.sampled_from([None, {"model": "gpt-transcribe"}]),
        ),
        "beta": st.booleans(),
        "options": st.fixed_dictionaries(
            {
                "async_tool_calls": st.booleans(),
                "playback_reported": st.booleans(),
                "approval_timeout": st.sampled_from([None, 5.0]),
            }
        ),
    }
)
stories = long_lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 255)), 120)

# To shrink a failing story takes longer than to find it.
pytestmark = pytest.mark.timeout(600)


def handing_over(world: dict[str, Any]) -> World:
    """The model has spoken, and calls the handoff."""
    told = World(**world)
    for move, number in BEGINNING:
        told.happen(move, number)
    for response_id in tuple(told.generations):
        told.serve(
            server_messages.GenerationToolCall(
                response_id=response_id, index=0, name="transfer_to_billing", arguments="{}"
            )
        )
    return told


@times(4)
@given(story=stories, world=worlds)
def test_whatever_happens_everything_comes_to_its_end(story, world) -> None:
    told = handing_over(world)
    for move, number in story:
        told.happen(move, number)

    at_the_end(told)


def at_the_end(told: World) -> None:
    """Everything comes to its end; or the session has, since there was no other connection."""
    told.settle()
    if told.client.phase is Phase.ENDED:
        told.watch.at_the_end()
    else:
        told.check_at_rest()


INTERRUPTED_BEFORE_THE_CHANGE = (
    ("client reads", 0),
    ("model", 13),  # a call that needs approval
    ("client reads", 7),
    ("model", 0),
    ("task", 0),  # it is looked whether it does
    ("turn", 0),  # the user talks over it
    ("dial", 0),
)


@given(world=worlds)
def test_a_call_that_was_interrupted_is_not_run_by_another_connection(world) -> None:
    told = handing_over(world)
    for move, number in INTERRUPTED_BEFORE_THE_CHANGE:
        told.happen(move, number)

    told.settle()  # whoever is asked for approval gives it

    told.check_at_rest()


@given(story=stories, world=worlds)
def test_a_connection_may_be_lost_at_any_moment(story, world) -> None:
    told = handing_over(world)
    for move, number in story:
        told.happen(move, number)

    told.lose()
    at_the_end(told)


@given(story=stories, world=worlds)
def test_a_session_may_end_at_any_moment(story, world) -> None:
    told = handing_over(world)
    for move, number in story:
        told.happen(move, number)

    told.lose()
    told.tell(ask(messages.Close(), "the end"))

    assert told.waiting is None
    told.watch.at_the_end()


@given(world=worlds)
def test_nothing_is_in_the_way_of_a_change(world) -> None:
    told = handing_over(world)

    told.settle()

    assert told.switched == 1  # also when a player that should report never does
    assert len(told.published(events.HandoffEvent)) == 1
    told.check_at_rest()
