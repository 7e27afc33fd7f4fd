"""A Realtime conversation as a request to a chat endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from realtime_actors.items import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputImage,
    MessageItem,
)
from realtime_actors.server.engines.brain.words_said import words_of
from realtime_actors.server.engines.interfaces import BrainRequest

__all__ = ["chat_request"]

Message = dict[str, Any]


def chat_request(request: BrainRequest, *, model: str | None) -> dict[str, Any]:
    """Return the body of the request. What a chat endpoint has no word for is left out."""
    body: dict[str, Any] = {
        "messages": list(_messages(request)),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if model is not None:
        body["model"] = model
    if request.max_output_tokens is not None:
        body["max_tokens"] = request.max_output_tokens
    tools = [_tool(tool) for tool in request.tools if tool.get("type") == "function"]
    if tools:
        body |= {"tools": tools, "tool_choice": _tool_choice(request.tool_choice)}
    return body


def _tool(tool: Mapping[str, object]) -> dict[str, Any]:
    function = {
        key: tool[key] for key in ("name", "description", "parameters", "strict") if key in tool
    }
    return {"type": "function", "function": function}


def _tool_choice(choice: str | Mapping[str, object]) -> object:
    if isinstance(choice, Mapping) and "name" in choice:
        return {"type": "function", "function": {"name": choice["name"]}}
    return choice


def _messages(request: BrainRequest) -> Iterator[Message]:
    if request.instructions:
        yield {"role": "system", "content": request.instructions}
    outputs = {
        item.call_id: item.output
        for item in request.items
        if isinstance(item, FunctionCallOutputItem)
    }
    calls: list[tuple[FunctionCallItem, str]] = []
    for item in request.items:
        match item:
            case FunctionCallItem():
                # Chat endpoints refuse a call without an output: it is not theirs to know yet.
                if (output := outputs.get(item.call_id or "")) is not None:
                    calls.append((item, output))
            case MessageItem():
                yield from _called(calls)
                calls = []
                if message := _message(item):
                    yield message
            case _:
                pass  # an output goes with its call; of the rest chat endpoints know nothing
    yield from _called(calls)


def _called(calls: Sequence[tuple[FunctionCallItem, str]]) -> Iterator[Message]:
    """Put calls that were made together into one message, and their outputs behind it."""
    if not calls:
        return
    yield {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call, _ in calls
        ],
    }
    for call, output in calls:
        yield {"role": "tool", "tool_call_id": call.call_id, "content": output}


def _message(item: MessageItem) -> Message | None:
    words = words_of(item)
    images = [part for part in item.content if isinstance(part, InputImage)]
    if images:
        return {"role": item.role, "content": [*_text_part(words), *map(_image_part, images)]}
    return {"role": item.role, "content": words} if words else None


def _text_part(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": words}] if words else []


def _image_part(image: InputImage) -> dict[str, Any]:
    detail = {"detail": image.detail} if image.detail else {}
    return {"type": "image_url", "image_url": {"url": image.image_url, **detail}}
