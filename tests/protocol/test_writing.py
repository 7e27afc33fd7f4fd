"""What goes out: what is set and nothing else, in the shape of the dialect."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from realtime_actors.config import (
    OFF,
    ResponseSettings,
    SessionModelSettings,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.errors import ConfigError, LocalProtocolError
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    ItemReference,
    McpApprovalResponseItem,
    MessageItem,
    OutputAudio,
    assistant_message,
    user_message,
)
from realtime_actors.protocol import (
    ClientEvent,
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDelete,
    Dialect,
    InputAudioBufferAppend,
    InputAudioBufferCommit,
    MalformedEvent,
    RawClientEvent,
    Response,
    ResponseCancel,
    ResponseCreate,
    ResponseCreated,
    SessionInfo,
    SessionUpdate,
    SessionUpdated,
    dialect,
)
from realtime_actors.surrogates import replace_surrogates
from tests.protocol.samples import BETA, BETA_STANDARD, GA, GA_STANDARD


def ga(event: ClientEvent) -> Any:
    written = json.loads(GA.encode_client(event))
    assert json.loads(GA_STANDARD.encode_client(event)) == written
    return written


def beta(event: ClientEvent) -> Any:
    written = json.loads(BETA.encode_client(event))
    assert json.loads(BETA_STANDARD.encode_client(event)) == written
    return written


def ga_session(**settings: Any) -> Any:
    return ga(SessionUpdate(session=SessionModelSettings(**settings)))["session"]


def beta_session(**settings: Any) -> Any:
    return beta(SessionUpdate(session=SessionModelSettings(**settings)))["session"]


# --- events -------------------------------------------------------------------------------------


def test_only_what_is_set_goes_out() -> None:
    assert ga(InputAudioBufferCommit()) == {"type": "input_audio_buffer.commit"}
    assert ga(ResponseCancel()) == {"type": "response.cancel"}
    assert ga(ResponseCancel(response_id="r", event_id="e")) == {
        "type": "response.cancel",
        "response_id": "r",
        "event_id": "e",
    }
    assert ga(ResponseCreate()) == {"type": "response.create"}
    assert ga_session() == {"type": "realtime"}
    assert beta_session() == {}


@pytest.mark.parametrize("each", [GA, GA_STANDARD, BETA, BETA_STANDARD])
@pytest.mark.parametrize("audio", [b"", b"\0\1", bytes(range(256)) * 5])
def test_audio_goes_out_the_short_way_as_the_long_way(each: Dialect, audio: bytes) -> None:
    short = each.encode_append(audio)

    assert json.loads(short) == json.loads(each.encode_client(InputAudioBufferAppend(audio=audio)))
    assert each.decode_client(short) == InputAudioBufferAppend(audio=audio)


def test_a_tool_output_is_one_item() -> None:
    item = FunctionCallOutputItem(call_id="call_1", output="sunny")

    assert ga(ConversationItemCreate(item=item)) == {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    }


def test_content_has_the_names_of_the_dialect() -> None:
    item = MessageItem(
        role="assistant",
        content=(OutputAudio(transcript="Hi.", truncated_at_ms=80), InputText("you")),
    )
    create = ConversationItemCreate(item=item)

    assert [part["type"] for part in ga(create)["item"]["content"]] == [
        "output_audio",
        "input_text",
    ]
    assert beta(create)["item"]["content"] == [
        {"type": "audio", "transcript": "Hi."},
        {"type": "input_text", "text": "you"},
    ]


def test_audio_of_an_item_is_base64() -> None:
    item = user_message(InputAudio(audio=b"\1\0\2\0"))

    assert ga(ConversationItemCreate(item=item))["item"]["content"] == [
        {"type": "input_audio", "audio": "AQACAA=="}
    ]


def test_a_raw_event_goes_out_as_it_is() -> None:
    payload = {"type": "session.update", "session": None, "mine": [1, {"a": None}]}

    assert ga(RawClientEvent(payload=payload)) == payload


def test_text_of_any_language_goes_out_as_utf8() -> None:
    event = ConversationItemCreate(item=user_message("grüße, 世界 🎧"))

    for each in (GA, GA_STANDARD):
        assert "grüße, 世界 🎧".encode() in each.encode_client(event)


@pytest.mark.parametrize("each", [GA, GA_STANDARD], ids=["fastest", "standard"])
@pytest.mark.parametrize(
    "event",
    [
        RawClientEvent(payload={"type": "x", "when": {date(2026, 1, 1)}}),
        RawClientEvent(payload={"type": "x", "when": {date(2026, 1, 1)}, "text": "\ud800"}),
        ConversationItemCreate(item=MessageItem(role="user", content=("text",))),  # type: ignore[arg-type]
    ],
)
def test_what_json_cannot_say_is_our_fault(each: Dialect, event: ClientEvent) -> None:
    with pytest.raises(LocalProtocolError, match=r"can't be written as JSON"):
        each.encode_client(event)


HALF = "caf\udce9"
"""As Python reads the name of a file that is no UTF-8."""
WITH_A_HALF: list[ClientEvent] = [
    RawClientEvent(payload={"type": "x", HALF: [{"a": (HALF,)}, 1, None]}),
    ConversationItemCreate(item=user_message(HALF), previous_item_id=HALF),
    ConversationItemCreate(item=FunctionCallOutputItem(call_id=HALF, output=HALF)),
    ConversationItemCreate(item=FunctionCallItem(call_id="c", name=HALF, arguments=HALF)),
    ConversationItemCreate(
        item=McpApprovalResponseItem(approval_request_id="m", approve=False, reason=HALF)
    ),
    ConversationItemCreate(item=MessageItem(role=HALF, extra={HALF: HALF})),
    ConversationItemDelete(item_id=HALF, event_id=HALF),
    SessionUpdate(
        session=SessionModelSettings(
            instructions=HALF,
            voice=HALF,
            tools=({"type": "function", "name": "f", "description": HALF},),
            extra={HALF: HALF},
        )
    ),
    ResponseCreate(response=ResponseSettings(instructions=HALF, metadata={HALF: HALF})),
    ResponseCancel(response_id=HALF),
]


@pytest.mark.parametrize("each", [GA, GA_STANDARD, BETA, BETA_STANDARD])
@pytest.mark.parametrize("event", WITH_A_HALF, ids=lambda event: event.type)
def test_half_a_character_goes_out_as_a_replacement(each: Dialect, event: ClientEvent) -> None:
    written = each.encode_client(event).decode()

    assert "caf\ufffd" in written
    assert "\\ud" not in written


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("grüße 🎧", "grüße 🎧"),
        ("\ud83d", "\ufffd"),
        ("a\udfa7b", "a\ufffdb"),
        ("\ud83c\udfa7", "🎧"),  # two halves that were kept apart
        ("\udfa7\ud83c", "\ufffd\ufffd"),
        ("\ud83c🎧\ud83c", "\ufffd🎧\ufffd"),
    ],
)
def test_halves_of_characters_are_replaced_or_joined(text: str, whole: str) -> None:
    assert replace_surrogates(text) == whole


def test_what_is_no_event_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError, match="a MalformedEvent can't be sent"):
        GA.encode_client(MalformedEvent(reason="it is not JSON"))


def test_there_are_two_dialects() -> None:
    with pytest.raises(ConfigError, match=r"dialect is 'betta': did you mean 'beta'\?"):
        dialect("betta")


# --- settings -----------------------------------------------------------------------------------


def test_flat_settings_are_nested_for_ga() -> None:
    assert ga_session(
        voice="marin",
        speed=1.25,
        input_audio_format="pcm16",
        output_audio_format="g711_alaw",
        input_audio_transcription=TranscriptionConfig(model="whisper-1"),
        input_audio_noise_reduction={"type": "near_field"},
        turn_detection=TurnDetectionConfig(type="semantic_vad", eagerness="high"),
        max_output_tokens="inf",
    ) == {
        "type": "realtime",
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "whisper-1"},
                "noise_reduction": {"type": "near_field"},
                "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
            },
            "output": {"voice": "marin", "speed": 1.25, "format": {"type": "audio/pcma"}},
        },
        "max_output_tokens": "inf",
    }


def test_flat_settings_stay_flat_for_beta() -> None:
    assert beta_session(
        voice="marin",
        input_audio_format="pcm16",
        turn_detection={"threshold": 0.4},
        max_output_tokens=300,
        temperature=0.7,
    ) == {
        "voice": "marin",
        "input_audio_format": "pcm16",
        "turn_detection": {"type": "server_vad", "threshold": 0.4},
        "max_response_output_tokens": 300,
        "temperature": 0.7,
    }


def test_off_is_null() -> None:
    off = {
        "turn_detection": OFF,
        "input_audio_transcription": OFF,
        "input_audio_noise_reduction": OFF,
        "tracing": OFF,
        "prompt": OFF,
    }

    assert beta_session(**off) == dict.fromkeys(off)
    assert ga_session(**off) == {
        "type": "realtime",
        "audio": {
            "input": {"turn_detection": None, "transcription": None, "noise_reduction": None}
        },
        "tracing": None,
        "prompt": None,
    }


def test_empty_clears() -> None:
    assert ga_session(instructions="", tools=()) == {
        "type": "realtime",
        "instructions": "",
        "tools": [],
    }


@pytest.mark.parametrize("spoken", [("text", "audio"), ("audio", "text"), ("audio",)])
def test_speech_comes_with_text(spoken: tuple[str, ...]) -> None:
    assert ga_session(modalities=spoken)["output_modalities"] == ["audio"]
    assert beta_session(modalities=spoken)["modalities"] == ["text", "audio"]


def test_text_comes_alone() -> None:
    assert ga_session(modalities=["text"])["output_modalities"] == ["text"]
    assert beta_session(modalities=["text"])["modalities"] == ["text"]


def test_what_a_dialect_does_not_have_is_not_sent_to_it() -> None:
    assert ga_session(temperature=0.7) == {"type": "realtime"}
    assert (
        beta_session(reasoning={"effort": "low"}, truncation="disabled", parallel_tool_calls=False)
        == {}
    )


def test_extra_is_merged_into_the_session() -> None:
    assert ga_session(
        voice="ash",
        turn_detection={"type": "server_vad"},
        extra={"audio": {"input": {"turn_detection": {"patience": 2}}}, "colour": "blue"},
    ) == {
        "type": "realtime",
        "audio": {
            "input": {"turn_detection": {"type": "server_vad", "patience": 2}},
            "output": {"voice": "ash"},
        },
        "colour": "blue",
    }


def test_enumerations_are_words() -> None:
    assert ga_session(tool_choice={"type": "function", "name": "weather"}, tracing="auto") == {
        "type": "realtime",
        "tool_choice": {"type": "function", "name": "weather"},
        "tracing": "auto",
    }


def test_a_transcription_session_has_input_only() -> None:
    update = SessionUpdate(
        session_type="transcription",
        session=SessionModelSettings(
            input_audio_format="pcm16", voice="ash", instructions="Be brief.", turn_detection=OFF
        ),
    )

    assert ga(update) == {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "turn_detection": None,
                }
            },
        },
    }
    assert beta(update) == {
        "type": "transcription_session.update",
        "session": {"input_audio_format": "pcm16", "turn_detection": None},
    }


def test_a_response_has_settings_of_its_own() -> None:
    create = ResponseCreate(
        response=ResponseSettings(
            modalities=["text"],
            voice="ash",
            max_output_tokens=50,
            conversation="none",
            metadata={"purpose": "title"},
            input=[ItemReference(id="item_1"), "And now?", assistant_message("Well.")],
            extra={"priority": "high"},
        )
    )

    assert ga(create)["response"] == {
        "output_modalities": ["text"],
        "audio": {"output": {"voice": "ash"}},
        "max_output_tokens": 50,
        "conversation": "none",
        "metadata": {"purpose": "title"},
        "input": [
            {"type": "item_reference", "id": "item_1"},
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "And now?"}],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Well."}],
            },
        ],
        "priority": "high",
    }
    assert beta(create)["response"]["max_response_output_tokens"] == 50
    assert beta(create)["response"]["input"][2]["content"] == [{"type": "text", "text": "Well."}]


def test_an_empty_input_shows_the_model_nothing() -> None:
    assert ga(ResponseCreate(response=ResponseSettings(input=[], tools=[]))) == {
        "type": "response.create",
        "response": {"input": [], "tools": []},
    }


# --- what a server says -------------------------------------------------------------------------


def test_a_server_says_its_session_in_the_dialect() -> None:
    event = SessionUpdated(
        event_id="e",
        session=SessionInfo(
            id="sess_1",
            expires_at=17,
            settings=SessionModelSettings(voice="ash", turn_detection=OFF),
        ),
    )

    assert json.loads(GA.encode_server(event)) == {
        "type": "session.updated",
        "event_id": "e",
        "session": {
            "object": "realtime.session",
            "id": "sess_1",
            "expires_at": 17,
            "type": "realtime",
            "audio": {"input": {"turn_detection": None}, "output": {"voice": "ash"}},
        },
    }
    assert json.loads(BETA.encode_server(event))["session"] == {
        "object": "realtime.session",
        "id": "sess_1",
        "expires_at": 17,
        "voice": "ash",
        "turn_detection": None,
    }


def test_a_server_says_its_response_in_the_dialect() -> None:
    event = ResponseCreated(
        response=Response(
            id="r",
            status="in_progress",
            output_modalities=("audio",),
            voice="ash",
            output_audio_format="pcm16",
        )
    )

    assert json.loads(GA.encode_server(event))["response"] == {
        "object": "realtime.response",
        "id": "r",
        "status": "in_progress",
        "output": [],
        "output_modalities": ["audio"],
        "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcm", "rate": 24000}}},
    }
    assert json.loads(BETA.encode_server(event))["response"] == {
        "object": "realtime.response",
        "id": "r",
        "status": "in_progress",
        "output": [],
        "modalities": ["text", "audio"],
        "voice": "ash",
        "output_audio_format": "pcm16",
    }


def test_a_server_may_send_items_that_it_made_up() -> None:
    event = ConversationItemAdded(item=assistant_message("Hi."), previous_item_id="p")

    assert json.loads(GA.encode_server(event)) == {
        "type": "conversation.item.added",
        "item": {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi."}],
        },
        "previous_item_id": "p",
    }
