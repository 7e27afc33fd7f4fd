"""The session: its settings, what can't be changed, and its end."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from realtime_actors.config import (
    OFF,
    NoiseReductionConfig,
    SessionModelSettings,
    TurnDetectionConfig,
)
from realtime_actors.items import user_message
from realtime_actors.protocol import (
    ConversationItemCreate,
    ErrorDetail,
    ServerError,
    SessionCreated,
    SessionInfo,
    SessionUpdate,
    SessionUpdated,
)
from realtime_actors.server import ConversationOptions
from realtime_actors.server.server_effects import (
    CancelGeneration,
    CloseConnection,
    DetectTurns,
)
from realtime_actors.server.server_messages import GenerationAudio, GenerationEnded, Tick
from realtime_actors.server.session_state import DEFAULT_INSTRUCTIONS
from realtime_actors.server.turn_detection import TurnSettings
from tests.server.talk import UNIX_TIME, Talk, doings, emit, only, silence, types

SERVER_VAD = TurnDetectionConfig(
    type="server_vad",
    threshold=0.5,
    prefix_padding_ms=300,
    silence_duration_ms=500,
    create_response=True,
    interrupt_response=True,
)
DEFAULTS = SessionModelSettings(
    model="gpt-realtime",
    instructions=DEFAULT_INSTRUCTIONS,
    modalities=("audio",),
    voice="alloy",
    speed=1.0,
    input_audio_format="pcm16",
    output_audio_format="pcm16",
    input_audio_transcription=OFF,
    input_audio_noise_reduction=OFF,
    turn_detection=SERVER_VAD,
    tools=(),
    tool_choice="auto",
    max_output_tokens="inf",
    truncation="auto",
    tracing=OFF,
    prompt=OFF,
)


def info(settings: SessionModelSettings) -> SessionInfo:
    return SessionInfo(
        id="sess_1", type="realtime", expires_at=int(UNIX_TIME) + 3600, settings=settings
    )


def update(**members: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **members}}


def refused(talk: Talk, event: Any) -> ErrorDetail:
    effects = talk(event)
    error = only(ServerError, effects).error
    assert effects == (emit(ServerError(error=error)),)
    return error


def test_the_first_event_tells_all_settings() -> None:
    talk = Talk()

    assert talk.opening == (
        emit(SessionCreated(session=info(DEFAULTS))),
        DetectTurns(settings=TurnSettings(), audio_format="pcm16", start_ms=0),
    )
    assert talk.conversation.wakes_at == 3600.0


def test_an_update_changes_what_it_names_and_echoes_everything() -> None:
    talk = Talk()

    first = talk(SessionUpdate(session=SessionModelSettings(instructions="Be brief.")))
    second = talk(SessionUpdate(session=SessionModelSettings(voice="marin", tool_choice="none")))

    once = evolve(DEFAULTS, instructions="Be brief.")
    assert first == (emit(SessionUpdated(session=info(once))),)
    twice = evolve(once, voice="marin", tool_choice="none")
    assert second == (emit(SessionUpdated(session=info(twice))),)


def test_emptiness_clears_and_null_switches_off() -> None:
    talk = Talk()
    tools = [{"type": "function", "name": "weather"}]
    talk(update(tools=tools, audio={"input": {"transcription": {"model": "whisper-1"}}}))

    cleared = talk(
        update(
            instructions="",
            tools=[],
            audio={"input": {"transcription": None, "turn_detection": None}},
        )
    )

    settings = only(SessionUpdated, cleared).session.settings
    assert settings == evolve(DEFAULTS, instructions="", tools=(), turn_detection=OFF)
    assert doings(cleared) == [DetectTurns(settings=None, audio_format="pcm16", start_ms=0)]


def test_turn_detection_is_replaced_and_filled_in() -> None:
    talk = Talk()

    semantic = talk(update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}}))
    server = talk(
        update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.8}}})
    )

    assert only(SessionUpdated, semantic).session.settings.turn_detection == TurnDetectionConfig(
        type="semantic_vad", eagerness="auto", create_response=True, interrupt_response=True
    )
    assert doings(semantic) == [
        DetectTurns(settings=TurnSettings(eagerness="auto"), audio_format="pcm16", start_ms=0)
    ]
    assert only(SessionUpdated, server).session.settings.turn_detection == evolve(
        SERVER_VAD, threshold=0.8
    )


@pytest.mark.parametrize(
    ("changes", "strength"),
    [
        ([{"type": "far_field"}], None),
        ([{"type": "far_field", "strength": 0.5}], 0.5),
        ([{"type": "far_field", "strength": 0.5}, {"type": "near_field"}], 0.5),
        ([{"type": "far_field", "strength": 0.5}, None, {"type": "far_field"}], None),
    ],
)
def test_how_much_noise_is_taken_out_stays_as_it_is_unless_it_is_said(changes, strength) -> None:
    talk = Talk()

    for change in changes:
        effects = talk(update(audio={"input": {"noise_reduction": change}}))

    noise = only(SessionUpdated, effects).session.settings.input_audio_noise_reduction
    assert isinstance(noise, NoiseReductionConfig)
    assert (noise.type, noise.strength) == (changes[-1]["type"], strength)


def test_the_server_says_how_much_silence_ends_a_turn() -> None:
    talk = Talk(options=ConversationOptions(silence_duration_ms=200))

    [detect] = doings(talk.opening)

    assert isinstance(detect, DetectTurns)
    assert detect.settings == TurnSettings(silence_duration_ms=200)


def spoken() -> Talk:
    """A conversation in which the model's voice was heard."""
    talk = Talk()
    talk.all(
        {"type": "response.create"},
        GenerationAudio("resp_1", silence(100)),
        GenerationEnded(response_id="resp_1"),
    )
    return talk


def test_the_voice_is_fixed_once_it_was_heard() -> None:
    talk = spoken()

    for event in (
        update(audio={"output": {"voice": "marin"}}),
        {"type": "response.create", "response": {"audio": {"output": {"voice": "marin"}}}},
    ):
        assert refused(talk, event) == ErrorDetail(
            type="invalid_request_error",
            code="cannot_update_voice",
            message="Cannot update a conversation's voice if assistant audio is present.",
        )
    assert types(talk(update(audio={"output": {"voice": "alloy"}}))) == ["session.updated"]


def test_the_model_is_fixed() -> None:
    talk = Talk()

    error = refused(talk, update(model="gpt-realtime-mini"))

    assert (error.code, error.param) == ("invalid_value", "session.model")
    assert types(talk(update(model="gpt-realtime"))) == ["session.updated"]


def test_the_speed_changes_between_turns_only() -> None:
    talk = Talk()
    talk({"type": "response.create"})

    assert refused(talk, update(audio={"output": {"speed": 1.2}})).code == "cannot_update_speed"
    talk(GenerationEnded(response_id="resp_1"))
    assert types(talk(update(audio={"output": {"speed": 1.2}}))) == ["session.updated"]


def test_tracing_is_fixed_once_it_is_on() -> None:
    talk = Talk()
    assert types(talk(update(tracing="auto"))) == ["session.updated"]

    assert refused(talk, update(tracing=None)).code == "cannot_update_tracing"
    assert types(talk(update(tracing="auto"))) == ["session.updated"]


def test_one_transcription_model_finds_turns_itself() -> None:
    talk = Talk()

    error = refused(
        talk, update(audio={"input": {"transcription": {"model": "gpt-realtime-whisper"}}})
    )

    assert error.param == "session.audio.input.turn_detection"


# --- transcription sessions ------------------------------------------------------------------


def test_a_transcription_session_has_only_ears() -> None:
    talk = Talk(type_="transcription")

    session = only(SessionCreated, talk.opening).session
    assert session.type == "transcription"
    assert session.settings.turn_detection == SERVER_VAD
    assert session.settings.voice is None


def test_a_fresh_session_may_become_one_for_transcription() -> None:
    talk = Talk()

    effects = talk(
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
            },
        }
    )

    session = only(SessionUpdated, effects).session
    assert session.type == "transcription"
    assert session.settings.instructions is None


def test_a_fresh_transcription_session_may_become_one_that_answers() -> None:
    talk = Talk(type_="transcription")

    effects = talk(update(instructions="Be kind."))

    session = only(SessionUpdated, effects).session
    assert session.type == "realtime"
    assert session.settings.model == "gpt-realtime"
    assert session.settings.instructions == "Be kind."


def test_a_session_that_becomes_another_kind_can_not_change_its_model_by_that() -> None:
    talk = Talk(type_="transcription")

    error = refused(talk, update(model="gpt-other"))

    assert error.message == "The model of a session cannot be changed: it is 'gpt-realtime'."


def test_a_session_that_has_begun_keeps_its_type() -> None:
    talk = Talk()
    talk(ConversationItemCreate(item=user_message("Hi")))

    error = refused(talk, {"type": "session.update", "session": {"type": "transcription"}})

    assert error.message == (
        "Passing a transcription session update event to a realtime session is not allowed."
    )


# --- the end ---------------------------------------------------------------------------------


def test_a_session_ends_after_its_time() -> None:
    talk = Talk(options=ConversationOptions(max_session_seconds=1800))
    talk({"type": "response.create"})
    message = "Your session hit the maximum duration of 30 minutes."

    assert talk(Tick(), at=1799.9) == ()
    effects = talk(Tick(), at=1800.0)

    assert only(SessionCreated, talk.opening).session.expires_at == int(UNIX_TIME) + 1800
    assert effects == (
        emit(
            ServerError(
                error=ErrorDetail(
                    type="invalid_request_error", code="session_expired", message=message
                )
            )
        ),
        CancelGeneration("resp_1"),
        CloseConnection(1001, message),
    )
    assert talk.conversation.wakes_at is None


@pytest.mark.parametrize(
    "message", [{"type": "response.create"}, GenerationEnded(response_id="resp_1")]
)
def test_nothing_happens_after_the_end(message: Any) -> None:
    talk = Talk()
    talk({"type": "response.create"})
    talk(Tick(), at=3600.0)

    assert talk(message) == ()
