"""Rules for the settings of a session and of a response, in both dialects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from realtime_actors.server.refusals import Refused
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

__all__ = [
    "BETA_RESPONSE",
    "BETA_SESSION",
    "BETA_TRANSCRIPTION_SESSION",
    "GA_RESPONSE",
    "GA_SESSION",
]

_TEXT = string()

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
_NOISE_REDUCTION = obj(
    {"type": one_of("near_field", "far_field"), "strength": number(minimum=0.0)},
    required=("type",),
)
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
_MAX_TOKENS = either(str, literal("inf"), integer(minimum=1, maximum=32_000))
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


def _modalities(*combinations: tuple[str, ...]) -> Check:
    check_words = array(one_of("audio", "text"))

    def check(value: object, place: str) -> None:
        check_words(value, place)
        words = cast(Sequence[str], value)
        if not any(set(words) == set(each) for each in combinations):
            supported = " and ".join(str(list(each)) for each in combinations)
            raise Refused(
                f"Invalid modalities: {list(words)}. Supported combinations are: {supported}.",
                code="invalid_value",
                param=place,
            )

    return check


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
    "output_modalities": _modalities(("text",), ("audio",)),
    "max_output_tokens": _MAX_TOKENS,
    "parallel_tool_calls": boolean,
    "reasoning": _REASONING,
}
_BETA_SHARED: Mapping[str, Check] = {
    **_SHARED,
    "modalities": _modalities(("text",), ("audio", "text")),
    "voice": _VOICE,
    "output_audio_format": _FLAT_FORMAT,
    "max_response_output_tokens": _MAX_TOKENS,
    "temperature": _TEMPERATURE,
}
GA_SESSION = tagged(
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
_BETA_INPUT: Mapping[str, Check] = {
    **_SERVERS_OWN,
    "input_audio_format": _FLAT_FORMAT,
    "input_audio_transcription": _TRANSCRIPTION,
    "input_audio_noise_reduction": _NOISE_REDUCTION,
    "turn_detection": _TURN_DETECTION,
    "include": _INCLUDE,
    "client_secret": anything,
}
BETA_SESSION = obj(
    {**_BETA_SHARED, **_BETA_INPUT, "model": _TEXT, "speed": _SPEED, "tracing": _TRACING}
)
BETA_TRANSCRIPTION_SESSION = obj(_BETA_INPUT)

_RESPONSE: Mapping[str, Check] = {
    "conversation": one_of("auto", "none"),
    "metadata": _METADATA,
}
GA_RESPONSE: Mapping[str, Check] = {
    **_GA_SHARED,
    **_RESPONSE,
    "audio": obj({"output": obj({"format": _FORMAT, "voice": _VOICE})}),
}
"""All of a response's members but its `input`, which is made of items."""
# The beta interface takes the limit of tokens under its later name as well.
BETA_RESPONSE: Mapping[str, Check] = {
    **_BETA_SHARED,
    **_RESPONSE,
    "max_output_tokens": _MAX_TOKENS,
}
