"""What has the wrong shape is refused with code, place and words of the real service."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.protocol import ErrorDetail, InputAudioBufferAppend, ServerError
from realtime_actors.server import ConversationOptions
from tests.server.talk import Talk, doings, emit, only


def session(**members: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **members}}


def item(**members: Any) -> dict[str, Any]:
    return {"type": "conversation.item.create", "item": {"type": "message", **members}}


@pytest.mark.parametrize(
    ("event", "code", "param", "message"),
    [
        (
            {"type": "session.upgrade"},
            "invalid_value",
            "type",
            (
                "Invalid value: 'session.upgrade'. Supported values are: 'session.update', "
                "'input_audio_buffer.append', 'input_audio_buffer.commit', "
                "'input_audio_buffer.clear', 'output_audio_buffer.clear', "
                "'conversation.item.create', 'conversation.item.retrieve', "
                "'conversation.item.delete', 'conversation.item.truncate', 'response.create', and "
                "'response.cancel'."
            ),
        ),
        (
            {"type": "session.update", "session": {"instructions": "Hi"}},
            "missing_required_parameter",
            "session.type",
            "Missing required parameter: 'session.type'.",
        ),
        (
            session(colour="red"),
            "unknown_parameter",
            "session.colour",
            "Unknown parameter: 'session.colour'.",
        ),
        (
            session(audio={"output": {"speed": 2}}),
            "decimal_above_max_value",
            "session.audio.output.speed",
            (
                "Invalid 'session.audio.output.speed': decimal above maximum value. Expected a "
                "value <= 1.5, but got 2 instead."
            ),
        ),
        (
            session(max_output_tokens=50_000),
            "integer_above_max_value",
            "session.max_output_tokens",
            (
                "Invalid 'session.max_output_tokens': integer above maximum value. Expected a "
                "value <= 32000, but got 50000 instead."
            ),
        ),
        (
            session(instructions=7),
            "invalid_type",
            "session.instructions",
            (
                "Invalid type for 'session.instructions': expected a string, but got an integer "
                "instead."
            ),
        ),
        (
            session(output_modalities=["audio", "text"]),
            "invalid_value",
            "session.output_modalities",
            (
                "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and "
                "['audio']."
            ),
        ),
        (
            session(audio={"input": {"turn_detection": {"type": "psychic_vad"}}}),
            "invalid_value",
            "session.audio.input.turn_detection.type",
            "Invalid value: 'psychic_vad'. Supported values are: 'server_vad' and 'semantic_vad'.",
        ),
        (
            session(
                audio={"input": {"turn_detection": {"type": "server_vad", "eagerness": "low"}}}
            ),
            "unknown_parameter",
            "session.audio.input.turn_detection.eagerness",
            "Unknown parameter: 'session.audio.input.turn_detection.eagerness'.",
        ),
        (
            session(
                audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1000}}}
            ),
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
            (
                "Invalid 'session.audio.input.turn_detection.idle_timeout_ms': integer below "
                "minimum value. Expected a value >= 5000, but got 1000 instead."
            ),
        ),
        (
            session(tools=[{"type": "function", "name": "no spaces"}]),
            "invalid_value",
            "session.tools[0].name",
            (
                "Invalid 'session.tools[0].name': string does not match pattern. Expected a string "
                "that matches the pattern '[a-zA-Z0-9_-]+'."
            ),
        ),
        (
            item(role="user", content=[{"type": "text", "text": "Hi"}]),
            "invalid_value",
            "item.content[0].type",
            (
                "Invalid value: 'text'. Supported values are: 'input_text', 'input_audio', and "
                "'input_image'."
            ),
        ),
        (
            item(role="system", content=[{"type": "input_audio", "audio": ""}]),
            "invalid_value",
            "item.content[0].type",
            "Invalid value: 'input_audio'. Value must be 'input_text'.",
        ),
        (
            item(role="user", content=[{"type": "input_image", "image_url": "http://x/y.png"}]),
            "invalid_value",
            "item.content[0].image_url",
            (
                "Invalid 'item.content[0].image_url': string does not match pattern. Expected a "
                "string that matches the pattern "
                "'data:image/(png|jpe?g);base64,[A-Za-z0-9+/=\\s]+'."
            ),
        ),
        (
            {"type": "response.create", "response": {"metadata": {"k": "v" * 513}}},
            "string_above_max_length",
            "response.metadata.k",
            (
                "Invalid 'response.metadata.k': string too long. Expected a string with maximum "
                "length 512, but got a string with length 513 instead."
            ),
        ),
        (
            {"type": "response.create", "response": {"metadata": {str(n): "" for n in range(17)}}},
            "object_above_max_properties",
            "response.metadata",
            (
                "Invalid 'response.metadata': too many properties. Expected an object with at most "
                "16 properties, but got an object with 17 properties instead."
            ),
        ),
        (
            {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0},
            "missing_required_parameter",
            "audio_end_ms",
            "Missing required parameter: 'audio_end_ms'.",
        ),
    ],
)
def test_a_wrong_shape_is_refused(
    event: dict[str, Any], code: str, param: str, message: str
) -> None:
    effects = Talk()({**event, "event_id": "mine"})

    assert effects == (
        emit(
            ServerError(
                error=ErrorDetail(
                    type="invalid_request_error",
                    code=code,
                    param=param,
                    message=message,
                    event_id="mine",
                )
            )
        ),
    )


def test_a_refused_event_changes_nothing() -> None:
    talk = Talk()
    before = only_session(talk)

    talk(session(instructions="New", audio={"output": {"speed": 9}}))

    assert only_session(talk) == before


def only_session(talk: Talk) -> object:
    [event] = talk(session())
    return event


def test_what_is_no_json_is_refused_without_an_event_id() -> None:
    talk = Talk()
    message = talk.dialect.decode_client('{"type": "session.update", ')

    error = only(ServerError, talk(message)).error

    assert error.code == "invalid_json"
    assert error.event_id is None


def test_audio_that_is_no_base64_is_refused() -> None:
    effects = Talk()({"type": "input_audio_buffer.append", "audio": "not base64!"})

    assert only(ServerError, effects).error.code == "invalid_value"
    assert doings(effects) == []


def test_more_than_15_mib_at_once_is_refused() -> None:
    effects = Talk()(InputAudioBufferAppend(audio=bytes(15 * 2**20 + 2)))

    error = only(ServerError, effects).error
    assert (error.code, error.param) == ("invalid_value", "audio")


def test_a_server_can_forget_to_echo_the_event_id() -> None:
    talk = Talk(options=ConversationOptions(echo_event_ids=False))

    error = only(ServerError, talk({"type": "response.cancel", "event_id": "mine"})).error

    assert (error.code, error.event_id) == ("response_cancel_not_active", None)


def test_output_audio_buffer_is_for_other_transports() -> None:
    error = only(ServerError, Talk()({"type": "output_audio_buffer.clear"})).error

    assert error.param == "type"
