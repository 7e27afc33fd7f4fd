"""Items: made by hand, read from the wire, written to it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_actors.errors import ConfigError
from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    McpApprovalRequestItem,
    McpApprovalResponseItem,
    McpCallItem,
    McpListToolsItem,
    MessageItem,
    OutputAudio,
    OutputText,
    UnknownItem,
    UnknownPart,
    assistant_message,
    item_from_wire,
    item_to_wire,
    items_from_input,
    message_from_input,
    part_from_wire,
    part_to_wire,
    system_message,
    user_message,
)
from tests.wrong import wrong

ITEMS: list[tuple[Item, dict[str, Any]]] = [
    (
        MessageItem(
            id="i1",
            status="completed",
            role="user",
            content=(
                InputText("Look:"),
                InputAudio(audio=b"\1\0", transcript="look"),
                InputImage(image_url="data:image/png;base64,AA==", detail="high"),
            ),
        ),
        {
            "type": "message",
            "id": "i1",
            "status": "completed",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look:"},
                {"type": "input_audio", "audio": "AQA=", "transcript": "look"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,AA==",
                    "detail": "high",
                },
            ],
        },
    ),
    (
        MessageItem(
            role="assistant",
            content=(OutputText("Nice."), OutputAudio(transcript="Nice.")),
            phase="final_answer",
        ),
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Nice."},
                {"type": "output_audio", "transcript": "Nice."},
            ],
            "phase": "final_answer",
        },
    ),
    (
        FunctionCallItem(id="i2", call_id="c", name="weather", arguments='{"city": "Oslo"}'),
        {
            "type": "function_call",
            "id": "i2",
            "call_id": "c",
            "name": "weather",
            "arguments": '{"city": "Oslo"}',
        },
    ),
    (
        FunctionCallOutputItem(call_id="c", output="sunny"),
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
    ),
    (
        McpListToolsItem(server_label="docs", tools=({"name": "search", "input_schema": {}},)),
        {
            "type": "mcp_list_tools",
            "server_label": "docs",
            "tools": [{"name": "search", "input_schema": {}}],
        },
    ),
    (
        McpCallItem(
            id="m",
            server_label="docs",
            name="search",
            arguments="{}",
            output="found",
            error={"type": "http_error", "code": 503, "message": "later"},
            approval_request_id="a",
        ),
        {
            "type": "mcp_call",
            "id": "m",
            "server_label": "docs",
            "name": "search",
            "arguments": "{}",
            "output": "found",
            "error": {"type": "http_error", "code": 503, "message": "later"},
            "approval_request_id": "a",
        },
    ),
    (
        McpApprovalRequestItem(id="a", server_label="docs", name="search", arguments="{}"),
        {
            "type": "mcp_approval_request",
            "id": "a",
            "server_label": "docs",
            "name": "search",
            "arguments": "{}",
        },
    ),
    (
        McpApprovalResponseItem(id="r", approval_request_id="a", approve=False, reason="no"),
        {
            "type": "mcp_approval_response",
            "id": "r",
            "approval_request_id": "a",
            "approve": False,
            "reason": "no",
        },
    ),
    (ItemReference(id="i1"), {"type": "item_reference", "id": "i1"}),
]
BY_TYPE = pytest.mark.parametrize(("item", "wire"), ITEMS, ids=[wire["type"] for _, wire in ITEMS])


@BY_TYPE
def test_an_item_survives_the_wire(item: Item, wire: dict[str, Any]) -> None:
    assert item_to_wire(item) == wire
    assert item_from_wire(wire) == item
    assert item.type == wire["type"]


@BY_TYPE
def test_what_has_no_name_survives_in_extra(item: Item, wire: dict[str, Any]) -> None:
    more = wire | {"object": "realtime.item", "colour": "blue"}

    read = item_from_wire(more)

    assert read.extra == {"colour": "blue"}
    assert item_to_wire(read) == wire | {"colour": "blue"}


@BY_TYPE
def test_items_are_values(item: Item, wire: dict[str, Any]) -> None:
    assert len({item, item_from_wire(wire)}) == 1


@BY_TYPE
def test_what_was_said_stays_out_of_the_repr(item: Item, wire: dict[str, Any]) -> None:
    for secret in ("Look:", "Nice.", "Oslo", "sunny", "found"):
        assert secret not in repr(item)


def test_optional_members_may_be_null_or_nonsense() -> None:
    assert item_from_wire(
        {"type": "message", "id": None, "status": 4, "role": "user", "content": None}
    ) == MessageItem(role="user")
    assert item_from_wire(
        {"type": "function_call", "call_id": None, "name": "f", "arguments": None}
    ) == FunctionCallItem(name="f")
    assert item_from_wire(
        {"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "a"}, 3]}
    ) == McpListToolsItem(server_label="s", tools=({"name": "a"},))


def test_arguments_that_a_server_has_read_already_are_written_again() -> None:
    wire = {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"city": "Köln"}}

    assert item_from_wire(wire) == FunctionCallItem(
        call_id="c", name="f", arguments='{"city": "Köln"}'
    )


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"type": None},
        {"type": "message"},
        {"type": "message", "role": 5},
        {"type": "function_call", "name": None},
        {"type": "function_call_output", "call_id": "c", "output": {"t": 3}},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": "yes"},
        {"type": "item_reference"},
        {"type": "hologram", "id": 4},
    ],
)
def test_what_makes_no_sense_is_kept_whole(wire: dict[str, Any]) -> None:
    kind = wire.get("type") or ""

    assert item_from_wire(wire) == UnknownItem(type=kind, raw=wire)
    assert item_to_wire(item_from_wire(wire)) == {"type": kind} | wire


@pytest.mark.parametrize("nothing", [None, 3, "message", ["message"]])
def test_what_is_no_object_is_an_unknown_item(nothing: object) -> None:
    assert item_from_wire(nothing) == UnknownItem(type="", raw={})
    assert part_from_wire(nothing) == UnknownPart(type="", raw={})


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "audio": "not base64!"},
        {"type": "input_image"},
        {"type": "smell", "name": "coffee"},
        {"text": "of no type"},
    ],
)
def test_a_part_that_makes_no_sense_is_kept_whole(part: dict[str, Any]) -> None:
    read = part_from_wire(part, role="user")

    assert read == UnknownPart(type=part.get("type", ""), raw=part)
    assert part_to_wire(read) == part


def test_whose_text_it_is_depends_on_the_role() -> None:
    text, audio = {"type": "text", "text": "x"}, {"type": "audio", "transcript": "x"}

    assert part_from_wire(text, role="assistant") == OutputText("x")
    assert part_from_wire(text, role="user") == InputText("x")
    assert part_from_wire(audio, role="assistant") == OutputAudio(transcript="x")
    assert part_from_wire(audio, role="user") == InputAudio(transcript="x")


def test_beta_has_other_names_for_what_the_model_says() -> None:
    item = MessageItem(role="assistant", content=(OutputText("a"), OutputAudio(audio=b"\0")))

    assert item_to_wire(item, beta=True)["content"] == [
        {"type": "text", "text": "a"},
        {"type": "audio", "audio": "AA=="},
    ]


def test_where_the_user_cut_in_does_not_travel() -> None:
    part = OutputAudio(transcript="Well, I", truncated_at_ms=400)

    assert part_to_wire(part) == {"type": "output_audio", "transcript": "Well, I"}


# --- messages ---------------------------------------------------------------------------------


def test_messages_are_made_of_text() -> None:
    assert user_message("Hi") == MessageItem(role="user", content=(InputText("Hi"),))
    assert system_message("Be kind.") == MessageItem(
        role="system", content=(InputText("Be kind."),)
    )
    assert assistant_message("Hi") == MessageItem(role="assistant", content=(OutputText("Hi"),))


def test_a_message_is_made_of_parts() -> None:
    image = InputImage(image_url="data:image/png;base64,AA==")

    assert user_message(image).content == (image,)
    assert user_message([InputText("Look:"), image]).content == (InputText("Look:"), image)


@pytest.mark.parametrize(
    "given",
    [
        "Hi",
        user_message("Hi"),
        {"role": "user", "content": "Hi"},
        {"type": "message", "role": "user", "content": "Hi"},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "message", "role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ],
)
def test_a_message_may_be_given_in_many_forms(given: Any) -> None:
    assert message_from_input(given) == user_message("Hi")


def test_any_item_may_be_given_as_a_mapping() -> None:
    wire = {"type": "function_call_output", "call_id": "c", "output": "3"}

    assert message_from_input(wire) == FunctionCallOutputItem(call_id="c", output="3")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (5, "a message is text, an item or a mapping, not int"),
        ({}, "item type is ''"),
        ({"type": "mesage"}, r"'mesage': did you mean 'message'\?"),
        ({"type": "message"}, "a message item lacks a member"),
        ({"role": "user", "contnt": "Hi"}, r"no 'contnt': did you mean 'content'\?"),
        ({"role": "user", "content": [{"type": "input_txt"}]}, r"did you mean 'input_text'\?"),
        ({"role": "user", "content": [7]}, "content part '' is unknown"),
        (
            {"role": "user", "content": [{"type": "input_text", "txt": "Hi"}]},
            r"'txt' of a content part 'input_text' is wrong: did you mean 'text'\?",
        ),
        ({"role": "user", "content": [{"type": "input_text"}]}, "'input_text' needs 'text'"),
        (
            {"role": "user", "content": [{"type": "input_audio", "audio": b"\0\1"}]},
            "'audio' of a content part 'input_audio' is wrong: it must be text, and audio base64",
        ),
        (
            {"role": "user", "content": [{"type": "input_audio", "audio": "!"}]},
            "content part 'input_audio' is unknown, lacks a member, or has one that is wrong",
        ),
    ],
)
def test_a_mistake_in_a_message_is_named(given: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        message_from_input(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (MessageItem(role="user", content=wrong(("text",))), "has no attribute 'audio'"),
        (MessageItem(role="user", content=wrong(None)), "not iterable"),
        (
            MessageItem(role="user", content=(InputText(wrong(5)),)),
            "'content' of a message item is of",
        ),
        (MessageItem(role=wrong(5)), "a message item has a member of the wrong type"),
        (
            MessageItem(role="user", content=(InputAudio(audio=wrong("AAAA")),)),
            "audio is bytes, not str",
        ),
        (
            MessageItem(role="user", content=(InputImage(image_url=wrong(5)),)),
            "a content part of a",
        ),
        (MessageItem(role="user", id=wrong(7)), "'id' of a message item is of the wrong type: 7"),
        (
            FunctionCallOutputItem(call_id="c", output=wrong({"a": 1})),
            "a function_call_output item has",
        ),
        (
            FunctionCallItem(name="f", arguments=wrong({})),
            "'arguments' of a function_call item is of",
        ),
    ],
)
def test_a_mistake_in_an_item_is_named(given: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        message_from_input(given)


def test_a_good_item_is_taken_as_it_is() -> None:
    good: list[Item] = [
        MessageItem(role="user", content=(InputAudio(audio=b"\0\0", transcript="Hm."),)),
        MessageItem(role="assistant", content=(OutputAudio(truncated_at_ms=5),), extra={"a": None}),
        UnknownItem(type="hologram", raw={"type": "hologram", "id": 4}),
        UnknownItem(type="message", raw={"type": "message"}),
    ]
    for item in good:
        assert message_from_input(item) is item
    listed = MessageItem(role="user", content=wrong([InputText("Hi")]))
    assert message_from_input(listed) == user_message("Hi")


def test_a_conversation_is_a_list() -> None:
    items: list[Any] = ["Hi", {"role": "user", "content": "Hi"}, user_message("Hi")]

    assert items_from_input(items) == (user_message("Hi"),) * 3
    assert items_from_input(iter(items)) == (user_message("Hi"),) * 3
    for lone in ("Hi", b"Hi", user_message("Hi"), {"role": "user", "content": "Hi"}, None, 5):
        with pytest.raises(ConfigError, match="a conversation is a list of items, not a lone"):
            items_from_input(wrong(lone))
    with pytest.raises(ConfigError, match="not NoneType"):
        items_from_input([wrong(None)])
