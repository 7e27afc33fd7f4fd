"""Every example of the specification is read, also those that contradict it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.protocol import (
    CLIENT_EVENTS,
    SERVER_EVENTS,
    Event,
    SessionInfo,
    SessionUpdated,
    UnknownEvent,
    dialect,
)
from realtime_actors.protocol.codec import BETA_NAMES
from tests.conformance.specification import events_in, load
from tests.protocol.samples import text

EXAMPLES: dict[str, dict[str, Any]] = load("spec_examples.json")

CLASSES: dict[str, type[Event]] = {
    **CLIENT_EVENTS,
    **SERVER_EVENTS,
    **{other: SERVER_EVENTS[name] for name, other in BETA_NAMES.items()},
    "transcription_session.update": CLIENT_EVENTS["session.update"],
    "transcription_session.created": SERVER_EVENTS["session.created"],
    "transcription_session.updated": SERVER_EVENTS["session.updated"],
}

# The examples of REST answers: a session, alone or in its envelope.
SESSIONS = {
    "RealtimeCreateClientSecretResponse",
    "RealtimeSessionCreateRequest",
    "RealtimeSessionCreateResponse",
    "RealtimeTranscriptionSessionCreateResponse",
    "RealtimeTranscriptionSessionCreateResponseGA",
    "RealtimeTranslationClientSecretCreateResponse",
    "RealtimeTranslationSession",
}

# Sessions that translate are another protocol.
TRANSLATION = {
    "session.input_audio_buffer.append",
    "session.close",
    "session.closed",
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.output_audio.delta",
}


def test_all_examples_are_here() -> None:
    assert len(EXAMPLES) == 127


@pytest.mark.parametrize("name", ["ga", "beta"])
@pytest.mark.parametrize("example", sorted(EXAMPLES.keys() - SESSIONS))
def test_an_example_is_the_event_that_it_says(example: str, name: str) -> None:
    speech = dialect(name)
    decode = speech.decode_client if "ClientEvent" in example else speech.decode_server

    for wire in events_in(EXAMPLES[example]):
        event = decode(text(wire))

        type_ = wire["type"].strip()
        assert type(event) is CLASSES.get(type_, UnknownEvent)
        assert type_ in CLASSES or type_ in TRANSLATION
        assert event.raw == wire


@pytest.mark.parametrize("example", sorted(SESSIONS))
def test_an_example_of_a_session_is_a_session(example: str) -> None:
    wire = EXAMPLES[example]
    session = wire.get("session", wire)

    event = dialect("ga").decode_server(text({"type": "session.updated", "session": session}))

    assert isinstance(event, SessionUpdated)
    assert isinstance(event.session, SessionInfo)
    assert event.session.id == session["id"]
    assert event.session.settings.model == session.get("model")
