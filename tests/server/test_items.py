"""Items: the chain, and what clients may do to it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputText,
    McpApprovalResponseItem,
    MessageItem,
    OutputAudio,
    assistant_message,
    system_message,
    user_message,
)
from realtime_actors.protocol import (
    ConversationItemAdded,
    ConversationItemCreate,
    ConversationItemDeleted,
    ConversationItemDone,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    ConversationItemTruncated,
    ErrorDetail,
    ResponseDone,
    ServerError,
)
from realtime_actors.server.server_effects import Generate, Recognise
from realtime_actors.server.server_messages import (
    GenerationAudio,
    GenerationEnded,
    GenerationText,
    Transcribed,
)
from tests.server.talk import Talk, doings, emit, events, only, silence, types


def create(talk: Talk, text: str, **members: Any) -> None:
    assert types(talk(ConversationItemCreate(item=user_message(text), **members))) == [
        "conversation.item.added",
        "conversation.item.done",
    ]


def conversation(talk: Talk) -> list[str | None]:
    """The ids of all items in order, as a model would read them."""
    talk({"type": "response.create", "response": {"output_modalities": ["text"]}})
    [generate] = [
        effect
        for effect in doings(
            talk({"type": "response.create", "response": {"conversation": "none"}})
        )
        if isinstance(effect, Generate)
    ]
    return [item.id for item in generate.request.items]


def spoken(talk: Talk, words: str = "One two three four", *, ms: int = 1000) -> None:
    """Let the model say something: it becomes item_1 of a new conversation."""
    talk.all(
        {"type": "response.create"},
        GenerationText("resp_1", words),
        GenerationAudio("resp_1", silence(ms)),
        GenerationEnded(response_id="resp_1"),
    )


def refusal(talk: Talk, message: Any) -> ErrorDetail:
    effects = talk(message)
    error = only(ServerError, effects).error
    assert effects == (emit(ServerError(error=error)),)
    return error


def test_an_item_gets_an_id_and_is_done_at_once() -> None:
    item = MessageItem(id="item_1", status="completed", role="user", content=(InputText("Hi"),))

    assert Talk()(ConversationItemCreate(item=user_message("Hi"))) == (
        emit(ConversationItemAdded(item=item, previous_item_id=None)),
        emit(ConversationItemDone(item=item, previous_item_id=None)),
    )


def test_items_form_a_chain() -> None:
    talk = Talk()
    create(talk, "b")
    create(talk, "d")
    create(talk, "a", previous_item_id="root")

    effects = talk(ConversationItemCreate(item=user_message("c"), previous_item_id="item_1"))

    assert only(ConversationItemAdded, effects).previous_item_id == "item_1"
    assert conversation(talk) == ["item_3", "item_1", "item_4", "item_2"]


def test_an_item_may_bring_its_id() -> None:
    talk = Talk()
    talk(ConversationItemCreate(item=MessageItem(id="mine", role="system", content=())))

    error = refusal(talk, ConversationItemCreate(item=MessageItem(id="mine", role="system")))

    assert (error.code, error.param) == ("item_create_duplicate_item_id", "item.id")


def test_a_place_behind_nothing_is_refused() -> None:
    error = refusal(
        Talk(), ConversationItemCreate(item=user_message("Hi"), previous_item_id="item_9")
    )

    assert (error.code, error.param) == ("item_create_invalid_item_id", "previous_item_id")


@pytest.mark.parametrize(
    "item",
    [
        system_message("The user is in a hurry."),
        assistant_message("I said that."),
        FunctionCallItem(call_id="call_x", name="weather", arguments="{}"),
        McpApprovalResponseItem(approval_request_id="mcpr_1", approve=True),
    ],
)
def test_other_kinds_of_items_are_kept_too(item: Any) -> None:
    talk = Talk()

    added = only(ConversationItemAdded, talk(ConversationItemCreate(item=item))).item
    retrieved = talk({"type": "conversation.item.retrieve", "item_id": "item_1"})

    assert type(added) is type(item)
    assert only(ConversationItemRetrieved, retrieved).item == added


def test_assistant_audio_cannot_be_made_up() -> None:
    item = MessageItem(role="assistant", content=(OutputAudio(transcript="I said that."),))

    assert refusal(Talk(), ConversationItemCreate(item=item)).code == "unsupported_content_type"


def test_an_output_needs_its_call() -> None:
    talk = Talk()
    output = ConversationItemCreate(item=FunctionCallOutputItem(call_id="call_1", output="12"))

    assert refusal(talk, output) == ErrorDetail(
        type="invalid_request_error",
        code="invalid_tool_call_id",
        param="item.call_id",
        message="Tool call ID 'call_1' not found in conversation.",
    )
    talk(ConversationItemCreate(item=FunctionCallItem(call_id="call_1", name="f", arguments="{}")))
    assert types(talk(output)) == ["conversation.item.added", "conversation.item.done"]


def test_audio_in_a_message_is_recognised_before_the_answer() -> None:
    talk = Talk()
    audio = base64.b64encode(silence(500)).decode()
    item = {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Listen:"},
            {"type": "input_audio", "audio": audio},
        ],
    }

    effects = talk({"type": "conversation.item.create", "item": item})
    waiting = talk({"type": "response.create"})
    answered = talk(Transcribed(item_id="item_1", attempt=1, text="good morning"))

    assert [type(effect) for effect in doings(effects)] == [Recognise]
    assert doings(waiting) == []
    [generate] = doings(answered)
    assert isinstance(generate, Generate)
    [read] = generate.request.items
    assert isinstance(read, MessageItem)
    assert read.content == (InputText("Listen:"), InputAudio(transcript="good morning"))


def test_audio_that_is_no_base64_is_refused_in_items() -> None:
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_audio", "audio": "not base64!"}],
    }

    error = refusal(Talk(), {"type": "conversation.item.create", "item": item})

    assert (error.code, error.param) == ("invalid_value", "item.content[0]")


def test_a_spoken_item_is_retrieved_with_its_audio() -> None:
    talk = Talk()
    spoken(talk, "Hello.", ms=200)

    [event] = events(talk({"type": "conversation.item.retrieve", "item_id": "item_1"}))

    assert event == only(
        ConversationItemRetrieved,
        (
            emit(
                ConversationItemRetrieved(
                    item=MessageItem(
                        id="item_1",
                        status="completed",
                        role="assistant",
                        content=(OutputAudio(audio=silence(200), transcript="Hello."),),
                    )
                )
            ),
        ),
    )


def test_a_deleted_item_is_gone() -> None:
    talk = Talk()
    create(talk, "a")
    create(talk, "b")

    effects = talk({"type": "conversation.item.delete", "item_id": "item_1"})

    assert effects == (emit(ConversationItemDeleted(item_id="item_1")),)
    assert conversation(talk) == ["item_2"]


@pytest.mark.parametrize(
    ("what", "doing"),
    [("retrieve", "retrieving"), ("delete", "deleting"), ("truncate", "truncating")],
)
def test_an_unknown_item_is_refused(what: str, doing: str) -> None:
    more = {"content_index": 0, "audio_end_ms": 0} if what == "truncate" else {}

    error = refusal(
        Talk(), {"type": f"conversation.item.{what}", "item_id": "item_9", "event_id": "e", **more}
    )

    assert error == ErrorDetail(
        type="invalid_request_error",
        code=f"item_{what}_invalid_item_id",
        param="item_id",
        message=f"Error {doing} item: the item with id 'item_9' does not exist.",
        event_id="e",
    )


def truncate(audio_end_ms: int, *, item_id: str = "item_1") -> ConversationItemTruncate:
    return ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)


def test_truncation_cuts_the_audio_and_takes_the_transcript() -> None:
    talk = Talk()
    spoken(talk)

    effects = talk(truncate(500))
    retrieved = talk({"type": "conversation.item.retrieve", "item_id": "item_1"})

    assert effects == (
        emit(ConversationItemTruncated(item_id="item_1", content_index=0, audio_end_ms=500)),
    )
    item = only(ConversationItemRetrieved, retrieved).item
    assert isinstance(item, MessageItem)
    assert item.content == (OutputAudio(audio=silence(500), transcript=None),)


def test_the_model_remembers_the_words_that_were_heard() -> None:
    talk = Talk()
    spoken(talk, "One two three four", ms=1000)
    talk(truncate(500))

    [generate] = [e for e in doings(talk({"type": "response.create"})) if isinstance(e, Generate)]

    [item] = generate.request.items
    assert isinstance(item, MessageItem)
    assert item.content == (OutputAudio(transcript="One two"),)


def test_more_than_was_said_cannot_be_truncated() -> None:
    talk = Talk()
    spoken(talk, ms=1000)

    assert refusal(talk, truncate(1001)) == ErrorDetail(
        type="invalid_request_error",
        code="invalid_value",
        param="audio_end_ms",
        message="Audio content of 1000ms is already shorter than 1001ms",
    )
    assert types(talk(truncate(1000))) == ["conversation.item.truncated"]


def test_a_truncated_item_is_as_short_as_it_was_cut() -> None:
    talk = Talk()
    spoken(talk, ms=1000)
    talk(truncate(400))

    assert refusal(talk, truncate(500)).code == "invalid_value"
    assert types(talk(truncate(300))) == ["conversation.item.truncated"]


def test_only_what_the_model_said_can_be_truncated() -> None:
    talk = Talk()
    create(talk, "Hi")

    error = refusal(talk, truncate(0))

    assert error.code == "unsupported_content_type"
    assert error.message == "Only model output audio messages can be truncated"


def test_an_item_has_one_part_to_truncate() -> None:
    talk = Talk()
    spoken(talk)

    error = refusal(
        talk, ConversationItemTruncate(item_id="item_1", content_index=1, audio_end_ms=0)
    )

    assert (error.code, error.param) == ("invalid_value", "content_index")


def test_what_is_still_being_said_can_be_truncated() -> None:
    talk = Talk()
    talk({"type": "response.create"})
    talk.all(GenerationText("resp_1", "One two three"), GenerationAudio("resp_1", silence(400)))

    cut = talk(truncate(200))
    talk(GenerationAudio("resp_1", silence(400)))
    done = only(ResponseDone, talk({"type": "response.cancel"})).response
    retrieved = talk({"type": "conversation.item.retrieve", "item_id": "item_1"})

    assert types(cut) == ["conversation.item.truncated"]
    [item] = done.output
    assert isinstance(item, MessageItem)
    assert item.content == (OutputAudio(transcript=None),)
    kept = only(ConversationItemRetrieved, retrieved).item
    assert isinstance(kept, MessageItem)
    assert kept.content == (OutputAudio(audio=silence(200), transcript=None),)


def test_nothing_said_yet_cannot_be_truncated() -> None:
    talk = Talk()
    talk.all({"type": "response.create"}, GenerationText("resp_1", "Well"))

    assert refusal(talk, truncate(0)).code == "unsupported_content_type"


def test_an_item_deleted_while_it_is_being_said_is_done_without_a_word() -> None:
    talk = Talk()
    talk.all({"type": "response.create"}, GenerationText("resp_1", "Well"))

    talk({"type": "conversation.item.delete", "item_id": "item_1"})
    effects = talk(GenerationEnded(response_id="resp_1"))

    assert "conversation.item.done" not in types(effects)
    assert types(effects)[-1] == "response.done"
