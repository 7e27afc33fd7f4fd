"""Sessions over a real WebSocket, with the embedded server at the other end."""

from __future__ import annotations

import contextlib
import math
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import realtime_actors as ra
from realtime_actors.errors import StartCause
from realtime_actors.events import (
    AgentEndEvent,
    AgentStartEvent,
    AudioEvent,
    AudioInterruptedEvent,
    ConnectionEvent,
    HandoffEvent,
    InputTranscriptEvent,
    SpeechStoppedEvent,
    ToolEndEvent,
)
from realtime_actors.server import Faults, RealtimeServer
from realtime_actors.server.engines.scripted import Call, Reply
from realtime_actors.testing import Probe

TRANSPORTS = ("fast", "plain")
DIALECTS = ("ga", "beta")


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    with RealtimeServer.scripted() as server:
        yield server


def run(server: RealtimeServer, agent: ra.Agent | None = None, **config: object) -> ra.Session:
    return ra.run(agent or ra.agent(), model_config={"url": server.url, **config})


def tone(ms: int, *, rate: int = 24_000) -> bytes:
    """A loud sound, PCM16: the scripted server takes it for speech."""
    samples = (12_000 * math.sin(2 * math.pi * 220 * n / rate) for n in range(rate * ms // 1000))
    return b"".join(struct.pack("<h", int(each)) for each in samples)


def speak(session: ra.Session, ms: int = 600) -> None:
    """A turn of the user: a sound, and then silence until the server has noticed."""
    session.send_audio(tone(ms) + bytes(48 * 1000))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_spoken_conversation_in_every_dialect_on_every_transport(transport, dialect):
    replies: list[Reply] = [Call("clock", {}), "It is noon."]
    with RealtimeServer.scripted(replies, heard=["What time is it?"]) as server:

        @ra.tool
        def clock() -> str:
            return "12:00"

        agent = ra.agent(tools=[clock])
        config = {"input_audio_transcription": {"model": "gpt-transcribe"}}
        with run(
            server, agent, transport=transport, dialect=dialect, initial_model_settings=config
        ) as session:
            probe = Probe(session)
            speak(session)

            heard = probe.wait_for(InputTranscriptEvent, lambda event: event.status == "completed")
            assert heard.text == "What time is it?"
            assert probe.wait_for(ToolEndEvent).output == "12:00"
            assert probe.wait_for(AgentEndEvent, lambda event: event.final).status == "completed"
            said = [item for item in session.history() if getattr(item, "role", "") == "assistant"]
            assert said[-1].content[0].transcript == "It is noon."
            assert sum(len(event.audio.data) for event in probe.all(AudioEvent)) > 10_000


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_sends_no_events_is_told_apart_from_a_slow_one(transport):
    def speak_something_else(websocket: ServerConnection) -> None:
        websocket.send(b"\x00\x01" * 480)
        with contextlib.suppress(ConnectionClosed):
            for _ in websocket:
                websocket.send(b"\x00\x01" * 480)

    with serve(speak_something_else, "127.0.0.1", 0) as stranger:
        thread = threading.Thread(target=stranger.serve_forever)
        thread.start()
        url = f"ws://127.0.0.1:{stranger.socket.getsockname()[1]}/"
        with pytest.raises(ra.StartError) as failure:
            ra.run(ra.agent(), model_config={"url": url, "transport": transport}, timeout=1.0)
    thread.join()
    for end in (stranger.shutdown_watcher, stranger.shutdown_notifier):  # it leaves them open
        os.close(end) if isinstance(end, int) else end.close()

    assert failure.value.cause is StartCause.TIMEOUT
    assert "a binary message of 960 bytes that is no JSON" in str(failure.value)
    assert "Is it a Realtime server?" in str(failure.value)


def test_a_tracker_is_for_one_session_at_a_time(server):
    tracker = ra.PlaybackTracker()
    with run(server, playback_tracker=lambda: tracker) as first:
        with pytest.raises(ra.ConfigError, match="another session's already"):
            run(server, playback_tracker=lambda: tracker)
        assert first.playback_tracker is tracker
    with run(server, playback_tracker=lambda: tracker) as second:
        assert second.playback_tracker is tracker


def test_a_handle_shows_what_is_known_of_its_session(server):
    with ra.run(ra.agent(), model_config={"url": server.url}, name="line one") as session:
        assert repr(session) == f"<Session 'line one' {session.actor_urn}: connected>"
        assert str(session) == repr(session)

    over = "the session has ended (the session was closed)"
    assert repr(session) == f"<Session {session.actor_urn}: {over}>"


def test_the_user_interrupts_and_history_tells_what_was_heard():
    long = "I will now tell you a very long story about a very long river. " * 4
    tracker = ra.PlaybackTracker()
    with (
        RealtimeServer.scripted([long, "Sorry."], pace=4.0) as server,
        run(server, playback_tracker=lambda: tracker) as session,
    ):
        probe = Probe(session)
        session.send_message("Tell me a story.")
        received_ms = 0
        while received_ms < 1000:
            audio = probe.wait_for(AudioEvent)
            received_ms += len(audio.audio.data) // 48
        tracker.on_play_ms(audio.item_id, 0, 400)
        session.send_audio(tone(300))

        cut = probe.wait_for(AudioInterruptedEvent)
        session.send_audio(bytes(48 * 1000))
        end = probe.wait_for(AgentEndEvent)
        assert (end.status, end.reason) == ("cancelled", "turn_detected")
        assert cut.heard_ms >= 250
        probe.wait_for(AgentEndEvent, lambda event: event.status == "completed")

        after = probe.events[probe.events.index(cut) :]
        late = [e for e in after if isinstance(e, AudioEvent) and e.response_id == cut.response_id]
        assert late == []
        story = next(item for item in session.history() if item.id == cut.item_id)
        part: Any = story.content[0]
        assert part.truncated_at_ms == 400
        assert len(part.transcript) < len(long) / 2
        assert long.startswith(part.transcript)


def test_a_handoff_to_another_agent():
    replies: list[Reply] = [Call("transfer_to_billing", {}), "Billing here."]
    with RealtimeServer.scripted(replies) as server:
        billing = ra.agent(name="Billing", instructions="Talk about bills.")
        with run(server, ra.agent(name="Desk", handoffs=[billing])) as session:
            probe = Probe(session)
            session.send_message("My bill, please.")

            assert probe.wait_for(HandoffEvent).to_agent == billing
            assert probe.wait_for(AgentStartEvent).agent == billing
            assert probe.wait_for(AgentEndEvent, lambda event: event.final).agent == billing
            assert session.current_agent() == billing


def test_turns_by_hand_without_detection(server):
    with run(server, initial_model_settings={"turn_detection": {"type": "off"}}) as session:
        probe = Probe(session)
        session.send_audio(tone(500), commit=True)
        session.create_response()

        assert probe.wait_for(AgentEndEvent).status == "completed"
        assert not probe.all(SpeechStoppedEvent)


def test_settings_change_on_the_server(server):
    with run(server) as session:
        session.update_session({"speed": 1.2})
        with pytest.raises(ra.SessionUpdateError):
            session.update_session({"extra": {"output_modalities": ["smell"]}})


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_lost_connection_is_followed_by_another(server, transport):
    with run(server, transport=transport) as session:
        probe = Probe(session)
        server.drop_connections()

        assert probe.wait_for(ConnectionEvent).state == "lost"
        assert probe.wait_for(ConnectionEvent).state == "reconnecting"
        assert probe.wait_for(ConnectionEvent).state == "resumed"
        session.send_audio(bytes(960))
        assert session.connected


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_closing_takes_two_seconds_at_most_when_the_server_says_nothing(transport):
    with RealtimeServer.scripted(faults=Faults(silent_after=2)) as server:
        session = run(server, transport=transport)
        began = time.monotonic()
        session.close()

        # Not a measure of speed: it must not wait for ever.
        assert time.monotonic() - began < 5
        assert not session.is_alive()


def test_closing_does_not_wait_for_a_tool():
    started, let_go = threading.Event(), threading.Event()

    @ra.tool
    def stubborn() -> str:
        started.set()
        let_go.wait(20)
        return "too late"

    with RealtimeServer.scripted([Call("stubborn", {})]) as server:
        session = run(server, ra.agent(tools=[stubborn]))
        probe = Probe(session)
        session.send_message("Go.")
        assert started.wait(5)
        session.close()

        ends = probe.all(ToolEndEvent)
        assert [end.error for end in ends] == ["Error: the session was closed"]
        assert ra.otp.detached_count() >= 1
        let_go.set()


class TestWhatStartingMeets:
    def fails(self, url: str, timeout: float = 5.0, **config: object) -> ra.StartError:
        threads = threading.active_count()
        with pytest.raises(ra.StartError) as failure:
            ra.run(ra.agent(), model_config={"url": url, **config}, timeout=timeout)
        deadline = time.monotonic() + 2
        while threading.active_count() > threads and time.monotonic() < deadline:
            time.sleep(0.01)
        return failure.value

    def test_no_key_for_a_server_elsewhere(self, monkeypatch):
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        error = self.fails("wss://eu.api.openai.com/v1/realtime")
        assert error.cause is StartCause.AUTHENTICATION
        assert "OPENAI_API_KEY" in str(error)

    def test_a_server_that_wants_a_key_does_not_get_the_environments(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
        with RealtimeServer.scripted(api_key="sk-of-the-environment") as server:
            error = self.fails(server.url)
        assert (error.cause, error.status) == (StartCause.AUTHENTICATION, 401)
        assert "none was sent" in str(error)

    def test_a_key_in_clear_text(self):
        error = self.fails("ws://192.0.2.1/v1/realtime", api_key="k")
        assert error.cause is StartCause.AUTHENTICATION
        assert "insecure_send_key_in_clear_text" in str(error)

    def test_a_wrong_key(self):
        with RealtimeServer.scripted(api_key="right") as server:
            error = self.fails(server.url, api_key="wrong")
        assert (error.cause, error.status) == (StartCause.AUTHENTICATION, 401)
        assert "wrong" not in str(error)

    def test_a_wrong_model(self):
        with RealtimeServer.scripted(models=["gpt-realtime-2.1"]) as server:
            error = self.fails(server.url, model="gpt-imaginary")
        assert error.cause is StartCause.SERVER

    def test_nobody_there(self):
        with RealtimeServer.scripted() as server:
            url = server.url
        assert self.fails(url).cause is StartCause.REFUSED

    def test_no_such_host(self):
        error = self.fails("wss://nowhere.invalid/v1/realtime", api_key="k")
        assert error.cause is StartCause.DNS

    def test_no_tls_where_it_is_asked_for(self, server):
        assert self.fails(server.url.replace("ws:", "wss:")).cause is StartCause.TLS

    def test_a_server_in_trouble(self):
        with RealtimeServer.scripted(faults=Faults(upgrade_status=503)) as server:
            error = self.fails(server.url)
        assert (error.cause, error.status) == (StartCause.SERVER, 503)

    def test_a_server_that_is_silent(self):
        with RealtimeServer.scripted(faults=Faults(silent_after=1)) as server:
            error = self.fails(server.url, timeout=0.5)
        assert error.cause is StartCause.TIMEOUT

    def test_a_server_that_hangs_up(self):
        with RealtimeServer.scripted(faults=Faults(drop_after=1)) as server:
            error = self.fails(server.url)
        assert error.cause is StartCause.NETWORK

    def test_retired_beta(self):
        with RealtimeServer.scripted(beta="retired") as server:
            error = self.fails(server.url, dialect="beta")
        assert error.cause is StartCause.SERVER
        assert "Beta" in str(error)

    def test_instructions_that_raise(self, server):
        def instructions() -> str:
            raise LookupError("no script for today")

        with pytest.raises(ra.ConfigError, match="no script for today"):
            run(server, ra.agent(instructions=instructions))


def test_one_runner_makes_many_sessions_with_contexts_of_their_own(server):
    runner = ra.runner(ra.agent(instructions=lambda context: f"Talk to {context}."))
    config = {"url": server.url}
    with (
        runner.run(context="Ada", model_config=config) as one,
        runner.run(context="Bob", model_config=config) as other,
    ):
        probes = Probe(one), Probe(other)
        for session in (one, other):
            session.send_message("Hi")
        ends = [probe.wait_for(AgentEndEvent) for probe in probes]

        assert [end.info.context for end in ends] == ["Ada", "Bob"]


def test_a_program_that_forgets_to_close_still_exits(server):
    program = (
        "import sys, realtime_actors as ra\n"
        "session = ra.run(ra.agent(), model_config={'url': sys.argv[1]})\n"
        "session.send_message('Hi')\n"
        "print('bye')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, server.url], capture_output=True, text=True, timeout=30
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "bye\n", "")
