"""The shape of every client event, in both dialects.

Only shapes live here: what a member may be by itself. What depends on the conversation
(an item that must exist, a voice that can't change any more) is decided where that is
known.
"""

from __future__ import annotations

from collections.abc import Mapping

from realtime_actors.server.refusals import Refused, invalid_value
from realtime_actors.server.validation import (
    Check,
    anything,
    array,
    boolean,
    either,
    integer,
    literal,
    mapping,
    number,
    obj,
    one_of,
    string,
    tagged,
)

__all__ = ["check_client_event"]

_TEXT = string()
_EVENT_ID = string(max_length=512)
_ITEM_ID = string(max_length=512)


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
        {"type": literal(type_), "event_id": _EVENT_ID, **required, **optional},
        required=tuple(required),
    )


# --- settings ------------------------------------------------------------------------------

_VOICE = either(str, string(max_length=256), obj({"id": _TEXT}, required=("id",)))
_TRANSCRIPTION = obj(
    {
        "model": _TEXT,
        "language": _TEXT,
        "languages": array(_TEXT),
        "keywords": array(_TEXT),
        "prompt": _TEXT,
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)
_NOISE_REDUCTION = obj({"type": one_of("near_field", "far_field")}, required=("type",))
_TURN_DETECTION = tagged(
    "type",
    {
        "server_vad": obj(
            {
                "type": _TEXT,
                "threshold": number(minimum=0.0, maximum=1.0),
                "prefix_padding_ms": integer(minimum=0),
                "silence_duration_ms": integer(minimum=0),
                "create_response": boolean,
                "interrupt_response": boolean,
                "idle_timeout_ms": integer(minimum=5_000, maximum=30_000),
            }
        ),
        "semantic_vad": obj(
            {
                "type": _TEXT,
                "eagerness": one_of("low", "medium", "high", "auto"),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
    },
)
_FORMAT = tagged(
    "type",
    {
        "audio/pcm": obj({"type": _TEXT, "rate": integer(minimum=24_000, maximum=24_000)}),
        "audio/pcmu": obj({"type": _TEXT}),
        "audio/pcma": obj({"type": _TEXT}),
    },
)
_FLAT_FORMAT = one_of("pcm16", "g711_ulaw", "g711_alaw")
_TOOL_NAMES = array(_TEXT)
_MCP_FILTER = obj({"tool_names": _TOOL_NAMES, "read_only": boolean})
_FUNCTION = obj(
    {
        "type": _TEXT,
        "name": string(max_length=64, pattern=r"[a-zA-Z0-9_-]+"),
        "description": _TEXT,
        "parameters": mapping(),
    },
    required=("name",),
)
_MCP = obj(
    {
        "type": _TEXT,
        "server_label": _TEXT,
        "server_url": _TEXT,
        "connector_id": _TEXT,
        "tunnel_id": _TEXT,
        "authorization": _TEXT,
        "headers": mapping(),
        "server_description": _TEXT,
        "allowed_tools": either(list, _TOOL_NAMES, _MCP_FILTER),
        "allowed_callers": array(one_of("direct", "programmatic")),
        "require_approval": either(
            str,
            one_of("always", "never"),
            obj({"always": _MCP_FILTER, "never": _MCP_FILTER}),
        ),
        "defer_loading": boolean,
    },
    required=("server_label",),
)
_TOOLS = array(tagged("type", {"function": _FUNCTION, "mcp": _MCP}), max_length=128)
_TOOL_CHOICE = either(
    str,
    one_of("none", "auto", "required"),
    tagged(
        "type",
        {
            "function": obj({"type": _TEXT, "name": _TEXT}, required=("name",)),
            "mcp": obj(
                {"type": _TEXT, "server_label": _TEXT, "name": _TEXT}, required=("server_label",)
            ),
        },
    ),
)
_MAX_TOKENS = either(str, literal("inf"), integer(minimum=1, maximum=4096))
_PROMPT = obj({"id": _TEXT, "version": _TEXT, "variables": mapping()}, required=("id",))
_METADATA = mapping(string(max_length=512), max_keys=16, key=string(max_length=64))
_TEMPERATURE = number(minimum=0.6, maximum=1.2)
_SPEED = number(minimum=0.25, maximum=1.5)
_INCLUDE = array(one_of("item.input_audio_transcription.logprobs"))
_TRUNCATION = either(
    str,
    one_of("auto", "disabled"),
    obj(
        {
            "type": literal("retention_ratio"),
            "retention_ratio": number(minimum=0.0, maximum=1.0),
            "token_limits": obj({"post_instructions": integer(minimum=0)}),
        },
        required=("type", "retention_ratio"),
    ),
)
_TRACING = either(
    str,
    literal("auto"),
    obj({"workflow_name": _TEXT, "group_id": _TEXT, "metadata": mapping()}),
)
_REASONING = obj({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})


def _modalities(value: object, place: str) -> None:
    """GA: audio or text, never both."""
    array(one_of("audio", "text"))(value, place)
    if isinstance(value, list) and len(value) != 1:
        shown = ", ".join(f"'{each}'" for each in value)
        raise Refused(
            f"Invalid modalities: [{shown}]. Supported combinations are: ['text'] and ['audio'].",
            code="invalid_value",
            param=place,
        )


def _beta_modalities(value: object, place: str) -> None:
    """Beta: text, or text and audio."""
    array(one_of("audio", "text"))(value, place)
    if isinstance(value, list) and set(value) not in ({"text"}, {"text", "audio"}):
        shown = ", ".join(f"'{each}'" for each in value)
        raise Refused(
            f"Invalid modalities: [{shown}]. Supported combinations are: ['text'] and "
            "['audio', 'text'].",
            code="invalid_value",
            param=place,
        )


_INPUT = obj(
    {
        "format": _FORMAT,
        "transcription": _TRANSCRIPTION,
        "noise_reduction": _NOISE_REDUCTION,
        "turn_detection": _TURN_DETECTION,
    }
)
# What a server adds to a session may come back to it: clients send what they received.
_SERVERS_OWN: Mapping[str, Check] = {"id": _TEXT, "object": _TEXT, "expires_at": integer()}
_SHARED: Mapping[str, Check] = {
    "instructions": _TEXT,
    "tools": _TOOLS,
    "tool_choice": _TOOL_CHOICE,
    "prompt": _PROMPT,
}
_GA_SHARED: Mapping[str, Check] = {
    **_SHARED,
    "output_modalities": _modalities,
    "max_output_tokens": _MAX_TOKENS,
    "parallel_tool_calls": boolean,
    "reasoning": _REASONING,
}
_BETA_SHARED: Mapping[str, Check] = {
    **_SHARED,
    "modalities": _beta_modalities,
    "voice": _VOICE,
    "output_audio_format": _FLAT_FORMAT,
    "max_response_output_tokens": _MAX_TOKENS,
    "temperature": _TEMPERATURE,
}
_GA_SESSION = tagged(
    "type",
    {
        "realtime": obj(
            {
                **_GA_SHARED,
                **_SERVERS_OWN,
                "type": _TEXT,
                "model": _TEXT,
                "audio": obj(
                    {
                        "input": _INPUT,
                        "output": obj({"format": _FORMAT, "voice": _VOICE, "speed": _SPEED}),
                    }
                ),
                "include": _INCLUDE,
                "tracing": _TRACING,
                "truncation": _TRUNCATION,
            }
        ),
        "transcription": obj(
            {
                **_SERVERS_OWN,
                "type": _TEXT,
                "audio": obj({"input": _INPUT}),
                "include": _INCLUDE,
            }
        ),
    },
)
_BETA_SESSION = obj(
    {
        **_BETA_SHARED,
        **_SERVERS_OWN,
        "model": _TEXT,
        "speed": _SPEED,
        "input_audio_format": _FLAT_FORMAT,
        "input_audio_transcription": _TRANSCRIPTION,
        "input_audio_noise_reduction": _NOISE_REDUCTION,
        "turn_detection": _TURN_DETECTION,
        "include": _INCLUDE,
        "tracing": _TRACING,
        "client_secret": anything,
    }
)

# --- items ---------------------------------------------------------------------------------

_ITEM_COMMON: Mapping[str, Check] = {
    "id": _ITEM_ID,
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
    """An item; `text` is what the dialect calls the model's text."""
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


# --- responses and events ------------------------------------------------------------------


def _response_members(text: str) -> Mapping[str, Check]:
    return {
        "conversation": one_of("auto", "none"),
        "metadata": _METADATA,
        "input": array(_item(text=text, reference=True)),
    }


_GA_RESPONSE = obj(
    {
        **_GA_SHARED,
        **_response_members("output_text"),
        "audio": obj({"output": obj({"format": _FORMAT, "voice": _VOICE})}),
    }
)
# max_output_tokens: the beta interface takes it under its later name as well.
_BETA_RESPONSE = obj(
    {**_BETA_SHARED, **_response_members("text"), "max_output_tokens": _MAX_TOKENS}
)


def _events(session: Check, response: Check, item: Check) -> Mapping[str, Check]:
    shapes: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
        "session.update": ({"session": session}, {}),
        "input_audio_buffer.append": ({"audio": _TEXT}, {}),
        "input_audio_buffer.commit": ({}, {}),
        "input_audio_buffer.clear": ({}, {}),
        "output_audio_buffer.clear": ({}, {}),
        "conversation.item.create": ({"item": item}, {"previous_item_id": _ITEM_ID}),
        "conversation.item.retrieve": ({"item_id": _ITEM_ID}, {}),
        "conversation.item.delete": ({"item_id": _ITEM_ID}, {}),
        "conversation.item.truncate": (
            {
                "item_id": _ITEM_ID,
                "content_index": integer(minimum=0),
                "audio_end_ms": integer(minimum=0),
            },
            {},
        ),
        "response.create": ({}, {"response": response}),
        "response.cancel": ({}, {"response_id": _TEXT}),
    }
    return {name: _event(name, *members) for name, members in shapes.items()}


_GA_EVENTS = _events(_GA_SESSION, _GA_RESPONSE, _item(text="output_text", reference=False))
_BETA_EVENTS = _events(_BETA_SESSION, _BETA_RESPONSE, _item(text="text", reference=False))
