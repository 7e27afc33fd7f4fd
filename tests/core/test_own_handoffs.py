"""The program hands the conversation over by itself: no call of the model has asked for it."""

from __future__ import annotations

import pytest

from realtime_actors import events, messages
from realtime_actors import protocol as wire
from realtime_actors.agent import Agent, Handoff
from realtime_actors.config import SessionModelSettings
from realtime_actors.core.agents.handoffs import RESOLVE_WITHIN, handoff_timer
from realtime_actors.core.effects import (
    Answer,
    CallHook,
    CancelTimer,
    CancelTool,
    OpenStandby,
    Refuse,
    RunHandoff,
    Send,
    SetTimer,
)
from realtime_actors.core.messages import ConnectionLost, TimerFired
from realtime_actors.core.settings import ANSWER_WITHIN
from realtime_actors.errors import (
    ConfigError,
    ConnectionLostError,
    LocalProtocolError,
    SessionUpdateError,
)
from realtime_actors.hooks import AgentHooks
from tests.core.machine import (
    added,
    after,
    agent_with,
    ask,
    called,
    created,
    creates,
    done,
    finished,
    handed_over,
    interrupt,
    live,
    only,
    play,
    refusal,
    refused,
    resolve,
    say,
    sent,
    sent_types,
    speech,
    texts,
    updated,
    written,
)

BILLING = agent_with("refund", name="Billing")
SALES = agent_with(name="Sales")
DESK = agent_with("weather", handoffs=[BILLING])
MARIN = Agent(name="Marin", voice="marin")
CEDAR = Agent(name="Cedar", voice="cedar")
ID = "ra_2"
"""Of the handoff: of us, since no call has one."""


def hand_off(agent: Agent | Handoff = BILLING, caller: object = "caller"):
    return ask(messages.HandOff(agent), caller)


def asked(agent: Agent | Handoff = BILLING, *, desk: Agent = DESK, **options):
    return after(live(desk, **options), hand_off(agent))


def resolved(agent: Agent = BILLING, **found):
    return handed_over(agent, ID, **found)


def test_the_agent_is_looked_up_in_a_task() -> None:
    machine = after(live(DESK), added(written("u1", "My bill is wrong")))

    assert machine.handle(hand_off(), now=0.0) == [
        RunHandoff(
            call_id=ID,
            handoff=Handoff(BILLING),
            arguments="{}",
            agent=DESK,
            by_model=False,
            history=machine.history,
        ),
        SetTimer(handoff_timer(ID), RESOLVE_WITHIN),
    ]


def test_the_server_is_told_what_differs_and_then_the_caller_has_its_answer() -> None:
    machine = asked()

    assert machine.handle(resolved(), now=0.0) == [
        CancelTimer(handoff_timer(ID)),
        Send(
            wire.SessionUpdate(
                event_id="ra_3",
                session=SessionModelSettings(
                    instructions="You are Billing.", tools=resolve(BILLING).definitions
                ),
            )
        ),
        SetTimer(("update", "ra_3"), ANSWER_WITHIN),
    ]
    effects = machine.handle(updated(), now=0.0)
    assert [each for each in effects if isinstance(each, Answer | Refuse)] == [Answer("caller")]
    assert only(events.HandoffEvent, effects) == [
        events.HandoffEvent(from_agent=DESK, to_agent=BILLING)
    ]
    assert sent(effects) == []  # neither an output, nor a wish for a response
    assert machine.current_agent == BILLING


def test_no_response_is_asked_for_before_the_new_agent_is_there() -> None:
    machine = after(asked(), resolved())

    assert sent_types(machine.handle(say(), now=0.0)) == ["conversation.item.create"]
    assert creates(machine.handle(updated(), now=0.0)) == 1


def test_when_the_server_refuses_the_old_agent_goes_on() -> None:
    machine = after(asked(), resolved())

    effects = machine.handle(refused(event_id="ra_3", message="bad tools"), now=0.0)

    error = refusal(effects)
    assert isinstance(error, SessionUpdateError)
    assert str(error) == "the transfer to Billing failed: bad tools"
    assert machine.current_agent == DESK
    assert creates(machine.handle(say(), now=0.0)) == 1


def test_when_the_server_does_not_answer_what_it_may_have_taken_is_put_back() -> None:
    machine = after(asked(), resolved())

    effects = machine.handle(TimerFired(("update", "ra_3")), now=ANSWER_WITHIN)

    assert str(refusal(effects)) == "the transfer to Billing failed: the server did not answer"
    assert sent_types(effects) == ["session.update"]
    assert machine.current_agent == DESK


def test_an_agent_that_cannot_be_set_up_is_an_error_of_the_caller() -> None:
    effects = asked().handle(finished(ID, "Error: told", "Error: no such file"), now=0.0)

    assert isinstance(refusal(effects), ConfigError)
    assert str(refusal(effects)) == "the handoff failed: no such file"
    assert CancelTimer(handoff_timer(ID)) in effects


def test_an_agent_that_is_not_there_in_time_never_comes() -> None:
    machine = asked()

    effects = machine.handle(TimerFired(handoff_timer(ID)), now=RESOLVE_WITHIN)

    assert CancelTool(ID) in effects
    assert str(refusal(effects)) == "the agent was not set up within 10 s"
    assert machine.handle(resolved(), now=11.0) == []
    assert machine.handle(TimerFired(handoff_timer(ID)), now=12.0) == []


def test_of_two_handoffs_at_once_the_second_is_refused() -> None:
    machine = after(live(DESK), hand_off(caller="one"), hand_off(SALES, caller="other"))
    after(machine, resolved(BILLING))

    effects = machine.handle(handed_over(SALES, "ra_3"), now=0.0)

    (refusing,) = only(Refuse, effects)
    assert (refusing.caller, type(refusing.error)) == ("other", LocalProtocolError)
    assert str(refusing.error) == "the conversation was already handed to Billing"
    assert only(Answer, machine.handle(updated(), now=0.0)) == [Answer("one")]


def test_a_handoff_of_the_model_that_was_under_way_fails() -> None:
    machine = after(live(DESK), created("r1"), called("c1", "transfer_to_billing"))
    after(machine, hand_off(SALES), handed_over(SALES, "ra_2"), updated())

    effects = machine.handle(handed_over(BILLING, "c1"), now=0.0)

    why = "Error: the conversation was already handed to Sales"
    assert [event.error for event in only(events.ToolEndEvent, effects)] == [why]
    assert machine.current_agent == SALES


def test_it_does_not_count_as_one_of_the_model_s() -> None:
    machine = live(DESK, max_handoffs_per_turn=1)
    after(machine, hand_off(DESK), handed_over(DESK, ID), updated(), created("r1"))

    effects = machine.handle(called("c1", "transfer_to_billing"), now=0.0)

    assert len(only(RunHandoff, effects)) == 1


def test_a_filter_decides_what_the_agent_knows() -> None:
    filtered = Handoff(BILLING, input_filter=lambda history: history[1:])
    machine = after(
        live(DESK), added(written("u1", "Hi")), added(written("u2", "My bill")), hand_off(filtered)
    )
    (run,) = only(RunHandoff, play(machine, hand_off(filtered, caller="late")))
    assert [item.id for item in run.history] == ["u1", "u2"]
    after(machine, resolved(history=machine.history[1:]))

    effects = machine.handle(updated(), now=0.0)

    assert [event.item_id for event in only(wire.ConversationItemDelete, effects)] == ["u1"]
    after(machine, wire.ConversationItemDeleted(item_id="u1"))
    assert texts(machine) == [("u2", "My bill")]


class TestVoices:
    def test_another_voice_is_refused_once_the_model_has_spoken(self) -> None:
        machine = after(asked(CEDAR, desk=MARIN), created("r1"), speech(ms=100), done("r1"))

        effects = machine.handle(resolved(CEDAR), now=0.0)

        assert isinstance(refusal(effects), LocalProtocolError)
        assert "its voice is 'cedar'" in str(refusal(effects))
        assert sent(effects) == []

    def test_a_handoff_that_reconnects_gets_a_connection(self) -> None:
        reconnecting = Handoff(CEDAR, voice="reconnect")
        machine = after(asked(reconnecting, desk=MARIN), created("r1"), speech(ms=100))
        after(machine, interrupt(), done("r1", "cancelled"))

        (other,) = only(OpenStandby, machine.handle(resolved(CEDAR), now=1.0))

        assert other.attempt == 1
        assert machine.handle(say("Wait."), now=1.0) != []
        assert only(Refuse, machine.handle(updated(), now=1.0)) == []  # it is still under way


def test_who_waits_when_the_connection_is_lost_for_good_is_told() -> None:
    for trace in ((), (resolved(),)):
        machine = after(asked(), *trace)

        effects = machine.handle(ConnectionLost(code=1000, reason="gone"), now=0.0)

        assert isinstance(refusal(effects), ConnectionLostError)
        assert CancelTool(ID) in effects
        assert machine.handle(resolved(), now=0.0) == []


@pytest.mark.parametrize("what", [None, "Billing", Agent])
def test_what_is_no_agent_is_refused(what) -> None:
    effects = live(DESK).handle(ask(messages.HandOff(what)), now=0.0)

    assert str(refusal(effects)).startswith("hand_off takes an agent or a Handoff, not ")


def test_a_session_that_only_listens_has_nobody_to_hand_over_to() -> None:
    effects = live(DESK, session_type="transcription").handle(hand_off(), now=0.0)

    assert isinstance(refusal(effects), ConfigError)


def test_hooks_of_the_new_agent_are_told() -> None:
    watched = SALES.clone(hooks=AgentHooks())

    effects = play(asked(watched), resolved(watched), updated())

    assert only(CallHook, effects) == [CallHook(watched, "on_handoff", (DESK,))]
