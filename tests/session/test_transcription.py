"""Sessions that only listen."""

from __future__ import annotations

import array
import math
from typing import Any

import pytest

import realtime_actors as ra
from realtime_actors.events import (
    AgentStartEvent,
    ConnectionEvent,
    InputTranscriptEvent,
    LimitReachedEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport, fake_clock
from realtime_actors.transport.base import ConnectOptions

MODEL_CONFIG = {"url": "ws://127.0.0.1:1/v1/realtime"}


def spoken(ms: int = 500) -> bytes:
    """A sound, and then silence until the server has noticed."""
    samples = (round(12_000 * math.sin(n / 17)) for n in range(ms * 24))
    return array.array("h", samples).tobytes() + bytes(48 * 1000)


@pytest.fixture
def script():
    with ScriptedTransport(strict=False) as script:
        yield script


def test_the_server_is_asked_for_a_session_that_transcribes(script):
    urls = []

    def transport(options: ConnectOptions, dialect: object) -> Any:
        urls.append(options.url)
        return script(options, dialect)

    with ra.transcribe(
        model="gpt-transcribe",
        language="en",
        input_audio_format="g711_ulaw",
        turn_detection="off",
        model_config=MODEL_CONFIG,
        transport=transport,
    ):
        pass

    assert urls == ["ws://127.0.0.1:1/v1/realtime?intent=transcription"]
    assert script.sent[0]["session"] == {
        "type": "transcription",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "transcription": {"model": "gpt-transcribe", "language": "en"},
                "turn_detection": None,
            }
        },
    }


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: session.send_message("Hi"),
        lambda session: session.create_response(),
        lambda session: session.send_raw_event({"type": "response.create"}),
    ],
)
def test_it_has_no_responses(script, ask):
    with ra.transcribe(model_config=MODEL_CONFIG, transport=script) as session:
        with pytest.raises(ra.ConfigError, match="no responses"):
            ask(session)
        session.update_session({"input_audio_noise_reduction": {"type": "near_field"}})

    assert script.sent_types == ["session.update", "session.update"]
    assert script.sent[-1]["session"]["type"] == "transcription"


def test_turns_that_could_not_be_heard_are_told_too(script):
    with ra.transcribe(model_config=MODEL_CONFIG, transport=script) as session:
        lines = session.transcripts(timeout=5)
        prefix = "conversation.item.input_audio_transcription"
        script.emit({"type": f"{prefix}.delta", "item_id": "u1", "delta": "Hello"})
        script.emit({"type": f"{prefix}.completed", "item_id": "u1", "transcript": "Hello you."})
        script.emit({"type": f"{prefix}.failed", "item_id": "u2", "error": {"message": "noise"}})

        assert [(line.status, line.text) for line in (next(lines), next(lines))] == [
            ("completed", "Hello you."),
            ("failed", ""),
        ]
        session.close()
        assert list(lines) == []


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_speech_becomes_lines_on_a_real_connection(dialect):
    heard = ["First things first.", "And then the rest."]
    with (
        RealtimeServer.scripted(heard=heard) as server,
        ra.transcribe(model_config={"url": server.url, "dialect": dialect}) as session,
    ):
        probe, lines = Probe(session), session.transcripts(timeout=10)
        said = []
        for _ in heard:
            session.send_audio(spoken())
            said.append(next(lines).text)

        assert said == heard
        partials = [e.delta for e in probe.all(InputTranscriptEvent) if e.status == "partial"]
        assert "".join(partials) == "".join(heard)
        assert probe.all(AgentStartEvent) == []
        assert session.transcript() == "User: First things first.\nUser: And then the rest."


def test_without_turn_detection_the_program_ends_the_turns():
    with (
        RealtimeServer.scripted(heard=["By hand."]) as server,
        ra.transcribe(turn_detection="off", model_config={"url": server.url}) as session,
    ):
        lines = session.transcripts(timeout=10)
        session.send_audio(spoken(), commit=True)

        assert next(lines).text == "By hand."


def test_what_a_transcription_session_is_not_told_is_refused_by_name():
    with pytest.raises(ra.ConfigError, match="near_field"):
        ra.transcribe(noise_reduction={"type": "near"}, model_config=MODEL_CONFIG)


def test_a_session_that_only_listens_has_limits_too():
    with (
        fake_clock() as clock,
        ScriptedTransport(strict=False) as script,
        ra.transcribe(
            config={"max_duration": 60.0}, model_config=MODEL_CONFIG, transport=script
        ) as session,
    ):
        probe = Probe(session)
        clock.advance(60.0)

        assert probe.wait_for(LimitReachedEvent).limit == "max_duration"
        assert probe.wait_for(ConnectionEvent).state == "closed"


def test_a_limit_that_is_given_in_another_place_is_told_where_it_belongs():
    with pytest.raises(ra.ConfigError, match=r"it belongs in RunConfig\(max_duration=...\)"):
        ra.transcribe(max_duration=60.0, model_config=MODEL_CONFIG)  # type: ignore[call-arg]


@pytest.mark.parametrize("dialect", ["ga", "beta"])
def test_a_script_can_play_the_server_of_a_session_that_only_listens(dialect):
    script = ScriptedTransport()
    where = {"dialect": dialect, "url": "ws://localhost"}

    with script, ra.transcribe(transport=script, model_config=where) as session:
        probe = Probe(session)
        script.emit(
            {"type": "input_audio_buffer.committed", "item_id": "u1"},
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": "u1",
                "transcript": "Good morning.",
            },
        )
        assert probe.wait_for(InputTranscriptEvent).text == "Good morning."
