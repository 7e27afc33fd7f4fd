"""The beta dialect: the same conversation in the words that it had before."""

from __future__ import annotations

import json
from typing import Any

from realtime_actors.protocol import ServerError, SessionUpdated, dialect
from realtime_actors.server.server_effects import Effects, Emit
from realtime_actors.server.server_messages import GenerationAudio, GenerationEnded, GenerationText
from tests.server.talk import Talk, only, silence


def on_the_wire(effects: Effects) -> list[dict[str, Any]]:
    beta = dialect("beta")
    return [json.loads(beta.encode_server(e.event)) for e in effects if isinstance(e, Emit)]


def test_a_session_is_flat() -> None:
    created, conversation = on_the_wire(Talk(beta=True).opening)

    assert set(created["session"]["modalities"]) == {"audio", "text"}
    assert created["session"]["turn_detection"]["type"] == "server_vad"
    assert created["session"]["input_audio_transcription"] is None
    assert created["session"]["temperature"] == 0.8
    assert conversation["type"] == "conversation.created"


def test_items_are_created_and_answers_have_their_old_names() -> None:
    talk = Talk(beta=True)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    effects = talk.all(
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create", "response": {"modalities": ["text", "audio"]}},
        GenerationText("resp_1", "Hello."),
        GenerationAudio("resp_1", silence(100)),
        GenerationEnded(response_id="resp_1"),
    )

    wire = on_the_wire(effects)

    assert [event["type"] for event in wire] == [
        "conversation.item.created",
        "response.created",
        "rate_limits.updated",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ]
    assert wire[-1]["response"]["output"][0]["content"] == [
        {"type": "audio", "transcript": "Hello."}
    ]


def test_flat_updates_are_taken_and_checked() -> None:
    talk = Talk(beta=True)

    updated = talk(
        {
            "type": "session.update",
            "session": {"voice": "echo", "max_response_output_tokens": 100, "turn_detection": None},
        }
    )
    refused = talk({"type": "session.update", "session": {"output_modalities": ["text"]}})

    settings = only(SessionUpdated, updated).session.settings
    assert (settings.voice, settings.max_output_tokens) == ("echo", 100)
    error = only(ServerError, refused).error
    assert (error.code, error.param) == ("unknown_parameter", "session.output_modalities")


def test_text_alone_may_be_asked_for_but_not_audio_alone() -> None:
    talk = Talk(beta=True)

    refused = talk({"type": "response.create", "response": {"modalities": ["audio"]}})
    accepted = talk({"type": "response.create", "response": {"modalities": ["text"]}})

    assert only(ServerError, refused).error.param == "response.modalities"
    assert on_the_wire(accepted)[0]["response"]["modalities"] == ["text"]
