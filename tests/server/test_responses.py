"""Responses: the order of their events, one at a time, and every way they end."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.items import (
    FunctionCallItem,
    InputText,
    Item,
    MessageItem,
    OutputAudio,
    OutputText,
    user_message,
)
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDone,
    ErrorDetail,
    InputTokenDetails,
    OutputTokenDetails,
    RateLimit,
    RateLimitsUpdated,
    Response,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseCreate,
    ResponseCreated,
    ResponseDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ServerError,
    StatusDetails,
    Usage,
)
from realtime_actors.server import ConversationOptions
from realtime_actors.server.engines.interfaces import BrainRequest
from realtime_actors.server.server_effects import CancelGeneration, Generate, Speech
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationFailed,
    GenerationText,
    GenerationToolCall,
)
from realtime_actors.server.session_state import DEFAULT_INSTRUCTIONS
from tests.server.talk import Talk, doings, emit, events, only, silence, types

CREATE = {"type": "response.create"}
UNSPOKEN = {"type": "response.create", "response": {"output_modalities": ["text"]}}
BESIDE = {"type": "response.create", "response": {"conversation": "none"}}
READ = -(-len(DEFAULT_INSTRUCTIONS) // 4) + 3 + 2
"""Tokens of the instructions and of a message that says Hello."""


def started(*said: str) -> Talk:
    """A conversation in which the user wrote something and a response was asked for."""
    talk = Talk()
    for text in said:
        talk(ConversationItemCreate(item=user_message(text)))
    talk(CREATE)
    return talk


def response(status: str, **members: Any) -> Response:
    """A response as it is by default."""
    return Response(
        **{
            "id": "resp_1",
            "status": status,
            "conversation_id": "conv_1",
            "output_modalities": ("audio",),
            "voice": "alloy",
            "output_audio_format": "pcm16",
            "max_output_tokens": "inf",
            **members,
        }
    )


def test_a_response_starts_with_what_the_model_is_to_read() -> None:
    talk = Talk()
    talk(ConversationItemCreate(item=user_message("Hello"), event_id="mine"))

    effects = talk(CREATE)

    assert effects == (
        emit(ResponseCreated(response=response("in_progress"))),
        emit(
            RateLimitsUpdated(
                rate_limits=(
                    RateLimit(
                        name="requests", limit=100_000, remaining=99_999, reset_seconds=0.001
                    ),
                    RateLimit(
                        name="tokens",
                        limit=100_000_000,
                        remaining=100_000_000 - 4096 - READ,
                        reset_seconds=0.002,
                    ),
                )
            )
        ),
        Generate(
            response_id="resp_1",
            request=BrainRequest(
                instructions=DEFAULT_INSTRUCTIONS,
                items=(
                    MessageItem(
                        id="item_1", status="completed", role="user", content=(InputText("Hello"),)
                    ),
                ),
            ),
            speech=Speech(voice="alloy", speed=1.0, audio_format="pcm16"),
        ),
    )


def test_the_events_of_a_spoken_response_come_in_order() -> None:
    talk = started("Hello")
    ids: dict[str, Any] = {
        "response_id": "resp_1",
        "item_id": "item_2",
        "output_index": 0,
        "content_index": 0,
    }
    beginning = MessageItem(id="item_2", status="in_progress", role="assistant")
    spoken = MessageItem(
        id="item_2",
        status="completed",
        role="assistant",
        content=(OutputAudio(transcript="Hi there."),),
    )

    effects = talk.all(
        GenerationText("resp_1", "Hi "),
        GenerationText("resp_1", "there."),
        GenerationAudio("resp_1", silence(100)),
        GenerationAudio("resp_1", silence(60)),
        GenerationEnded(response_id="resp_1"),
    )

    assert effects == (
        emit(ResponseOutputItemAdded(response_id="resp_1", output_index=0, item=beginning)),
        emit(ConversationItemAdded(item=beginning, previous_item_id="item_1")),
        emit(ResponseContentPartAdded(**ids, part=OutputAudio(transcript=""))),
        emit(ResponseOutputAudioTranscriptDelta(**ids, delta="Hi ")),
        emit(ResponseOutputAudioTranscriptDelta(**ids, delta="there.")),
        emit(ResponseOutputAudioDelta(**ids, delta=silence(100))),
        emit(ResponseOutputAudioDelta(**ids, delta=silence(60))),
        emit(ResponseOutputAudioDone(**ids)),
        emit(ResponseOutputAudioTranscriptDone(**ids, transcript="Hi there.")),
        emit(ResponseContentPartDone(**ids, part=OutputAudio(transcript="Hi there."))),
        emit(ResponseOutputItemDone(response_id="resp_1", output_index=0, item=spoken)),
        emit(ConversationItemDone(item=spoken, previous_item_id="item_1")),
        emit(
            ResponseDone(
                response=response(
                    "completed",
                    output=(spoken,),
                    usage=Usage(
                        total_tokens=READ + 3 + 4,
                        input_tokens=READ,
                        output_tokens=3 + 4,
                        input_token_details=InputTokenDetails(text_tokens=READ),
                        output_token_details=OutputTokenDetails(text_tokens=3, audio_tokens=4),
                    ),
                )
            )
        ),
    )


def test_a_written_response_has_text_events() -> None:
    talk = Talk()
    talk(UNSPOKEN)

    effects = talk.all(GenerationText("resp_1", "Hi."), GenerationEnded(response_id="resp_1"))

    assert types(effects) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    [item] = only(ResponseDone, effects).response.output
    assert item == MessageItem(
        id="item_1", status="completed", role="assistant", content=(OutputText("Hi."),)
    )


def test_speech_then_two_calls_are_three_items() -> None:
    talk = started("Weather and time?")
    calls = [
        GenerationToolCall(response_id="resp_1", index=0, name="weather", arguments='{"city":'),
        GenerationToolCall(response_id="resp_1", index=0, name="weather", arguments='"Oslo"}'),
        GenerationToolCall(
            response_id="resp_1", index=1, name="time", arguments="{}", call_id="call_given"
        ),
    ]

    effects = talk.all(
        GenerationText("resp_1", "One moment."),
        *calls,
        GenerationEnded(response_id="resp_1"),
    )

    assert types(effects) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    deltas = [e for e in events(effects) if isinstance(e, ResponseFunctionCallArgumentsDelta)]
    assert [(delta.output_index, delta.call_id) for delta in deltas] == [
        (1, "call_1"),
        (1, "call_1"),
        (2, "call_given"),
    ]
    dones = [e for e in events(effects) if isinstance(e, ResponseFunctionCallArgumentsDone)]
    assert [(done.name, done.arguments) for done in dones] == [
        ("weather", '{"city":"Oslo"}'),
        ("time", "{}"),
    ]
    assert only(ResponseDone, effects).response.output[1] == FunctionCallItem(
        id="item_3",
        status="completed",
        call_id="call_1",
        name="weather",
        arguments='{"city":"Oslo"}',
    )


def test_a_second_response_in_the_conversation_is_refused() -> None:
    talk = started()

    effects = talk({**CREATE, "event_id": "again"})

    assert effects == (
        emit(
            ServerError(
                error=ErrorDetail(
                    type="invalid_request_error",
                    code="conversation_already_has_active_response",
                    message="Conversation already has an active response in progress: resp_1. "
                    "Wait until the response is finished before creating a new one.",
                    event_id="again",
                )
            )
        ),
    )


def test_out_of_band_responses_run_beside_the_conversation_and_leave_no_items() -> None:
    talk = started("Hello")
    beside = talk(
        {
            "type": "response.create",
            "response": {
                "conversation": "none",
                "metadata": {"topic": "mood"},
                "output_modalities": ["text"],
                "instructions": "Happy or sad?",
                "input": [],
            },
        }
    )
    [generate] = [e for e in doings(beside) if isinstance(e, Generate)]
    assert generate == Generate(
        response_id="resp_2", request=BrainRequest(instructions="Happy or sad?"), speech=None
    )

    effects = talk.all(GenerationText("resp_2", "sad"), GenerationEnded(response_id="resp_2"))

    assert "conversation.item.added" not in types(effects)
    done = only(ResponseDone, effects).response
    assert (done.conversation_id, done.metadata) == (None, {"topic": "mood"})
    assert types(talk(CREATE)) == ["error"]  # the other one is still there


def test_input_replaces_the_conversation_and_may_refer_to_it() -> None:
    talk = Talk()
    talk(ConversationItemCreate(item=user_message("One")))
    talk(ConversationItemCreate(item=user_message("Two")))
    given: list[dict[str, Any]] = [
        {"type": "item_reference", "id": "item_2"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Three"}]},
    ]

    effects = talk({"type": "response.create", "response": {"input": given}})

    [generate] = [e for e in doings(effects) if isinstance(e, Generate)]
    assert [words(item) for item in generate.request.items] == ["Two", "Three"]


def words(item: Item) -> str:
    assert isinstance(item, MessageItem)
    [part] = item.content
    assert isinstance(part, InputText)
    return part.text


def test_a_reference_to_nothing_is_refused() -> None:
    given = [{"type": "item_reference", "id": "item_9"}]

    effects = Talk()({"type": "response.create", "response": {"input": given}})

    error = only(ServerError, effects).error
    assert (error.code, error.param) == ("invalid_item_id", "response.input[0].id")
    assert doings(effects) == []


def test_too_many_responses_beside_the_conversation_are_refused() -> None:
    talk = Talk()
    for _ in range(16):
        assert types(talk(BESIDE))[0] == "response.created"

    assert only(ServerError, talk(BESIDE)).error.code == "too_many_active_responses"


def test_cancelling_closes_what_is_open() -> None:
    talk = started("Hello")
    talk.all(GenerationText("resp_1", "Well, "), GenerationAudio("resp_1", silence(100)))

    effects = talk({"type": "response.cancel"})

    assert effects[0] == CancelGeneration("resp_1")
    assert types(effects) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    done = only(ResponseDone, effects).response
    assert done.status == "cancelled"
    assert done.status_details == StatusDetails(type="cancelled", reason="client_cancelled")
    assert [item.status for item in done.output] == ["incomplete"]


def test_what_comes_late_from_a_cancelled_response_is_dropped() -> None:
    talk = started("Hello")
    talk({"type": "response.cancel"})

    assert talk(GenerationText("resp_1", "Well, ")) == ()
    assert talk(GenerationEnded(response_id="resp_1")) == ()


def test_an_out_of_band_response_is_cancelled_by_its_id() -> None:
    talk = started()
    talk(BESIDE)

    done = only(ResponseDone, talk({"type": "response.cancel", "response_id": "resp_2"})).response

    assert (done.id, done.status) == ("resp_2", "cancelled")
    assert types(talk(GenerationText("resp_1", "I go on."))) != []


@pytest.mark.parametrize("which", [{}, {"response_id": "resp_7"}])
def test_cancelling_nothing_is_refused(which: dict[str, str]) -> None:
    effects = Talk()({"type": "response.cancel", "event_id": "mine", **which})

    assert effects == (
        emit(
            ServerError(
                error=ErrorDetail(
                    type="invalid_request_error",
                    code="response_cancel_not_active",
                    message="Cancellation failed: no active response found",
                    event_id="mine",
                )
            )
        ),
    )


def test_overrides_hold_for_one_response() -> None:
    talk = Talk()
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    override = {
        "instructions": "Be brief.",
        "tools": [tool],
        "tool_choice": "required",
        "max_output_tokens": 50,
        "audio": {"output": {"voice": "marin", "format": {"type": "audio/pcmu"}}},
    }

    [generate] = [
        effect
        for effect in doings(talk({"type": "response.create", "response": override}))
        if isinstance(effect, Generate)
    ]
    talk(GenerationEnded(response_id="resp_1"))
    [next_one] = [effect for effect in doings(talk(CREATE)) if isinstance(effect, Generate)]

    assert generate == Generate(
        response_id="resp_1",
        request=BrainRequest(
            instructions="Be brief.", tools=(tool,), tool_choice="required", max_output_tokens=50
        ),
        speech=Speech(voice="marin", speed=1.0, audio_format="g711_ulaw"),
    )
    assert next_one.request == BrainRequest(instructions=DEFAULT_INSTRUCTIONS)


def test_a_response_ends_at_its_limit_of_tokens() -> None:
    talk = Talk()
    talk({"type": "response.create", "response": {"max_output_tokens": 3}})

    effects = talk(GenerationText("resp_1", "This is too long."))

    assert CancelGeneration("resp_1") in effects
    done = only(ResponseDone, effects).response
    assert (done.status, done.max_output_tokens) == ("incomplete", 3)
    assert done.status_details == StatusDetails(type="incomplete", reason="max_output_tokens")


def test_the_brain_may_end_for_other_reasons() -> None:
    talk = started()

    done = only(
        ResponseDone, talk(GenerationEnded(response_id="resp_1", reason="content_filter"))
    ).response

    assert done.status_details == StatusDetails(type="incomplete", reason="content_filter")


def test_a_response_fails_with_its_model() -> None:
    talk = started()

    effects = talk(GenerationFailed(response_id="resp_1", message="The engine has stopped."))

    done = only(ResponseDone, effects).response
    assert done.status == "failed"
    assert done.status_details == StatusDetails(
        type="failed",
        error=ErrorDetail(
            type="server_error", code="server_error", message="The engine has stopped."
        ),
    )
    assert types(talk(CREATE))[0] == "response.created"


def test_the_rate_limit_fails_a_response_and_recovers() -> None:
    talk = Talk(options=ConversationOptions(requests_per_minute=2))
    for number in (1, 2):
        talk(CREATE, at=0.0)
        talk(GenerationEnded(response_id=f"resp_{number}"))

    refused = talk(CREATE, at=1.0)
    accepted = talk(CREATE, at=31.0)

    assert types(refused) == ["response.created", "rate_limits.updated", "response.done"]
    assert doings(refused) == []
    details = only(ResponseDone, refused).response.status_details
    assert details is not None
    assert details.error is not None
    assert details.error.code == "rate_limit_exceeded"
    assert [effect for effect in doings(accepted) if isinstance(effect, Generate)] != []


def test_what_was_read_before_is_counted_as_cached() -> None:
    talk = started("word " * 200)
    talk(GenerationEnded(response_id="resp_1"))
    talk(ConversationItemCreate(item=user_message("More.")))
    talk(CREATE)

    usage = only(ResponseDone, talk(GenerationEnded(response_id="resp_2"))).response.usage

    assert usage is not None
    details = usage.input_token_details
    assert 0 < details.cached_tokens <= details.text_tokens
    assert details.cached_tokens == details.cached_tokens_details.text_tokens


def test_a_brain_that_counts_is_believed() -> None:
    talk = started("Hello")

    ended = GenerationEnded(response_id="resp_1", input_tokens=1000, output_tokens=20)

    usage = only(ResponseDone, talk(ended)).response.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (1000, 20, 1020)


def test_a_transcription_session_has_no_responses() -> None:
    talk = Talk(type_="transcription")

    assert only(ServerError, talk(ResponseCreate())).error.code == "invalid_parameter"
