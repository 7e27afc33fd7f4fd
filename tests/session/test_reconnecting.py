"""A handoff that changes the voice: a second connection takes the place of the first."""

from __future__ import annotations

import queue
import threading

import pytest

import realtime_actors as ra
from realtime_actors import otp
from realtime_actors.errors import StartCause, StartError
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    ConnectionEvent,
    ErrorEvent,
    HandoffEvent,
    RateLimitsEvent,
    RawModelEvent,
    SessionUpdatedEvent,
    SpeechStartedEvent,
    ToolEndEvent,
)
from realtime_actors.items import InputText, MessageItem, OutputAudio
from realtime_actors.protocol import Dialect
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe, ScriptedTransport
from realtime_actors.tracing import describe, replay
from realtime_actors.transport import ConnectOptions
from realtime_actors.transport.base import TransportFactory
from tests.session.wire import (
    audio_delta,
    call_item,
    error,
    item_done,
    response_created,
    response_done,
)

CEDAR = ra.agent(name="Cedar", instructions="You are Cedar.", voice="cedar")
MARIN = ra.agent(
    name="Marin",
    instructions="You are Marin.",
    voice="marin",
    handoffs=[ra.Handoff(CEDAR, voice="reconnect")],
)
ANYWHERE = {"url": "ws://127.0.0.1:1/"}
UPDATED = {"type": "session.updated", "session": {"type": "realtime"}}
SPEECH_STARTED = {
    "type": "input_audio_buffer.speech_started",
    "item_id": "u1",
    "audio_start_ms": 0,
}
SPEECH_STOPPED = {
    "type": "input_audio_buffer.speech_stopped",
    "item_id": "u1",
    "audio_end_ms": 500,
}
RATE_LIMITS = {"type": "rate_limits.updated", "rate_limits": []}


VOICE = (b"\x00\x40" * 60 + b"\x00\xc0" * 60) * 120
"""Somebody who speaks up, for 600 ms."""


class Unreachable(ScriptedTransport):
    """A server that is not there."""

    def connect(self, deliver):
        raise StartError("nobody there", StartCause.NETWORK)


class Hanging(ScriptedTransport):
    """A server that cannot be reached, which takes until somebody gives up."""

    def __init__(self):
        super().__init__(strict=False)
        self.dialled = threading.Event()
        self.given_up = threading.Event()

    def connect(self, deliver):
        self.dialled.set()
        assert self.given_up.wait(5.0)
        raise StartError("closed while connecting", StartCause.NETWORK)

    def close(self, timeout=2.0):
        self.given_up.set()


class Slow(ScriptedTransport):
    """A connection on which audio takes until the test lets it go."""

    def __init__(self):
        super().__init__(strict=False)
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.closed = threading.Event()

    def close(self, timeout=2.0):
        super().close(timeout)
        self.closed.set()

    def send_audio(self, audio, *, commit=False, audio_format="pcm16"):
        self.asked.set()
        assert self.let_go.wait(5.0)
        return super().send_audio(audio, commit=commit, audio_format=audio_format)


def scripts(
    second: ScriptedTransport, first: ScriptedTransport | None = None
) -> tuple[ScriptedTransport, TransportFactory]:
    """The first connection, and what makes both."""
    first = first or ScriptedTransport(strict=False)
    both = iter([first, second])

    def make(options: ConnectOptions, dialect: Dialect) -> ScriptedTransport:
        return next(both)(options, dialect)

    return first, make


def hand_over(first: ScriptedTransport) -> None:
    """Marin says something (20 ms of it) and hands over to Cedar."""
    first.emit(response_created(), audio_delta())
    first.emit(item_done(call_item("transfer_to_cedar")), response_done())


def test_all_goes_to_the_second_connection_once_it_has_taken_over():
    second = ScriptedTransport(strict=False)
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        hand_over(first)

        assert probe.wait_for(HandoffEvent).to_agent == CEDAR
        second.wait_for("response.create")
        assert second.sent[0]["session"]["audio"]["output"]["voice"] == "cedar"
        assert second.sent[0]["session"]["instructions"] == "You are Cedar."
        assert second.sent_types == [
            "session.update",
            "conversation.item.create",  # the call
            "conversation.item.create",  # its output
            "response.create",
        ]
        session.send_audio(bytes(960))
        assert second.sent[-1]["type"] == "input_audio_buffer.append"
        assert first.sent_types == ["session.update"] * 2  # at the start, and the last one
        second.emit(response_created("r2"), audio_delta("i2", response_id="r2"))
        assert probe.wait_for(AudioEvent, lambda event: event.item_id == "i2")
        assert session.connected
    assert not first.connected
    assert probe.all(ErrorEvent) == []


def test_what_the_first_says_too_late_is_not_heard():
    first, make = scripts(ScriptedTransport(strict=False))
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        first.expect("session.update", answer=[UPDATED, SPEECH_STARTED, RATE_LIMITS])
        hand_over(first)
        probe.wait_for(HandoffEvent)
        session.history()  # it has handled all that came by then

        assert probe.all(SpeechStartedEvent) + probe.all(RateLimitsEvent) == []


def test_what_the_second_says_too_early_is_heard_later():
    second = ScriptedTransport(strict=False)
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        first.emit(SPEECH_STARTED)
        hand_over(first)
        second.wait_for("session.update")
        second.emit(RATE_LIMITS)
        first.emit(SPEECH_STOPPED)
        probe.wait_for(HandoffEvent)

        probe.wait_for(RateLimitsEvent)


def test_audio_that_finds_the_first_closed_goes_to_the_second():
    slow, second = Slow(), ScriptedTransport(strict=False)
    _, make = scripts(second, first=slow)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        microphone = threading.Thread(target=session.send_audio, args=[bytes(960)])
        microphone.start()
        assert slow.asked.wait(5.0)
        hand_over(slow)
        probe.wait_for(HandoffEvent)
        second.wait_for("response.create")
        assert slow.closed.wait(5.0)
        slow.let_go.set()
        microphone.join()

        assert second.sent[-1]["type"] == "input_audio_buffer.append"


@pytest.mark.parametrize("direct", [False, True])
def test_every_kind_of_subscriber_hears_the_new_voice(direct):
    second = ScriptedTransport(strict=False)
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        heard: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(heard, only=AudioEvent, direct=direct)
        hand_over(first)
        assert heard.get(timeout=5).event.item_id == "i1"
        second.wait_for("response.create")
        second.emit(response_created("r2"))
        for _ in range(3):
            second.emit(audio_delta("i2", response_id="r2"))

        assert [heard.get(timeout=5).event.item_id for _ in range(3)] == ["i2"] * 3


def test_raw_subscribers_see_how_the_second_session_began():
    first, make = scripts(ScriptedTransport(strict=False))
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session, raw=True)
        hand_over(first)
        probe.wait_for(HandoffEvent)

        kinds = [event.event.type for event in probe.all(RawModelEvent)]
        assert kinds[-3:] == ["session.updated", "session.created", "session.updated"]


class TestAFailure:
    """The first connection goes on, and the model is told."""

    def check(self, first: ScriptedTransport, session: ra.Session, probe: Probe, why: str) -> None:
        ended = probe.wait_for(ToolEndEvent)
        assert ended.error == ended.output == f"Error: the transfer to Cedar failed: {why}"
        assert first.wait_for("conversation.item.create")["item"]["output"] == ended.output
        first.wait_for("response.create")
        assert session.current_agent() == MARIN
        assert first.connected

    def test_nobody_is_there(self):
        first, make = scripts(Unreachable())
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            hand_over(first)

            self.check(first, session, probe, "nobody there")

    def test_the_settings_are_refused(self):
        second = ScriptedTransport(strict=False, handshake=False)
        second.expect("session.update", answer=[error("invalid_value", "no such voice")])
        first, make = scripts(second)
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            hand_over(first)

            self.check(first, session, probe, "the server refused the settings: no such voice")
            assert not second.connected

    def test_it_is_lost_before_it_was_configured(self):
        second = ScriptedTransport(strict=False, handshake=False)
        first, make = scripts(second)
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            hand_over(first)
            second.wait_for("session.update")
            second.drop(reason="gone")

            self.check(first, session, probe, "the other connection was lost: gone")

    def test_it_is_lost_before_it_was_used(self):
        second = ScriptedTransport(strict=False)
        first, make = scripts(second)
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            first.emit(SPEECH_STARTED)
            hand_over(first)
            second.wait_for("session.update")
            second.drop(reason="gone")
            first.emit(SPEECH_STOPPED)

            self.check(first, session, probe, "the other connection was lost: gone")

    def test_there_is_only_one_connection_to_be_had(self):
        only = ScriptedTransport(strict=False)
        with ra.run(MARIN, transport=only, model_config=ANYWHERE) as session:
            probe = Probe(session)
            hand_over(only)

            why = "there is no second connection: the transport's factory gave the one in use again"
            self.check(only, session, probe, why)

    def test_the_factory_raises(self):
        first, make = scripts(ScriptedTransport())
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            make(
                ConnectOptions(url="ws://anywhere"), ra.protocol.dialect("ga")
            )  # the last one is taken
            hand_over(first)

            assert "connecting failed: StopIteration" in probe.wait_for(ToolEndEvent).output
            first.wait_for("response.create")

    def test_the_server_says_too_much(self):
        second = ScriptedTransport(strict=False)
        first, make = scripts(second)
        with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
            probe = Probe(session)
            first.emit(SPEECH_STARTED)
            hand_over(first)
            second.wait_for("session.update")
            second.emit(*[RATE_LIMITS] * 1001)
            first.emit(SPEECH_STOPPED)

            self.check(first, session, probe, "the other connection says too much")


def test_a_session_can_be_closed_while_it_connects_anew():
    second = Hanging()
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE):
        hand_over(first)
        assert second.dialled.wait(5.0)
    assert second.given_up.is_set()


def test_a_session_can_be_closed_before_the_second_is_used():
    second = ScriptedTransport(strict=False)
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE):
        first.emit(SPEECH_STARTED)
        hand_over(first)
        second.wait_for("session.update")
    assert not second.connected


def test_a_session_that_was_killed_leaves_nothing_open():
    second = ScriptedTransport(strict=False)
    first, make = scripts(second)
    session = ra.run(MARIN, transport=make, model_config=ANYWHERE)
    first.emit(SPEECH_STARTED)
    hand_over(first)
    second.wait_for("session.update")
    with otp.Client():
        monitor = otp.monitor(session)
        otp.exit_signal(session, otp.KILL)
        assert otp.receive(timeout=5.0).monitor_ref == monitor

    for thread in threading.enumerate():
        if thread.name == "realtime-close":
            thread.join(5.0)
    assert not first.connected
    assert not second.connected


def test_a_session_that_loses_its_connection_meanwhile_waits_for_the_second():
    second = Hanging()
    first, make = scripts(second)
    with ra.run(MARIN, transport=make, model_config=ANYWHERE) as session:
        probe = Probe(session)
        hand_over(first)
        assert second.dialled.wait(5.0)
        first.drop()

        probe.wait_for(ConnectionEvent, lambda event: event.state == "reconnecting")
        assert not second.given_up.is_set()
        session.close()
        assert second.given_up.wait(5.0)


@pytest.mark.parametrize("transport", ["fast", "plain"])
@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_with_a_server(transport, dialect, tmp_path):
    seen: list[list[str]] = []

    def hello(request):
        seen.append([item.type for item in request.items])
        return "Good day, Cedar."

    replies: list[Reply] = ["Hello.", Call("transfer_to_cedar"), hello, "You are welcome."]
    config = {"transport": transport, "dialect": dialect}
    trace = tmp_path / "call.jsonl"
    with (
        RealtimeServer.scripted(replies, character_ms=10) as server,
        ra.run(MARIN, model_config={"url": server.url, **config}, trace=trace) as session,
    ):
        probe = Probe(session)
        session.create_response()
        probe.wait_for(AgentEndEvent)
        session.send_message("Cedar, please.")

        assert probe.wait_for(HandoffEvent).to_agent == CEDAR
        end = probe.wait_for(AgentEndEvent, lambda event: event.final)
        assert (end.agent, end.status) == (CEDAR, "completed")
        assert seen == [["message", "message", "function_call", "function_call_output"]]
        session.send_message("Thank you.")
        assert probe.wait_for(AgentEndEvent).agent == CEDAR
        history = session.history()
    assert probe.all(ErrorEvent) == []
    sessions = {event.session.id for event in probe.all(SessionUpdatedEvent)}
    assert len(sessions) == 2
    assert probe.all(SessionUpdatedEvent)[-1].session.settings.voice == "cedar"
    assert [part for item in history for part in spoken(item)] == [
        OutputAudio(transcript=words)
        for words in ("Hello.", "Good day, Cedar.", "You are welcome.")
    ]
    effects = [
        line for _, _, each in replay(trace.read_text().splitlines()) for line in describe(each)
    ]
    assert "SwitchConnection" in "\n".join(effects)
    assert sum(line.startswith("publish audio ") for line in effects) == len(probe.all(AudioEvent))


@pytest.mark.parametrize("direct", [False, True])
def test_the_user_is_heard_before_and_after(direct):
    seen: list[str] = []

    def answer(request):
        seen.extend(said(item) for item in request.items if getattr(item, "role", "") == "user")
        return "Good day, Cedar."

    replies: list[Reply] = ["Hello.", Call("transfer_to_cedar"), answer, "You are welcome."]
    settings = {"input_audio_transcription": {"model": "gpt-transcribe"}}
    with (
        RealtimeServer.scripted(
            replies, heard=["Cedar, please.", "Thank you."], character_ms=10
        ) as server,
        ra.run(
            MARIN, model_config={"url": server.url, "initial_model_settings": settings}
        ) as session,
    ):
        probe = Probe(session)
        sound: queue.SimpleQueue[ra.SessionEvent] = queue.SimpleQueue()
        session.subscribe(sound, only=AudioEvent, direct=direct)
        session.create_response()
        probe.wait_for(AgentEndEvent)
        session.send_audio(VOICE + bytes(48 * 1000))
        probe.wait_for(HandoffEvent)
        assert probe.wait_for(AgentEndEvent, lambda event: event.final).agent == CEDAR
        assert seen == ["Cedar, please."]

        session.send_audio(VOICE + bytes(48 * 1000))
        probe.wait_for(SpeechStartedEvent)
        assert probe.wait_for(AgentEndEvent, lambda event: event.final).agent == CEDAR
        history = session.history()
    assert probe.all(ErrorEvent) == []
    user = [item for item in history if getattr(item, "role", "") == "user"]
    assert [said(item) for item in user] == ["Cedar, please.", "Thank you."]
    items = {event.audio.item_id for event in (sound.get().event for _ in range(sound.qsize()))}
    assert len(items) == 3


def said(item):
    """The words of a message, told as speech or as text."""
    (part,) = item.content
    return part.text if isinstance(part, InputText) else part.transcript


def spoken(item):
    if not isinstance(item, MessageItem) or item.role != "assistant":
        return ()
    return item.content
