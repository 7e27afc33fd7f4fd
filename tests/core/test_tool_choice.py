"""After a handoff the model is not told to call a tool that the new agent hasn't got."""

from __future__ import annotations

import pytest

from realtime_actors import messages
from realtime_actors import protocol as wire
from realtime_actors.config import SessionModelSettings as Settings
from realtime_actors.config import default_session_settings, merge_settings
from realtime_actors.core.machine import SessionMachine
from realtime_actors.core.messages import TimerFired
from realtime_actors.core.settings import ANSWER_WITHIN
from realtime_actors.tools import HostedMcpTool
from tests.core.machine import (
    after,
    agent_with,
    ask,
    called,
    created,
    done,
    handed_over,
    live,
    only,
    play,
    updated,
)

DOCS = HostedMcpTool(server_label="docs", server_url="https://docs.example/mcp")
BARE = agent_with(name="Bare")
SALES = agent_with("offer", name="Sales")
DESK = agent_with("weather", handoffs=[BARE, SALES]).clone(name="Desk")
DESK = DESK.clone(tools=[*DESK.tools, DOCS])

WEATHER = {"type": "function", "name": "weather"}
OFFER = {"type": "function", "name": "offer"}
TO_SALES = {"type": "function", "name": "transfer_to_sales"}
ANY_OF_DOCS = {"type": "mcp", "server_label": "docs"}


def at_the_desk(choice, *, tools=None) -> SessionMachine:
    chosen = Settings(tool_choice=choice, tools=tools)
    return live(DESK, settings=merge_settings(default_session_settings("ga"), chosen))


def told(effects) -> list[object]:
    """What each update says of the choice; None where it says nothing."""
    return [update.session.tool_choice for update in only(wire.SessionUpdate, effects)]


def hand_over(machine: SessionMachine, to, call_id: str = "c1"):
    """Pass the conversation on, up to the update."""
    name = f"transfer_to_{to.name.lower()}"
    response_id = f"r_{call_id}"
    return play(
        machine,
        created(response_id),
        called(call_id, name, response_id=response_id),
        done(response_id),
        handed_over(to, call_id),
    )


@pytest.mark.parametrize(
    ("choice", "to", "expected"),
    [
        (WEATHER, SALES, "auto"),
        (WEATHER, BARE, "auto"),
        (TO_SALES, SALES, "auto"),
        (ANY_OF_DOCS, SALES, "auto"),
        ("required", BARE, "auto"),
        ("required", SALES, None),
        (OFFER, SALES, None),
        ("auto", BARE, None),
        ("none", BARE, None),
        (None, BARE, None),
    ],
)
def test_a_choice_that_the_new_agent_cannot_make_becomes_auto(choice, to, expected) -> None:
    assert told(hand_over(at_the_desk(choice), to)) == [expected]


def test_a_tool_of_the_run_may_still_be_chosen() -> None:
    machine = at_the_desk(WEATHER, tools=[{"type": "function", "name": "weather"}])

    assert told(hand_over(machine, BARE)) == [None]


def test_back_with_the_agent_that_has_the_tool_it_is_chosen_again() -> None:
    sales = SALES.clone(handoffs=[DESK])
    machine = at_the_desk(WEATHER)
    hand_over(machine, sales)
    after(machine, updated())

    assert told(hand_over(machine, DESK, "c2")) == [WEATHER]


def test_a_choice_made_on_the_way_counts_for_the_agent_that_can_make_it() -> None:
    machine = at_the_desk(None)
    after(machine, ask(messages.UpdateSession({"tool_choice": OFFER})), updated())

    assert told(hand_over(machine, SALES)) == [None]


def test_what_a_silent_server_may_have_taken_is_put_back() -> None:
    machine = at_the_desk(WEATHER)
    (update,) = only(wire.SessionUpdate, hand_over(machine, SALES))

    effects = machine.handle(TimerFired(("update", update.event_id)), ANSWER_WITHIN)

    assert told(effects) == [WEATHER]
