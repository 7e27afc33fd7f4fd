"""The server over a real socket, with a bare websocket client."""

from __future__ import annotations

import base64

import pytest

from realtime_actors.audio import calculate_audio_length_ms
from realtime_actors.server import RealtimeServer
from tests.server.talk import client


def test_a_text_is_answered_in_speech() -> None:
    with RealtimeServer.scripted(["Hello there. How are you?"]) as server, client(server) as caller:
        assert caller.until("session.created")["session"]["model"] == "gpt-realtime"

        caller.say("Hi!")
        done = caller.until("response.done")

    assert done["response"]["status"] == "completed"
    [item] = done["response"]["output"]
    assert item["content"] == [{"type": "output_audio", "transcript": "Hello there. How are you?"}]
    audio = b"".join(
        base64.b64decode(event["delta"]) for event in caller.of("response.output_audio.delta")
    )
    # Letters of 60 ms, and a pause of 100 ms after each sentence.
    assert calculate_audio_length_ms(audio) == pytest.approx(19 * 60 + 2 * 100, abs=10)
