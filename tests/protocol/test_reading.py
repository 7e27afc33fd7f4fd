"""What comes of what somebody sends: events, or a reason why not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from realtime_actors.config import (
    OFF,
    SessionModelSettings,
    TranscriptionConfig,
    TurnDetectionConfig,
)
from realtime_actors.items import (
    FunctionCallItem,
    InputAudio,
    MessageItem,
    OutputAudio,
    OutputText,
    UnknownItem,
    UnknownPart,
)
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemCreated,
    ConversationItemRetrieved,
    Dialect,
    ErrorDetail,
    InputAudioBufferAppend,
    InputAudioBufferCommitted,
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputTokenDetails,
    MalformedEvent,
    OutputTokenDetails,
    RateLimit,
    RateLimitsUpdated,
    Response,
    ResponseContentPartAdded,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDelta,
    ResponseOutputTextDelta,
    ServerError,
    SessionCreated,
    SessionInfo,
    SessionUpdate,
    SessionUpdated,
    StatusDetails,
    UnknownEvent,
    Usage,
)
from tests.protocol.samples import BETA, GA, GA_STANDARD, text

BOTH_BACKENDS = pytest.mark.parametrize("ga", [GA, GA_STANDARD], ids=["fastest", "standard"])

AUDIO_DELTA = {
    "type": "response.output_audio.delta",
    "event_id": "event_1",
    "response_id": "resp_1",
    "item_id": "item_1",
    "output_index": 0,
    "content_index": 0,
    "delta": "AQACAA==",
}


def session(**members: Any) -> SessionModelSettings:
    """The settings that are read from a session object."""
    event = GA.decode_server(text({"type": "session.updated", "session": members}))
    assert isinstance(event, SessionUpdated)
    return event.session.settings


# --- events -------------------------------------------------------------------------------------


@BOTH_BACKENDS
@pytest.mark.parametrize(
    "type_", ["response.output_audio.delta", "response.audio.delta"], ids=["ga", "beta"]
)
def test_audio_is_decoded(ga: Dialect, type_: str) -> None:
    assert ga.decode_server(text(AUDIO_DELTA | {"type": type_})) == ResponseOutputAudioDelta(
        event_id="event_1", response_id="resp_1", item_id="item_1", delta=b"\1\0\2\0"
    )


@BOTH_BACKENDS
@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": None},
        {"event_id": 7},
        {"output_index": None, "content_index": "first"},
        {"output_index": 0.0},
        {"delta": "AQACAA"},  # without its padding
    ],
)
def test_audio_is_decoded_whatever_else_is_odd(ga: Dialect, changes: dict[str, Any]) -> None:
    event = ga.decode_server(text(AUDIO_DELTA | changes))

    assert isinstance(event, ResponseOutputAudioDelta)
    assert (event.item_id, event.output_index, event.delta) == ("item_1", 0, b"\1\0\2\0")


@pytest.mark.parametrize("make", [str, str.encode, lambda s: bytearray(s.encode())])
def test_text_comes_in_any_form(make: Any) -> None:
    data = make(json.dumps(AUDIO_DELTA))

    assert isinstance(GA.decode_server(data), ResponseOutputAudioDelta)
    assert isinstance(GA_STANDARD.decode_server(data), ResponseOutputAudioDelta)


def test_text_may_begin_with_a_byte_order_mark() -> None:
    for ga in (GA, GA_STANDARD):
        assert isinstance(
            ga.decode_server(b"\xef\xbb\xbf" + text(AUDIO_DELTA)), ResponseOutputAudioDelta
        )


def test_text_may_be_a_view_of_a_larger_buffer() -> None:
    data = b"xx" + text(AUDIO_DELTA) + b"xx"

    for ga in (GA, GA_STANDARD):
        assert isinstance(ga.decode_server(memoryview(data)[2:-2]), ResponseOutputAudioDelta)


def test_a_response_starts_and_ends() -> None:
    created = GA.decode_server(
        text({"type": "response.created", "response": {"id": "r", "status": "in_progress"}})
    )
    done = GA.decode_server(
        text(
            {
                "type": "response.done",
                "response": {
                    "id": "r",
                    "status": "failed",
                    "status_details": {
                        "type": "failed",
                        "error": {"type": "server_error", "code": "rate_limit_exceeded"},
                    },
                    "output": [{"type": "function_call", "call_id": "c", "name": "f"}],
                    "output_modalities": ["audio"],
                    "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcmu"}}},
                    "max_output_tokens": "inf",
                    "usage": {
                        "total_tokens": 9,
                        "input_token_details": {"text_tokens": 4},
                        "output_token_details": {"audio_tokens": 5},
                    },
                },
            }
        )
    )

    assert created == ResponseCreated(response=Response(id="r", status="in_progress"))
    assert done == ResponseDone(
        response=Response(
            id="r",
            status="failed",
            status_details=StatusDetails(
                type="failed", error=ErrorDetail(type="server_error", code="rate_limit_exceeded")
            ),
            output=(FunctionCallItem(call_id="c", name="f"),),
            output_modalities=("audio",),
            voice="ash",
            output_audio_format="g711_ulaw",
            max_output_tokens="inf",
            usage=Usage(
                total_tokens=9,
                input_token_details=InputTokenDetails(text_tokens=4),
                output_token_details=OutputTokenDetails(audio_tokens=5),
            ),
        )
    )


def test_a_function_call_keeps_its_arguments_as_text() -> None:
    wire = {
        "type": "response.function_call_arguments.done",
        "response_id": "r",
        "item_id": "i",
        "output_index": 1,
        "call_id": "c",
        "name": "weather",
        "arguments": '{"city": "Oslo"}',
    }

    assert GA.decode_server(text(wire)) == ResponseFunctionCallArgumentsDone(
        response_id="r",
        item_id="i",
        output_index=1,
        call_id="c",
        name="weather",
        arguments='{"city": "Oslo"}',
    )


def test_an_error_keeps_the_id_of_the_event_that_caused_it() -> None:
    error = {"type": "invalid_request_error", "message": "No.", "param": None, "event_id": "mine"}

    assert GA.decode_server(text({"type": "error", "error": error})) == ServerError(
        error=ErrorDetail(type="invalid_request_error", message="No.", event_id="mine")
    )


def test_an_error_without_words_is_an_error() -> None:
    assert GA.decode_server('{"type": "error"}') == ServerError(error=ErrorDetail())


def test_a_key_of_the_telephone_has_no_event_id() -> None:
    # The specification's own example has a blank before the type.
    wire = {"type": " input_audio_buffer.dtmf_event_received", "event": "9", "received_at": 17}

    assert GA.decode_server(text(wire)) == InputAudioBufferDtmfEventReceived(
        event="9", received_at=17
    )


def test_what_a_server_leaves_out_has_its_default() -> None:
    # Some servers say no more than this.
    assert GA.decode_server('{"type": "input_audio_buffer.committed"}') == (
        InputAudioBufferCommitted()
    )
    assert GA.decode_server('{"type": "input_audio_buffer.speech_started"}') == (
        InputAudioBufferSpeechStarted()
    )


def test_of_a_list_what_makes_sense_is_kept() -> None:
    limits = [{"name": "tokens", "remaining": 5}, None, "tokens", {"name": 3, "limit": True}]

    assert GA.decode_server(
        text({"type": "rate_limits.updated", "rate_limits": limits})
    ) == RateLimitsUpdated(rate_limits=(RateLimit(name="tokens", remaining=5), RateLimit()))


def test_unknown_members_are_in_raw() -> None:
    event = GA.decode_server(text(AUDIO_DELTA | {"loudness": 11}))

    assert event.raw is not None
    assert event.raw["loudness"] == 11


@BOTH_BACKENDS
def test_an_unknown_event_is_kept_whole(ga: Dialect) -> None:
    wire = {"type": "conversation.item.yodelled", "event_id": "e", "pitch": [1, 2]}

    assert ga.decode_server(text(wire)) == UnknownEvent(
        type="conversation.item.yodelled", event_id="e"
    )
    assert ga.decode_server(text(wire)).raw == wire
    assert json.loads(ga.encode_server(ga.decode_server(text(wire)))) == wire


def test_events_are_values() -> None:
    event = GA.decode_server(text(AUDIO_DELTA))

    assert event == GA.decode_server(text(AUDIO_DELTA | {"obfuscation": "x"}))
    assert hash(event) == hash(GA.decode_server(text(AUDIO_DELTA)))
    assert event != GA.decode_server(text(AUDIO_DELTA | {"delta": "AQAD"}))


def test_what_was_said_stays_out_of_logs() -> None:
    said = "my card number is 4000"
    wire = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "i",
        "transcript": said,
    }
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": said}]}

    assert said not in repr(GA.decode_server(text(wire)))
    assert said not in repr(
        GA.decode_server(text({"type": "conversation.item.added", "item": item}))
    )


# --- what is no event ---------------------------------------------------------------------------


@BOTH_BACKENDS
@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "it is not JSON"),
        ("{", "it is not JSON"),
        ('{"type": "error"} {}', "it is not JSON"),
        ('{"type": NaN}', "it has no type"),
        ('{"type": NaN', "it is not JSON"),
        (b'{"type": "\xff"}', "it is not JSON"),
        ("{}".encode("utf-16"), "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "a JSON object, not a list"),
        ('"error"', "a JSON object, not a str"),
        ("null", "a JSON object, not a NoneType"),
        ("{}", "it has no type"),
        ('{"type": null}', "it has no type"),
        ('{"type": ["error"]}', "it has no type"),
    ],
)
def test_what_is_no_event_says_why(ga: Dialect, data: str | bytes, why: str) -> None:
    for event in (ga.decode_server(data), ga.decode_client(data)):
        assert isinstance(event, MalformedEvent)
        assert why in event.reason


@BOTH_BACKENDS
@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (AUDIO_DELTA | {"delta": "!!!!"}, "response.output_audio.delta: delta is not base64"),
        (AUDIO_DELTA | {"delta": "AQACA"}, "response.output_audio.delta: delta is not base64"),
        (AUDIO_DELTA | {"delta": 5}, "response.output_audio.delta: delta is not base64"),
        (AUDIO_DELTA | {"delta": None}, "response.output_audio.delta: delta is missing"),
        (AUDIO_DELTA | {"item_id": 5}, "response.output_audio.delta: item_id is not a text"),
        ({"type": "response.done"}, "response.done: response is missing"),
        ({"type": "response.done", "response": []}, "response.done: response is not an object"),
        ({"type": "conversation.item.done", "item": 1}, "conversation.item.done: item is not"),
        ({"type": "session.created", "session": 1}, "session.created: session is not an object"),
    ],
)
def test_an_event_that_makes_no_sense_says_why(ga: Dialect, wire: dict[str, Any], why: str) -> None:
    event = ga.decode_server(text({**wire, "event_id": "event_9"}))

    assert isinstance(event, MalformedEvent)
    assert event.reason.startswith(why)
    assert event.event_id == "event_9"
    assert event.raw == {**wire, "event_id": "event_9"}


HALF, WHOLE = r"\ud83d", r"\ud83d\ude00"


def raw(value: object) -> str:
    """JSON text in which a half of a character is as it is, and not escaped."""
    return json.dumps(value, ensure_ascii=False)


@BOTH_BACKENDS
@pytest.mark.parametrize(
    "data",
    [
        rf"""{{"type": "response.output_text.delta", "response_id": "{HALF}", "item_id": "i",
        "delta": "a{HALF}b {WHOLE}", "{HALF}": "{HALF}"}}""",
        raw(
            {
                "type": "response.output_text.delta",
                "response_id": "\ud83d",
                "item_id": "i",
                "delta": "a\ud83db \ud83d\ude00",
                "\ud83d": "\ud83d",
            }
        ),
    ],
    ids=["escaped", "as it is"],
)
def test_half_a_character_is_replaced_and_the_event_is_read(ga: Dialect, data: str) -> None:
    expected = ResponseOutputTextDelta(
        response_id="\ufffd", item_id="i", delta="a\ufffdb \N{GRINNING FACE}"
    )

    for form in (data, data.encode("utf-8", "surrogatepass")):
        event = ga.decode_server(form)

        assert event == expected
        assert event.ignored == ()
        assert event.raw is not None
        assert event.raw["\ufffd"] == "\ufffd"


@BOTH_BACKENDS
def test_the_end_of_a_response_is_read_whatever_was_cut_in_it(ga: Dialect) -> None:
    part = f'{{"type": "text", "text": "{HALF}"}}'
    item = f'{{"type": "message", "role": "assistant", "content": [{part}]}}'
    call = f'{{"type": "function_call", "name": "f", "call_id": "c", "arguments": "{HALF}"}}'

    event = ga.decode_server(
        f'{{"type": "response.done", "response": {{"id": "r", "output": [{item}, {call}],'
        f' "metadata": {{"{HALF}": "{HALF}"}}}}}}'
    )

    assert event == ResponseDone(
        response=Response(
            id="r",
            output=(
                MessageItem(role="assistant", content=(OutputText("\ufffd"),)),
                FunctionCallItem(call_id="c", name="f", arguments="\ufffd"),
            ),
            metadata={"\ufffd": "\ufffd"},
        )
    )


@BOTH_BACKENDS
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 400, "9" * 5_000]
)
def test_a_number_that_is_none_is_left_out_and_named(ga: Dialect, number: str) -> None:
    event = ga.decode_server(
        f'{{"type": "response.done", "response": {{"id": "r", "usage":'
        f' {{"total_tokens": {number}, "input_tokens": 4}}}}}}'
    )

    assert event == ResponseDone(response=Response(id="r", usage=Usage(input_tokens=4)))
    (told,) = event.ignored
    assert told.startswith(number[:12])
    assert told.endswith("is no number of JSON's")


@BOTH_BACKENDS
@pytest.mark.parametrize("index", ["-1", "65536", "1000000000", "1e30", "-0.5", "0.5", "9" * 30])
@pytest.mark.parametrize("member", ["content_index", "output_index"])
@pytest.mark.parametrize("type_", ["response.output_audio.delta", "response.output_text.delta"])
def test_an_index_that_no_list_has_makes_the_event_unreadable(
    ga: Dialect, index: str, member: str, type_: str
) -> None:
    ids = '"response_id": "r", "item_id": "i", "delta": "AAAA"'

    event = ga.decode_server(f'{{"type": "{type_}", {ids}, "{member}": {index}}}')

    assert isinstance(event, MalformedEvent)
    assert event.reason.startswith(f"{type_}: {member} is ")
    assert event.reason.endswith("it counts from 0 to 65535")
    assert event.kind == f"{type_}: {member}"


@BOTH_BACKENDS
def test_what_is_of_the_wrong_type_is_named_and_has_its_default(ga: Dialect) -> None:
    wire = {
        "type": "input_audio_buffer.speech_started",
        "item_id": 7,
        "audio_start_ms": -5,
        "event_id": None,
    }

    event = ga.decode_server(text(wire))

    assert event == InputAudioBufferSpeechStarted()
    assert event.ignored == (
        "item_id is not a text",
        "audio_start_ms is not a number of milliseconds",
    )


@BOTH_BACKENDS
@pytest.mark.parametrize("where", [-1, "x", 2.5, 2**60])
def test_a_cut_that_is_nowhere_cuts_nothing(ga: Dialect, where: object) -> None:
    wire = {"type": "conversation.item.truncated", "item_id": "i", "audio_end_ms": where}

    event = ga.decode_server(text(wire))

    assert isinstance(event, MalformedEvent)
    assert "audio_end_ms" in event.reason


@BOTH_BACKENDS
def test_a_client_event_that_makes_no_sense_can_be_answered(ga: Dialect) -> None:
    event = ga.decode_client('{"type": "input_audio_buffer.append", "event_id": "mine"}')

    assert event == MalformedEvent(
        reason="input_audio_buffer.append: audio is missing",
        event_id="mine",
        raw_text='{"type": "input_audio_buffer.append", "event_id": "mine"}',
    )


def test_only_the_beginning_of_nonsense_is_kept() -> None:
    event = GA.decode_server(b"x" * 1_000_000)

    assert isinstance(event, MalformedEvent)
    assert event.raw_text == "x" * 2_000
    assert "xxx" not in repr(event)


# --- items and parts in events ------------------------------------------------------------------


def test_beta_items_are_what_ga_items_are() -> None:
    content = [{"type": "text", "text": "Hi."}, {"type": "audio", "transcript": "Hi."}]
    item = {"type": "message", "id": "i", "role": "assistant", "content": content}

    expected = MessageItem(
        id="i", role="assistant", content=(OutputText("Hi."), OutputAudio(transcript="Hi."))
    )
    assert BETA.decode_server(
        text({"type": "conversation.item.created", "item": item})
    ) == ConversationItemCreated(item=expected)
    assert GA.decode_server(text({"type": "conversation.item.added", "item": item})) == (
        ConversationItemAdded(item=expected)
    )


@pytest.mark.parametrize("type_", ["text", "output_text"])
def test_parts_have_either_name(type_: str) -> None:
    wire = {
        "type": "response.content_part.added",
        "response_id": "r",
        "item_id": "i",
        "part": {"type": type_, "text": ""},
    }

    assert GA.decode_server(text(wire)) == ResponseContentPartAdded(
        response_id="r", item_id="i", part=OutputText("")
    )


@BOTH_BACKENDS
def test_audio_in_an_item_is_decoded(ga: Dialect) -> None:
    sound = base64.b64encode(b"\1\2" * 500).decode()
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}

    expected = MessageItem(role="user", content=(InputAudio(audio=b"\1\2" * 500),))
    assert ga.decode_client(text({"type": "conversation.item.create", "item": item})) == (
        ConversationItemCreate(item=expected)
    )
    assert ga.decode_server(text({"type": "conversation.item.retrieved", "item": item})) == (
        ConversationItemRetrieved(item=expected)
    )


@BOTH_BACKENDS
def test_bad_audio_in_an_item_is_an_unknown_part(ga: Dialect) -> None:
    part = {"type": "input_audio", "audio": "8//2..."}
    wire = {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [part]},
    }

    assert ga.decode_client(text(wire)) == ConversationItemCreate(
        item=MessageItem(role="user", content=(UnknownPart(type="input_audio", raw=part),))
    )


def test_an_item_of_a_new_kind_is_kept_whole() -> None:
    item = {"type": "hologram", "id": "h", "voxels": []}

    assert GA.decode_server(text({"type": "conversation.item.added", "item": item})) == (
        ConversationItemAdded(item=UnknownItem(type="hologram", id="h", raw=item))
    )


# --- settings -----------------------------------------------------------------------------------


def test_a_session_has_flat_settings() -> None:
    wire = {
        "type": "session.created",
        "session": {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_1",
            "expires_at": 1790000000,
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "whisper-1", "language": None},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
                },
                "output": {"voice": "marin", "speed": 1},
            },
        },
    }

    assert GA.decode_server(text(wire)) == SessionCreated(
        session=SessionInfo(
            id="sess_1",
            expires_at=1790000000,
            settings=SessionModelSettings(
                modalities=("audio",),
                input_audio_format="pcm16",
                input_audio_transcription=TranscriptionConfig(model="whisper-1"),
                turn_detection=TurnDetectionConfig(type="semantic_vad", eagerness="low"),
                voice="marin",
                speed=1,
            ),
        )
    )


def test_null_switches_off_what_can_be_off_and_says_nothing_elsewhere() -> None:
    nothing = {"format": None, "transcription": None, "noise_reduction": None}
    audio = {"input": {**nothing, "turn_detection": None}, "output": {"format": None}}

    assert session(
        audio=audio, tracing=None, prompt=None, include=None, tools=None
    ) == SessionModelSettings(
        input_audio_transcription=OFF,
        input_audio_noise_reduction=OFF,
        turn_detection=OFF,
        tracing=OFF,
        prompt=OFF,
    )


def test_a_session_that_mixes_the_dialects_is_read() -> None:
    mixed = session(
        voice="eve",
        turn_detection={"type": "server_vad", "threshold": 0.3},
        modalities=["text", "audio"],
        audio={"input": {"format": {"type": "audio/pcmu"}}, "output": {"voice": None}},
        max_output_tokens=900,
    )

    assert mixed == SessionModelSettings(
        voice="eve",
        turn_detection=TurnDetectionConfig(threshold=0.3),
        modalities=("text", "audio"),
        input_audio_format="g711_ulaw",
        max_output_tokens=900,
    )


def test_what_has_no_name_or_makes_no_sense_is_in_extra() -> None:
    settings = session(
        colour="blue",
        speed=None,
        max_output_tokens=-1,
        audio={
            "input": {
                "format": {"type": "audio/pcm", "rate": 16000},
                "turn_detection": {"type": "server_vad", "threshold": 0.5, "patience": 3},
                "noise_reduction": {"type": "underwater"},
                "echo": {"cancel": True},
            },
            "output": {"speed": 9, "voice": "ash"},
        },
    )

    assert settings == SessionModelSettings(
        turn_detection=TurnDetectionConfig(threshold=0.5),
        voice="ash",
        extra={
            "colour": "blue",
            "max_output_tokens": -1,
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 16000},
                    "turn_detection": {"patience": 3},
                    "noise_reduction": {"type": "underwater"},
                    "echo": {"cancel": True},
                },
                "output": {"speed": 9},
            },
        },
    )


def test_turn_detection_of_a_new_kind_is_in_extra() -> None:
    detection = {"type": "telepathy", "threshold": 0.5}

    assert session(audio={"input": {"turn_detection": detection}}) == SessionModelSettings(
        extra={"audio": {"input": {"turn_detection": detection}}}
    )


def test_settings_that_were_read_are_written_as_they_were() -> None:
    wire = {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "colour": "blue",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 16000},
                    "turn_detection": {"type": "server_vad", "patience": 3},
                },
                "output": {"speed": 9, "voice": {"id": "voice_1"}},
            },
        },
    }

    assert json.loads(GA.encode_client(GA.decode_client(text(wire)))) == wire


def test_a_transcription_session_says_so() -> None:
    wire = {"type": "session.update", "session": {"type": "transcription", "audio": {}}}
    beta = {"type": "transcription_session.update", "session": {}}

    expected = SessionUpdate(session=SessionModelSettings(), session_type="transcription")
    assert GA.decode_client(text(wire)) == expected
    assert BETA.decode_client(text(beta)) == expected


def test_an_append_is_bytes() -> None:
    assert GA.decode_client('{"type": "input_audio_buffer.append", "audio": "AQI="}') == (
        InputAudioBufferAppend(audio=b"\1\2")
    )


def test_a_bare_request_for_a_response_changes_nothing() -> None:
    assert GA.decode_client('{"type": "response.create"}') == ResponseCreate()
    assert GA.decode_client('{"type": "response.create", "response": null}') == ResponseCreate()
