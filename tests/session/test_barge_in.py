"""Talking over the model, and its echo: with a scripted server, and over a real WebSocket."""

from __future__ import annotations

import array
import base64
import math
import time
from collections.abc import Iterator

import pytest

import realtime_actors as ra
from realtime_actors.audio import level_db
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.testing import Probe, ScriptedTransport
from tests.session.room import FRAME, FRAME_MS, Room, weaker
from tests.session.wire import audio_delta, response_created, response_done


def tone(ms: int, amplitude: int = 12_000) -> bytes:
    samples = (round(amplitude * math.sin(n / 17)) for n in range(ms * 24))
    return array.array("h", samples).tobytes()


def microphone(script: ScriptedTransport) -> list[bytes]:
    sent = [each for each in script.sent if each["type"] == "input_audio_buffer.append"]
    return [base64.b64decode(each["audio"]) for each in sent]


# --- what is sent ----------------------------------------------------------------------------


@pytest.fixture
def script() -> Iterator[ScriptedTransport]:
    with ScriptedTransport(strict=False) as script:
        yield script


def run(script: ScriptedTransport, **config: object) -> ra.Session:
    model_config = {"url": "ws://127.0.0.1:1/"}
    return ra.run(ra.agent(), transport=script, model_config=model_config, config=config)


def test_half_duplex_sends_silence_while_the_model_is_heard(script):
    with run(script, barge_in={"mode": "half_duplex"}) as session:
        probe = Probe(session)
        session.send_audio(tone(20))
        script.emit(response_created(), audio_delta(ms=60_000))
        probe.wait_for(AudioEvent)
        session.send_audio(tone(20))

    assert microphone(script) == [tone(20), bytes(FRAME)]


def test_gated_lets_through_what_is_louder_than_the_echo(script):
    played = tone(60_000, amplitude=8000)
    delta = {**audio_delta(), "delta": base64.b64encode(played).decode()}
    quiet, loud = tone(20, amplitude=800), tone(20, amplitude=8000)
    with run(script, barge_in={"mode": "gated", "pre_roll_ms": 0}) as session:
        probe = Probe(session)
        script.emit(response_created(), delta)
        probe.wait_for(AudioEvent)
        for frame in (quiet, loud, quiet):
            session.send_audio(frame)

    assert microphone(script) == [bytes(FRAME), loud, quiet]


def test_nobody_is_heard_while_a_response_may_not_be_interrupted(script):
    with run(script) as session:
        probe = Probe(session)
        session.create_response(interruptible=False)
        script.wait_for("response.create")
        session.send_audio(tone(20))
        script.emit(response_created(), audio_delta(ms=20), response_done())
        probe.wait_for(AgentEndEvent)
        deadline = time.monotonic() + 5
        while microphone(script)[-1] == bytes(FRAME) and time.monotonic() < deadline:
            session.send_audio(tone(20))

    assert microphone(script)[0] == bytes(FRAME)
    assert microphone(script)[-1] == tone(20)


def test_off_asks_the_server_not_to_interrupt(script):
    with run(script, barge_in=ra.BargeIn(mode="off")):
        detection = script.sent[0]["session"]["audio"]["input"]["turn_detection"]

    assert detection["interrupt_response"] is False
    assert detection["create_response"] is False


# --- what happens, over a WebSocket ------------------------------------------------------------

STORY = "I will now tell you a long story about a long river."


def tell_a_story(mode: str) -> tuple[RealtimeServer, ra.Session]:
    server = RealtimeServer.scripted([STORY, "You interrupted me."] * 3, pace=4.0, character_ms=30)
    server.start()
    session = ra.run(
        ra.agent(), model_config={"url": server.url}, config={"barge_in": {"mode": mode}}
    )
    return server, session


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Iterator[ra.Session]:
    server, session = tell_a_story(request.param)
    with server, session:
        yield session


@pytest.mark.parametrize("delay_ms", [80, 240])
@pytest.mark.parametrize("story", ["gated", "half_duplex"], indirect=True)
def test_the_model_does_not_interrupt_itself(story, delay_ms):
    probe = Probe(story)
    with Room(story, delay_ms):
        story.send_message("Tell me a story.")
        end = probe.wait_for(AgentEndEvent)
        received_ms = sum(len(each.audio.data) for each in probe.all(AudioEvent)) / 48
        time.sleep(received_ms / 1000 + 0.5)  # until it has been played, and has died away

    assert end.status == "completed"
    assert probe.all(SpeechStartedEvent) == []
    assert probe.all(AudioInterruptedEvent) == []


@pytest.mark.parametrize("story", ["full"], indirect=True)
def test_without_a_policy_it_does(story):
    probe = Probe(story)
    with Room(story, 80):
        story.send_message("Tell me a story.")

        assert probe.wait_for(AudioInterruptedEvent).heard_ms > 0


@pytest.mark.parametrize("story", ["gated"], indirect=True)
def test_a_user_who_is_louder_than_the_echo_interrupts(story):
    probe = Probe(story)
    with Room(story, 160) as room:
        story.send_message("Tell me a story.")
        probe.wait_for(AudioEvent)
        for _ in range(30):
            room.say.put(tone(FRAME_MS, amplitude=12_000))

        assert probe.wait_for(AudioInterruptedEvent).heard_ms > 0
        # What the user said is a turn, and is answered.
        probe.wait_for(SpeechStoppedEvent)
        assert probe.wait_for(AgentEndEvent, lambda event: event.status == "completed")


@pytest.mark.parametrize("story", ["off"], indirect=True)
def test_off_lets_the_model_finish_and_answers_the_user_then(story):
    probe = Probe(story)
    story.send_message("Tell me a story.")
    probe.wait_for(AudioEvent)
    story.send_audio(tone(500) + bytes(48 * 1000))

    probe.wait_for(SpeechStoppedEvent)
    first, second = probe.wait_for(AgentEndEvent), probe.wait_for(AgentEndEvent)
    assert (first.status, second.status) == ("completed", "completed")
    assert probe.all(AudioInterruptedEvent) == []
    assert [getattr(item, "role", None) for item in story.history()] == [
        "user",
        "assistant",
        "user",
        "assistant",
    ]


@pytest.mark.parametrize("story", ["full"], indirect=True)
def test_what_may_not_be_interrupted_is_said_to_its_end(story):
    probe = Probe(story)
    story.create_response(instructions="Tell a story.", interruptible=False)
    probe.wait_for(AudioEvent)
    story.send_audio(tone(500) + bytes(48 * 1000))
    end = probe.wait_for(AgentEndEvent)

    assert end.status == "completed"
    assert probe.all(SpeechStartedEvent) == []
    story.interrupt()  # the program may
    assert probe.wait_for(AudioInterruptedEvent).response_id == end.response_id


def test_the_echo_in_these_tests_is_loud_enough_to_be_taken_for_speech():
    assert level_db(weaker(tone(FRAME_MS, amplitude=8000))) > -36
