"""What a server says, as it is on the wire: for `ScriptedTransport`."""

from __future__ import annotations

import base64
from typing import Any

Wire = dict[str, Any]


def response_created(response_id: str = "r1") -> Wire:
    return {
        "type": "response.created",
        "response": {"id": response_id, "status": "in_progress", "conversation_id": "c1"},
    }


def response_done(
    response_id: str = "r1", status: str = "completed", *output: Wire, **members: Any
) -> Wire:
    response = {
        "id": response_id,
        "status": status,
        "conversation_id": "c1",
        "output": list(output),
        **members,
    }
    return {"type": "response.done", "response": response}


def audio_delta(item_id: str = "i1", ms: int = 20, response_id: str = "r1") -> Wire:
    return {
        "type": "response.output_audio.delta",
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(bytes(48 * ms)).decode(),
    }


def transcript_delta(text: str, item_id: str = "i1", response_id: str = "r1") -> Wire:
    return {
        "type": "response.output_audio_transcript.delta",
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": 0,
        "delta": text,
    }


def item_added(item_id: str, role: str = "user", *content: Wire, after: str | None = None) -> Wire:
    return {
        "type": "conversation.item.added",
        "previous_item_id": after,
        "item": {"id": item_id, "type": "message", "role": role, "content": list(content)},
    }


def call_item(name: str, arguments: str = "{}", call_id: str = "call1") -> Wire:
    return {
        "id": f"item_{call_id}",
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def call_done(
    name: str, arguments: str = "{}", call_id: str = "call1", response_id: str = "r1"
) -> Wire:
    return {
        "type": "response.function_call_arguments.done",
        "response_id": response_id,
        "item_id": f"item_{call_id}",
        "output_index": 0,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def item_done(item: Wire, response_id: str = "r1") -> Wire:
    return {
        "type": "response.output_item.done",
        "response_id": response_id,
        "output_index": 0,
        "item": item,
    }


def error(code: str, message: str = "no", **members: Any) -> Wire:
    return {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": code, "message": message, **members},
    }
