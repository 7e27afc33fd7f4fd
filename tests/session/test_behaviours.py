"""What every session does, told with a scripted server.

The numbers are those of the behaviours that the Elixir original's tests assert.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

import realtime_actors as ra
from realtime_actors import messages
from realtime_actors.events import (
    AgentEndEvent,
    AgentStartEvent,
    AudioEvent,
    ConnectionEvent,
    ErrorEvent,
    HandoffEvent,
    HistoryAddedEvent,
    HistoryUpdatedEvent,
    InputTranscriptEvent,
    RawModelEvent,
    ToolEndEvent,
    ToolStartEvent,
    UsageEvent,
)
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.wire import (
    audio_delta,
    call_done,
    call_item,
    error,
    item_added,
    item_done,
    response_created,
    response_done,
)


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


ANYWHERE = {"url": "ws://127.0.0.1:1/"}


def run(script: ScriptedTransport, **options: Any) -> ra.Session:
    agent = ra.agent(**{"name": "Assistant", **options})
    return ra.run(agent, transport=script, model_config=ANYWHERE)


def test_a_session_starts_on_a_transport_of_the_callers(script):  # S01
    with run(script) as session:
        assert session.is_alive()
        assert isinstance(session, pykka.ActorRef)
        assert script.sent_types == ["session.update"]


def test_the_context_reaches_instructions_tools_and_events(script):  # S02, S64
    seen = []

    @ra.tool
    def whoami(context: ra.ToolContext) -> str:
        seen.append(context.context)
        return "you"

    agent = ra.agent(instructions=lambda context: f"Talk to {context['name']}.", tools=[whoami])
    context = {"name": "Ada"}
    with ra.run(
        agent, transport=script, context=context, model_config={"url": "ws://127.0.0.1:1/"}
    ) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("whoami"))
        ended = probe.wait_for(ToolEndEvent)

    assert script.sent[0]["session"]["instructions"] == "Talk to Ada."
    assert seen == [context]
    assert ended.info.context == context


def test_close_ends_the_session_and_shuts_the_transport(script):  # S05
    session = run(script)
    stream = session.events()

    ra.close(session)
    ra.close(session)

    assert not session.is_alive()
    assert not script.connected
    assert [event.state for event in stream if isinstance(event, ConnectionEvent)] == ["closed"]


def test_a_response_is_told_from_its_start_to_its_end(script):  # S08, S10, S35
    with run(script) as session:
        probe = Probe(session)
        script.emit(response_created(), audio_delta("i7"), response_done())

        assert probe.wait_for(AgentStartEvent).agent.name == "Assistant"
        audio = probe.wait_for(AudioEvent)
        assert (audio.item_id, audio.audio.data) == ("i7", bytes(960))
        end = probe.wait_for(AgentEndEvent)
        assert (end.status, end.final) == ("completed", True)


def test_who_unsubscribed_hears_nothing_more(script):  # S11, S14
    with run(script) as session:
        gone, there = queue.SimpleQueue[Any](), Probe(session)
        session.subscribe(gone)
        session.unsubscribe(gone)
        session.unsubscribe(gone)
        script.emit(response_created())
        there.wait_for(AgentStartEvent)

        assert gone.empty()


def test_subscribing_twice_doubles_nothing(script):  # S12
    with run(script) as session:
        once, there = queue.SimpleQueue[Any](), Probe(session)
        session.subscribe(once)
        session.subscribe(once)
        script.emit(response_created())
        there.wait_for(AgentStartEvent)

        assert once.qsize() == 1
        session.unsubscribe(once)
        script.emit(response_done())
        there.wait_for(AgentEndEvent)
        assert once.qsize() == 1


def test_a_subscriber_is_an_actor_or_anything_with_put(script):  # S17
    received: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Subscriber(pykka.ThreadingActor):
        def on_receive(self, message):
            received.put(message)

    actor = Subscriber.start()
    try:
        with run(script) as session:
            session.subscribe(actor)
            script.emit(response_created())

            message = received.get(timeout=5)
            assert isinstance(message, messages.SessionEvent)
            assert message.session is session
            assert message.event.response_id == "r1"
            with pytest.raises(ra.ConfigError, match="cannot receive"):
                session.subscribe(object())
    finally:
        actor.stop()


def test_a_subscriber_that_dies_or_raises_disturbs_nobody(script):  # S15
    class Angry:
        calls = 0

        def put(self, message):
            self.calls += 1
            raise RuntimeError("leave me alone")

    class Mortal(pykka.ThreadingActor):
        def on_receive(self, message):
            pass

    mortal, angry, full = Mortal.start(), Angry(), queue.Queue[Any](1)
    with run(script) as session:
        for subscriber in (mortal, angry, full):
            session.subscribe(subscriber)
        probe = Probe(session)
        mortal.stop()
        for number in range(3):
            script.emit(response_created(f"r{number}"), response_done(f"r{number}"))
        for _ in range(3):
            probe.wait_for(AgentEndEvent)

        assert angry.calls == 1
        assert session.dropped(full) == 5


def test_only_the_wanted_events_are_handed_over(script):
    with run(script) as session:
        some, every = Probe(session, only=(AgentEndEvent,)), Probe(session, raw=True)
        script.emit(response_created(), audio_delta(), response_done())
        some.wait_for(AgentEndEvent)

        assert [type(each) for each in some.events] == [AgentEndEvent]
        assert [each.event.type for each in every.all(RawModelEvent)] == [
            "response.created",
            "response.output_audio.delta",
            "response.done",
        ]


def test_audio_goes_out_as_it_is_committed_on_request(script):  # S18, S19
    with run(script) as session:
        session.send_audio(b"\1\0" * 480)
        session.ask(messages.SendAudio(b"\2\0" * 480, commit=True))

        kinds = [each["type"] for each in script.sent[1:]]
        assert kinds == [
            "input_audio_buffer.append",
            "input_audio_buffer.append",
            "input_audio_buffer.commit",
        ]


@pytest.mark.parametrize("audio", [b"", b"\0", "text", None])
def test_audio_that_is_none_is_refused(script, audio):
    with run(script) as session:
        with pytest.raises(ra.AudioFormatError):
            session.send_audio(audio)
        assert script.sent_types == ["session.update"]


def test_a_message_is_an_item_and_then_a_response(script):  # S20
    with run(script) as session:
        session.send_message("Hello!")

        item, response = script.sent[1:]
        assert item["type"] == "conversation.item.create"
        assert item["item"]["content"] == [{"type": "input_text", "text": "Hello!"}]
        assert response["type"] == "response.create"


def test_a_second_message_waits_for_its_response(script):  # S30, S31
    with run(script) as session:
        probe = Probe(session)
        session.send_message("one")
        script.emit(response_created())
        probe.wait_for(AgentStartEvent)
        session.send_message("two")
        assert script.sent_types.count("response.create") == 1
        assert script.sent_types.count("conversation.item.create") == 2

        script.emit(response_done())

        assert not probe.wait_for(AgentEndEvent).final
        script.wait_for("response.create", count=2)


def test_interrupting_stops_the_response_that_speaks(script):  # S22
    with run(script) as session:
        probe = Probe(session)
        session.interrupt()
        script.emit(response_created(), audio_delta(ms=500))
        probe.wait_for(AudioEvent)
        session.interrupt()

        assert script.wait_for("response.cancel")["response_id"] == "r1"
        assert script.sent_types.count("response.cancel") == 1


def test_a_raw_event_goes_out_as_it_is(script):  # S25
    with run(script) as session:
        session.send_raw_event({"type": "acme.shout", "loudness": 11})

        assert script.sent[-1] == {"type": "acme.shout", "loudness": 11}
        with pytest.raises(ra.ConfigError, match="'type'"):
            session.send_raw_event({"loudness": 11})


def test_settings_can_be_changed(script):  # S26
    with run(script) as session:
        session.update_session({"voice": "marin"})

        assert script.sent[-1]["session"]["audio"]["output"]["voice"] == "marin"
        with pytest.raises(ra.ConfigError, match=r"voise.*voice"):
            session.update_session({"voise": "marin"})


def test_a_refused_update_raises_and_changes_nothing():
    script = ScriptedTransport(handshake=False)
    script.expect("session.update", answer=[{"type": "session.updated", "session": {}}])
    with script, run(script) as session:
        probe = Probe(session)
        script.expect(
            "session.update", answer=[error("invalid_value", param="session.audio.output.speed")]
        )

        with pytest.raises(ra.SessionUpdateError) as refused:
            session.update_session({"speed": 1.5})

        assert refused.value.code == "invalid_value"
        assert probe.wait_for(ErrorEvent).recoverable


def test_what_is_sent_to_a_session_that_has_lost_its_connection_raises(script):  # S28, S37
    agent = ra.agent(name="Assistant")
    config = {"reconnect": None}
    with ra.run(agent, config=config, transport=script, model_config=ANYWHERE) as session:
        stream = session.events()
        script.drop()
        with pytest.raises(ra.ConnectionLostError):
            list(stream)

        with pytest.raises(ra.SessionClosedError, match="the connection was lost"):
            session.send_message("Hello?")
        with pytest.raises(ra.SessionClosedError, match="the connection was lost"):
            session.send_audio(bytes(960))
        assert session.history() == ()


def test_history_grows_item_by_item(script):  # S38, S39, S41, S44
    with run(script) as session:
        probe = Probe(session)
        assert session.history() == ()
        assert session.current_agent().name == "Assistant"

        script.emit(item_added("u1", "user", {"type": "input_text", "text": "Hi"}))

        added = probe.wait_for(HistoryAddedEvent)
        assert session.history() == (added.item,)
        script.emit({"type": "conversation.item.deleted", "item_id": "u1"})
        assert probe.wait_for(HistoryUpdatedEvent).change == "deleted"
        assert session.history() == ()


def test_the_users_words_come_into_the_history_and_as_an_event(script):  # S43
    with run(script) as session:
        probe = Probe(session)
        script.emit(item_added("u1", "user", {"type": "input_audio"}))
        script.emit(
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u1",
                "content_index": 0,
                "transcript": "What's the weather?",
            }
        )

        assert probe.wait_for(InputTranscriptEvent).text == "What's the weather?"
        probe.wait_for(HistoryUpdatedEvent)
        assert session.history()[0].content[0].transcript == "What's the weather?"


@ra.tool
def weather(city: str) -> str:
    """Tell the weather. Args: city: name of the city."""
    return f"Sunny in {city}"


def test_a_tool_is_run_and_answered_and_a_response_asked_for(script):  # S45, S54
    with run(script, tools=[weather]) as session:
        probe = Probe(session)
        call = call_item("weather", '{"city": "Rome"}')
        script.emit(response_created(), call_done("weather", '{"city": "Rome"}'))

        assert probe.wait_for(ToolStartEvent).tool is weather
        ended = probe.wait_for(ToolEndEvent)
        assert (ended.output, ended.error) == ("Sunny in Rome", None)
        output = script.wait_for("conversation.item.create")["item"]
        assert (output["type"], output["call_id"]) == ("function_call_output", "call1")
        script.emit(response_done("r1", "completed", call))
        script.wait_for("response.create")
        assert len(probe.all(ToolStartEvent)) == 1


def test_an_unknown_tool_is_answered_too(script):  # S46, S47
    with run(script) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("dance"))

        assert probe.wait_for(ToolStartEvent).tool is None
        assert probe.wait_for(ToolEndEvent).output == "Error: Unknown tool dance"


def test_a_slow_tool_holds_up_nothing(script):  # S48
    let_go = threading.Event()

    @ra.tool
    def slow() -> str:
        let_go.wait(10)
        return "done"

    with run(script, tools=[slow]) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("slow"), audio_delta())
        probe.wait_for(AudioEvent)
        assert session.current_agent().name == "Assistant"
        let_go.set()
        probe.wait_for(ToolEndEvent)


def test_a_tool_that_dies_in_an_odd_way_is_answered(script):  # S50
    @ra.tool
    def odd() -> str:
        raise SystemExit(3)

    with run(script, tools=[odd]) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("odd"))

        ended = probe.wait_for(ToolEndEvent)
        assert ended.output.startswith("Error: Tool execution failed - ")
        assert session.is_alive()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("{", "Error: Invalid JSON arguments"), ('{"town": "Rome"}', "Error: Wrong arguments")],
)
def test_arguments_that_dont_fit_never_reach_the_tool(script, arguments, said):  # S51
    with run(script, tools=[weather]) as session:
        probe = Probe(session)
        whole = item_done(call_item("weather", arguments))
        script.emit(response_created(), call_done("weather", arguments), whole)

        assert probe.wait_for(ToolEndEvent).output.startswith(said)


def test_handmade_tools_take_one_argument_or_two(script):  # S52
    one = ra.Tool(name="one", invoke=lambda arguments: "1")
    two = ra.Tool(name="two", invoke=lambda arguments, context: context.call_id)
    with run(script, tools=[one, two]) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("one"), call_done("two", call_id="call2"))

        ends = [probe.wait_for(ToolEndEvent), probe.wait_for(ToolEndEvent)]
        assert {each.output for each in ends} == {"1", "call2"}


def test_a_handoff_switches_agents_wholly(script):  # S57, S58
    billing = ra.agent(name="Billing Desk", instructions="Talk about money.")
    with run(script, handoffs=[billing]) as session:
        probe = Probe(session)
        tools = script.sent[0]["session"]["tools"]
        assert [each["name"] for each in tools] == ["transfer_to_billing_desk"]
        script.emit(response_created(), call_done("transfer_to_billing_desk"))

        probe.wait_for(ToolStartEvent)
        handoff = probe.wait_for(HandoffEvent)
        assert (handoff.from_agent.name, handoff.to_agent) == ("Assistant", billing)
        assert "Billing Desk" in probe.wait_for(ToolEndEvent).output
        assert session.current_agent() == billing
        changed = script.sent[1]["session"]
        assert changed == {"type": "realtime", "instructions": "Talk about money.", "tools": []}
        script.emit(response_done())
        script.wait_for("response.create")


def test_a_handoff_to_nothing_leaves_the_agent_as_it_is(script):  # S60
    nowhere = ra.Handoff(tool_name="leave", on_invoke_handoff=lambda context: None)
    with run(script, handoffs=[nowhere]) as session:
        probe = Probe(session)
        script.emit(response_created(), call_done("leave"))

        assert probe.wait_for(ToolEndEvent).output.startswith("Error: ")
        assert session.current_agent().name == "Assistant"


def test_the_first_update_has_the_whole_configuration(script):  # S57, S64, S66
    with run(script, instructions="Be brief.", tools=[weather]):
        sent = script.sent[0]["session"]

    assert sent["type"] == "realtime"
    assert sent["instructions"] == "Be brief."
    assert sent["output_modalities"] == ["audio"]
    assert sent["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert sent["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert [each["name"] for each in sent["tools"]] == ["weather"]


def test_an_error_of_the_server_reaches_the_subscribers(script):  # S70
    with run(script) as session:
        probe = Probe(session)
        script.emit(error("response_cancel_not_active", "nothing to cancel"))

        event = probe.wait_for(ErrorEvent)
        assert (event.error.code, event.recoverable) == ("response_cancel_not_active", True)
        assert session.is_alive()


def test_a_failed_response_says_why(script):  # S71
    with run(script) as session:
        probe = Probe(session)
        details = {"type": "failed", "error": {"type": "server_error", "code": "rate_limit"}}
        usage = {"total_tokens": 5, "input_tokens": 3, "output_tokens": 2}
        failed = response_done("r1", "failed", status_details=details, usage=usage)
        script.emit(response_created(), failed)

        assert probe.wait_for(UsageEvent).usage.total_tokens == 5
        event = probe.wait_for(ErrorEvent)
        assert (event.error.code, event.response_id) == ("rate_limit", "r1")
        assert event.source == "response.done"
        assert probe.wait_for(AgentEndEvent).reason == "rate_limit"


@pytest.mark.parametrize(
    "said",
    [{"type": "acme.news", "text": "hello"}, "{not json", "[]", '{"no": "type"}', b"\xff\xfe"],
)
def test_what_is_no_event_that_we_know_harms_nobody(script, said):  # S74, S75
    with run(script) as session:
        probe = Probe(session)
        script.emit(said, response_created())

        probe.wait_for(AgentStartEvent)
        assert isinstance(probe.events[0], RawModelEvent | ErrorEvent)
        session.tell("what is this?")
        assert session.is_alive()


def test_a_fatal_error_ends_the_session_for_everyone(script):
    with run(script) as session:
        probe = Probe(session)
        script.emit(error("insufficient_quota", "pay first"))

        assert not probe.wait_for(ErrorEvent).recoverable
        assert probe.wait_for(ConnectionEvent).state == "closed"
        with pytest.raises(ra.SessionClosedError):
            session.send_message("Hello?")


def test_verbs_after_the_end_say_that_it_is_over(script):
    session = run(script)
    session.close()

    for verb in (
        session.interrupt,
        lambda: session.send_message("Hi"),
        lambda: session.send_audio(bytes(960)),
    ):
        with pytest.raises(ra.SessionClosedError):
            verb()
    session.tell(messages.Interrupt())


def test_a_session_is_a_pykka_actor_ref(script):
    with run(script) as session:
        assert session in pykka.ActorRegistry.get_all()
        assert session.ask(messages.History()) == ()
        assert session.ask(messages.CurrentAgent(), block=False).get(timeout=5).name == "Assistant"
        assert session.stop()
        assert not session.is_alive()


def test_a_proxy_shows_the_verbs(script):
    with run(script) as session:
        proxy = session.proxy()
        proxy.send_message("Hi!").get(timeout=5)

        assert proxy.history().get(timeout=5) == ()
        assert proxy.current_agent().get(timeout=5).name == "Assistant"
        assert script.sent_types[1:] == ["conversation.item.create", "response.create"]
        with pytest.raises(ra.ConfigError):
            proxy.send_raw_event({}).get(timeout=5)
        proxy.close().get(timeout=5)
        with pytest.raises(ra.SessionClosedError):
            session.ask(messages.Interrupt())
        with pytest.raises(pykka.ActorDeadError):
            session.ask(messages.Interrupt())


def test_a_scripted_session_needs_no_key(script, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ra.run(ra.agent(), transport=script) as session:
        assert session.connected


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.send_message(5),
        lambda session: session.send_raw_event({"type": "x", "y": object()}),
        lambda session: session.send_raw_event(None),
        lambda session: session.update_session(None),
        lambda session: session.update_session({"extra": {"x": object()}}),
        lambda session: session.create_response(tools=5),
        lambda session: session.create_response(modalities=5),
        lambda session: session.add_item(5),
        lambda session: session.update_history(5),
        lambda session: session.approve([]),
        lambda session: session.subscribe(queue.SimpleQueue(), only=["AudioEvent"]),
        lambda session: session.subscribe(queue.SimpleQueue(), only="AudioEvent"),
    ],
)
def test_whatever_a_verb_is_given_the_session_lives(script, ask):
    with run(script) as session:
        with pytest.raises(ra.RealtimeError):
            ask(session)

        assert session.history() == ()
        assert script.sent_types == ["session.update"]


def test_what_was_told_wrongly_is_an_event_with_the_context(script):
    config = {"url": "ws://127.0.0.1:1/"}
    with ra.run(ra.agent(), transport=script, context="C", model_config=config) as session:
        probe = Probe(session)
        session.tell(messages.UpdateSession({"voce": "marin"}))

        event = probe.wait_for(ErrorEvent)
        assert "voice" in event.error.message
        assert event.info.context == "C"


def test_one_class_of_events_need_not_be_a_list(script):
    with run(script) as session:
        ends = Probe(session, only=AgentEndEvent)
        stream = session.events(only=AgentStartEvent, timeout=5)
        script.emit(response_created(), response_done())

        ends.wait_for(AgentEndEvent)
        assert isinstance(next(stream), AgentStartEvent)


def test_asking_from_inside_the_session_raises_at_once(script):
    class Curious:
        error = None

        def __init__(self, session):
            self.session = session
            self.done = threading.Event()

        def put(self, message):
            try:
                self.session.history()
            except RuntimeError as error:
                self.error = error
            self.done.set()

    with run(script) as session:
        curious = Curious(session)
        session.subscribe(curious)
        script.emit(response_created())
        assert curious.done.wait(5)

        assert isinstance(curious.error, ra.otp.DeadlockError)
        assert session.is_alive()
