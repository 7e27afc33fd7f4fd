"""The echo of a real voice, heard by a real voice detector."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

import realtime_actors as ra
from realtime_actors.audio import Resampler, split_frames
from realtime_actors.events import (
    AgentEndEvent,
    AudioEvent,
    AudioInterruptedEvent,
    SpeechStartedEvent,
)
from realtime_actors.server import RealtimeServer
from realtime_actors.server.engines.scripted import ScriptedBrain, ScriptedRecognizer
from realtime_actors.testing import Probe
from tests.session.room import Room

if TYPE_CHECKING:
    from realtime_actors.server.engines import Engines

pytestmark = [pytest.mark.local, pytest.mark.slow]

STORY = "Once there was a river that ran through a green valley, and nobody knew where it began."


@pytest.fixture(scope="module")
def engines() -> Engines:
    from realtime_actors.server.engines import load_engines

    return load_engines()


@pytest.fixture
def server(engines: Engines) -> Iterator[RealtimeServer]:
    brain = ScriptedBrain([STORY, "I am listening.", "Yes?"])
    scripted = evolve(engines, brain=brain, recognizer=ScriptedRecognizer())
    with RealtimeServer(engines=scripted) as server:
        yield server


def run(server: RealtimeServer, mode: str) -> ra.Session:
    return ra.run(ra.agent(), model_config={"url": server.url}, config={"barge_in": {"mode": mode}})


@pytest.mark.parametrize("mode", ["gated", "half_duplex"])
def test_the_model_does_not_interrupt_itself(server, mode):
    with run(server, mode) as session, Room(session, 120):
        probe = Probe(session)
        session.send_message("Tell me a story.")
        end = probe.wait_for(AgentEndEvent, timeout=30)
        received_ms = sum(len(each.audio.data) for each in probe.all(AudioEvent)) / 48
        time.sleep(received_ms / 1000 + 0.5)  # until it has been played, and has died away

    assert end.status == "completed"
    assert probe.all(SpeechStartedEvent) == []


def test_without_a_policy_it_does(server):
    with run(server, "full") as session, Room(session, 120):
        probe = Probe(session)
        session.send_message("Tell me a story.")

        assert probe.wait_for(AudioInterruptedEvent, timeout=30)


def test_somebody_who_speaks_up_interrupts(server, engines):
    speech = b"".join(engines.voice.speak("Wait, I have a question!", voice="caller"))
    caller = Resampler(engines.voice.rate_hz, 24_000).process(speech, last=True)
    with run(server, "gated") as session, Room(session, 120) as room:
        probe = Probe(session)
        session.send_message("Tell me a story.")
        probe.wait_for(AudioEvent, timeout=30)
        for frame in split_frames(caller):
            room.say.put(frame.ljust(960, b"\0"))

        assert probe.wait_for(AudioInterruptedEvent, timeout=30).heard_ms > 0
