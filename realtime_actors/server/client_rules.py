"""The shape of every client event, in both dialects.

Only shapes live here: what a member may be by itself. What depends on the conversation
(an item that must exist, a voice that can't change any more) is decided where that is
known.
"""

from __future__ import annotations

from collections.abc import Mapping

from realtime_actors.server.refusals import Refused, invalid_value
from realtime_actors.server.setting_rules import (
    BETA_RESPONSE,
    BETA_SESSION,
    BETA_TRANSCRIPTION_SESSION,
    GA_RESPONSE,
    GA_SESSION,
)
from realtime_actors.server.validation import (
    Check,
    anything,
    array,
    boolean,
    integer,
    literal,
    mapping,
    obj,
    one_of,
    string,
    tagged,
)

__all__ = ["check_client_event"]

_TEXT = string()
_ID = string(max_length=512)
_BETA_TRANSCRIPTION = "transcription_session.update"


def check_client_event(wire: Mapping[str, object], *, beta: bool) -> None:
    """Check a client event as it is on the wire. Raises `Refused` at the first thing wrong."""
    events = _BETA_EVENTS if beta else _GA_EVENTS
    type_ = wire.get("type")
    if not isinstance(type_, str):
        raise Refused(
            "Missing required parameter: 'type'.", code="missing_required_parameter", param="type"
        )
    check = events.get(type_)
    if check is None:
        raise invalid_value(type_, events, "type")
    check(wire, "")


def _event(type_: str, required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    return obj(
        {"type": literal(type_), "event_id": _ID, **required, **optional},
        required=tuple(required),
    )


# --- items ---------------------------------------------------------------------------------

_ITEM_COMMON: Mapping[str, Check] = {
    "id": _ID,
    "type": _TEXT,
    "object": _TEXT,
    "status": one_of("completed", "incomplete", "in_progress"),
}
_INPUT_TEXT = obj({"type": _TEXT, "text": _TEXT}, required=("text",))
_INPUT_AUDIO = obj({"type": _TEXT, "audio": _TEXT, "transcript": _TEXT})
_INPUT_IMAGE = obj(
    {
        "type": _TEXT,
        "image_url": string(pattern=r"data:image/(png|jpe?g);base64,[A-Za-z0-9+/=\s]+"),
        "detail": one_of("auto", "low", "high"),
    },
    required=("image_url",),
)
_OUTPUT_AUDIO = obj({"type": _TEXT, "audio": _TEXT, "transcript": _TEXT}, required=("transcript",))


def _message(parts: Mapping[str, Check]) -> Check:
    return obj(
        {
            **_ITEM_COMMON,
            "role": _TEXT,
            "content": array(tagged("type", parts)),
            "phase": one_of("commentary", "final_answer"),
        },
        required=("content",),
    )


def _item(*, text: str, reference: bool) -> Check:
    """Return the check of an item; `text` is what the dialect calls the model's text."""
    cases: dict[str, Check] = {
        "message": tagged(
            "role",
            {
                "user": _message(
                    {
                        "input_text": _INPUT_TEXT,
                        "input_audio": _INPUT_AUDIO,
                        "input_image": _INPUT_IMAGE,
                    }
                ),
                "system": _message({"input_text": _INPUT_TEXT}),
                "assistant": _message({text: _INPUT_TEXT, "output_audio": _OUTPUT_AUDIO}),
            },
        ),
        "function_call": obj(
            {**_ITEM_COMMON, "call_id": _TEXT, "name": _TEXT, "arguments": _TEXT},
            required=("name", "arguments"),
        ),
        "function_call_output": obj(
            {**_ITEM_COMMON, "call_id": _TEXT, "output": _TEXT}, required=("call_id", "output")
        ),
        "mcp_list_tools": obj(
            {**_ITEM_COMMON, "server_label": _TEXT, "tools": array(mapping())},
            required=("server_label", "tools"),
        ),
        "mcp_call": obj(
            {
                **_ITEM_COMMON,
                "server_label": _TEXT,
                "name": _TEXT,
                "arguments": _TEXT,
                "approval_request_id": _TEXT,
                "output": _TEXT,
                "error": anything,
            },
            required=("server_label", "name", "arguments"),
        ),
        "mcp_approval_request": obj(
            {**_ITEM_COMMON, "server_label": _TEXT, "name": _TEXT, "arguments": _TEXT},
            required=("server_label", "name", "arguments"),
        ),
        "mcp_approval_response": obj(
            {
                **_ITEM_COMMON,
                "approval_request_id": _TEXT,
                "approve": boolean,
                "reason": _TEXT,
            },
            required=("approval_request_id", "approve"),
        ),
    }
    if reference:
        cases["item_reference"] = obj(_ITEM_COMMON, required=("id",))
    return tagged("type", cases)


# --- events --------------------------------------------------------------------------------


def _events(session: Check, response: Mapping[str, Check], text: str) -> Mapping[str, Check]:
    given = array(_item(text=text, reference=True))
    shapes: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
        "session.update": ({"session": session}, {}),
        "input_audio_buffer.append": ({"audio": _TEXT}, {}),
        "input_audio_buffer.commit": ({}, {}),
        "input_audio_buffer.clear": ({}, {}),
        "output_audio_buffer.clear": ({}, {}),
        "conversation.item.create": (
            {"item": _item(text=text, reference=False)},
            {"previous_item_id": _ID},
        ),
        "conversation.item.retrieve": ({"item_id": _ID}, {}),
        "conversation.item.delete": ({"item_id": _ID}, {}),
        "conversation.item.truncate": (
            {
                "item_id": _ID,
                "content_index": integer(minimum=0),
                "audio_end_ms": integer(minimum=0),
            },
            {},
        ),
        "response.create": ({}, {"response": obj({**response, "input": given})}),
        "response.cancel": ({}, {"response_id": _TEXT}),
    }
    return {name: _event(name, *members) for name, members in shapes.items()}


_GA_EVENTS = _events(GA_SESSION, GA_RESPONSE, "output_text")
_BETA_EVENTS = {
    **_events(BETA_SESSION, BETA_RESPONSE, "text"),
    _BETA_TRANSCRIPTION: _event(_BETA_TRANSCRIPTION, {"session": BETA_TRANSCRIPTION_SESSION}, {}),
}
