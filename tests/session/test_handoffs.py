"""Passing the conversation on: voices, and agents that pass it to and fro."""

from __future__ import annotations

import pytest

import realtime_actors as ra
from realtime_actors import messages
from realtime_actors.errors import LocalProtocolError
from realtime_actors.events import AgentEndEvent, AudioEvent, ErrorEvent, HandoffEvent, ToolEndEvent
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import audio_delta, call_item, item_done, response_created, response_done


def test_an_agent_with_another_voice_cannot_take_over_once_the_model_has_spoken():
    billing = ra.agent(name="Billing", voice="cedar")
    desk = ra.agent(name="Desk", voice="marin", handoffs=[billing])
    script = ScriptedTransport(strict=False)
    with ra.run(desk, transport=script, model_config={"url": "ws://127.0.0.1:1/"}) as session:
        probe = Probe(session)
        assert script.sent[0]["session"]["audio"]["output"]["voice"] == "marin"
        script.emit(response_created(), audio_delta())
        script.emit(item_done(call_item("transfer_to_billing")), response_done())

        assert "voice is 'cedar'" in probe.wait_for(ToolEndEvent).output
        assert "cannot change" in script.wait_for("conversation.item.create")["item"]["output"]
        script.wait_for("response.create")
        assert session.current_agent() == desk


def test_voices_and_handoffs_on_a_real_connection():
    replies: list[Reply] = [
        "Good day.",
        Call("transfer_to_billing"),
        "Billing can't come.",
        Call("transfer_to_bar"),
    ]
    billing = ra.agent(name="Billing", voice="cedar")
    bar = ra.agent(name="Bar", voice="marin")
    desk = ra.agent(name="Desk", voice="marin", handoffs=[billing, bar])
    with (
        RealtimeServer.scripted([*replies, "Cheers."]) as server,
        ra.run(desk, model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        session.create_response()
        probe.wait_for(AudioEvent)
        probe.wait_for(AgentEndEvent)
        session.send_message("My bill, please.")
        assert "cedar" in (probe.wait_for(ToolEndEvent).error or "")
        probe.wait_for(AgentEndEvent, lambda event: event.final)
        session.send_message("A drink, then.")

        assert probe.wait_for(HandoffEvent).to_agent == bar
        assert probe.wait_for(AgentEndEvent, lambda event: event.final).agent == bar
        assert probe.all(ErrorEvent) == []


@pytest.mark.parametrize("form", ["function", "method", "message", "proxy"])
def test_the_program_may_hand_over_by_itself(form):
    billing = ra.agent(name="Billing", instructions="You are Billing.")
    with (
        RealtimeServer.scripted(["Good day.", "Billing here."]) as server,
        ra.run(ra.agent(name="Desk"), model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        match form:
            case "function":
                ra.hand_off(session, billing)
            case "method":
                session.hand_off(billing)
            case "message":
                session.ask(messages.HandOff(billing))
            case "proxy":
                session.proxy().hand_off(billing).get()
        assert probe.wait_for(HandoffEvent).to_agent == billing
        assert session.current_agent() == billing
        session.create_response()

        assert probe.wait_for(AgentEndEvent).agent == billing
        assert probe.all(ErrorEvent) == []


def test_the_program_may_change_the_voice_in_the_middle():
    cedar = ra.agent(name="Cedar", voice="cedar")
    with (
        RealtimeServer.scripted(["Good day.", "Cedar here."]) as server,
        ra.run(ra.agent(name="Marin", voice="marin"), model_config={"url": server.url}) as session,
    ):
        probe = Probe(session)
        session.create_response()
        probe.wait_for(AgentEndEvent)
        with pytest.raises(LocalProtocolError, match="its voice is 'cedar'"):
            session.hand_off(cedar)

        session.hand_off(ra.Handoff(cedar, voice="reconnect"))

        assert session.current_agent() == cedar
        assert session.transcript() == "Assistant: Good day."


def test_a_handoff_of_the_program_that_fails_is_raised_or_reported():
    def no_file(context: object) -> str:
        raise FileNotFoundError("instructions.txt")

    lost = ra.agent(name="Lost", instructions=no_file)
    desk = ra.agent(name="Desk")
    script = ScriptedTransport(strict=False)
    with ra.run(desk, transport=script) as session:
        probe = Probe(session)
        with pytest.raises(ra.ConfigError, match=r"the handoff failed: instructions\.txt"):
            session.hand_off(lost)
        session.tell(messages.HandOff(lost))
        assert "instructions.txt" in probe.wait_for(ErrorEvent).error.message
        session.proxy().hand_off(lost).get()  # which can't wait for it
        assert "instructions.txt" in probe.wait_for(ErrorEvent).error.message
        assert session.current_agent() == desk


def test_agents_that_keep_passing_the_conversation_on_are_stopped():
    there = ra.agent(name="There", handoffs=[ra.Handoff(lambda: here, tool_name="to_here")])
    here = ra.agent(name="Here", handoffs=[ra.Handoff(there, tool_name="to_there")])
    passing: list[Reply] = [
        Call("to_there"),
        Call("to_here"),
        Call("to_there"),
        "I will do it myself.",
    ]
    with (
        RealtimeServer.scripted(passing) as server,
        ra.run(
            here, model_config={"url": server.url}, config={"max_handoffs_per_turn": 2}
        ) as session,
    ):
        probe = Probe(session)
        session.send_message("Who can help me?")

        assert probe.wait_for(ErrorEvent).error.type == "too_many_handoffs"
        assert probe.wait_for(AgentEndEvent, lambda event: event.final).agent == here
        assert len(probe.all(HandoffEvent)) == 2
