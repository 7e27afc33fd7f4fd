"""Conversation items and the parts of their content, as values and on the wire.

An item is one entry of the conversation: a message, a function call, its output, or
something of MCP. Items are frozen and compared by value. What a server may add is
not lost: an unknown item is an `UnknownItem`, an unknown part an `UnknownPart`, and
an unknown member of an item is in its `extra`.

Audio is bytes here and base64 on the wire. Text, audio and arguments are kept out
of the repr: reprs end up in logs.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

from attrs import evolve, field, fields_dict, frozen

from realtime_actors.content import content
from realtime_actors.errors import ConfigError, did_you_mean

__all__ = [
    "ContentPart",
    "FunctionCallItem",
    "FunctionCallOutputItem",
    "InputAudio",
    "InputImage",
    "InputText",
    "Item",
    "ItemReference",
    "McpApprovalRequestItem",
    "McpApprovalResponseItem",
    "McpCallItem",
    "McpListToolsItem",
    "MessageItem",
    "OutputAudio",
    "OutputText",
    "UnknownItem",
    "UnknownPart",
    "assistant_message",
    "item_from_wire",
    "item_to_wire",
    "items_from_input",
    "message_from_input",
    "part_from_wire",
    "part_to_wire",
    "system_message",
    "user_message",
]

Wire: TypeAlias = Mapping[str, Any]
"""A JSON object as it came, or as it goes out."""


# --- content parts ------------------------------------------------------------------------------


@frozen
class InputText:
    """Text from the user, or from the system."""

    text: str = field(repr=content)


@frozen(kw_only=True)
class InputAudio:
    """The user's speech. The server sends back what it heard, seldom the sound itself."""

    audio: bytes | None = field(default=None, repr=content)
    transcript: str | None = field(default=None, repr=content)
    transcribed: bool = True
    """False when transcription was off, so that there is no transcript. Our own knowledge: it
    doesn't travel."""


@frozen(kw_only=True)
class InputImage:
    """A picture from the user, as a `data:` URI (PNG or JPEG)."""

    image_url: str = field(repr=content)
    detail: str | None = None
    """How closely to look: auto (the server's default), low or high."""


@frozen
class OutputText:
    """Text that the model wrote."""

    text: str = field(repr=content)


@frozen(kw_only=True)
class OutputAudio:
    """Speech of the model."""

    audio: bytes | None = field(default=None, repr=content)
    transcript: str | None = field(default=None, repr=content)
    truncated_at_ms: int | None = None
    """Where the user cut in. Our own knowledge: it doesn't travel."""


@frozen(kw_only=True)
class UnknownPart:
    """A part of a kind that we don't know, or that makes no sense. `raw` is all of it."""

    type: str
    raw: Wire = field(repr=False, hash=False)


ContentPart: TypeAlias = (
    InputText | InputAudio | InputImage | OutputText | OutputAudio | UnknownPart
)


# --- items --------------------------------------------------------------------------------------


@frozen(kw_only=True)
class _Item:
    """What every item has."""

    type = ""
    """The type on the wire."""

    id: str | None = None
    """None: the server will give it one."""
    status: str | None = None
    """completed, incomplete or in_progress."""
    extra: Wire = field(factory=dict, repr=False, hash=False)
    """Members that we have no name for. They go out as they came in."""


@frozen(kw_only=True)
class MessageItem(_Item):
    """What somebody said or wrote. `role` is user, assistant or system."""

    type = "message"

    role: str
    content: tuple[ContentPart, ...] = ()
    phase: str | None = None
    """commentary or final_answer, from models that tell the two apart."""


@frozen(kw_only=True)
class FunctionCallItem(_Item):
    """The model wants a function called. `arguments` is JSON text, as the model wrote it."""

    type = "function_call"

    call_id: str | None = None
    name: str
    arguments: str = field(default="", repr=content)


@frozen(kw_only=True)
class FunctionCallOutputItem(_Item):
    """What a function call gave."""

    type = "function_call_output"

    call_id: str
    output: str = field(repr=content)


@frozen(kw_only=True)
class McpListToolsItem(_Item):
    """The tools that an MCP server offers."""

    type = "mcp_list_tools"

    server_label: str
    tools: tuple[Wire, ...] = field(default=(), repr=content, hash=False)


@frozen(kw_only=True)
class McpCallItem(_Item):
    """A call that the Realtime server made to an MCP server."""

    type = "mcp_call"

    server_label: str
    name: str
    arguments: str = field(default="", repr=content)
    output: str | None = field(default=None, repr=content)
    error: Wire | None = field(default=None, hash=False)
    approval_request_id: str | None = None


@frozen(kw_only=True)
class McpApprovalRequestItem(_Item):
    """The server wants to know whether it may make an MCP call."""

    type = "mcp_approval_request"

    server_label: str
    name: str
    arguments: str = field(default="", repr=content)


@frozen(kw_only=True)
class McpApprovalResponseItem(_Item):
    """Our answer to an `McpApprovalRequestItem`."""

    type = "mcp_approval_response"

    approval_request_id: str
    approve: bool
    reason: str | None = field(default=None, repr=content)


@frozen(kw_only=True)
class ItemReference(_Item):
    """An item of the conversation, by its id: for the `input` of a response."""

    type = "item_reference"


@frozen(kw_only=True)
class UnknownItem(_Item):
    """An item of a kind that we don't know, or that makes no sense. `raw` is all of it."""

    type: str
    raw: Wire = field(repr=False, hash=False)


Item: TypeAlias = (
    MessageItem
    | FunctionCallItem
    | FunctionCallOutputItem
    | McpListToolsItem
    | McpCallItem
    | McpApprovalRequestItem
    | McpApprovalResponseItem
    | ItemReference
    | UnknownItem
)


# --- making messages ----------------------------------------------------------------------------


def user_message(content: str | ContentPart | Iterable[ContentPart]) -> MessageItem:
    """Make a message of the user, out of text or parts."""
    if isinstance(content, str):
        content = InputText(content)
    parts = tuple(content) if isinstance(content, Iterable) else (content,)
    return MessageItem(role="user", content=parts)


def system_message(text: str) -> MessageItem:
    """Make a message of the system: something the model should know from here on."""
    return MessageItem(role="system", content=(InputText(text),))


def assistant_message(text: str) -> MessageItem:
    """Make a message of the model: words put into its mouth."""
    return MessageItem(role="assistant", content=(OutputText(text),))


def message_from_input(message: str | Wire | Item) -> Item:
    """Turn what a program wants to send into an item.

    Takes text (a message of the user), an item, or a mapping in the wire's shape, where
    `type` may be left out of a message and `content` may be plain text. Raises
    `ConfigError` for anything else.
    """
    if isinstance(message, str):
        return user_message(message)
    if isinstance(message, Mapping):
        return _item_from_mapping(message)
    if not isinstance(message, _Item):
        raise ConfigError(f"a message is text, an item or a mapping, not {type(message).__name__}")
    return _checked(message)


def items_from_input(items: Iterable[str | Wire | Item]) -> tuple[Item, ...]:
    """Turn a list of what a program wants to be the conversation into items.

    Each is what `message_from_input` takes. Raises `ConfigError` for anything else, and for a
    lone one: a text is a list too, of its letters.
    """
    if isinstance(items, str | bytes | Mapping | _Item) or not isinstance(items, Iterable):
        raise ConfigError(
            f"a conversation is a list of items, not a lone {type(items).__name__}:"
            " put it into a list, behind those of history() that are to stay"
        )
    return tuple(map(message_from_input, items))


def _checked(item: Item) -> Item:
    """Refuse an item whose members are of the wrong types: nothing checks them when it is made."""
    what = f"a {item.type} item"
    try:
        # What is written is what is read, or it is not what it says that it is.
        wire = item_to_wire(item, encode64=_no_sound)
        read = item_from_wire(wire, decode64=lambda text: b"")
        again = item_to_wire(read, encode64=_no_sound)
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{what} has a member of the wrong type: {error}") from error
    if type(read) is not type(item):
        raise ConfigError(f"{what} has a member of the wrong type, or none where one is needed")
    for name, value in wire.items():
        if again.get(name) != value:
            raise ConfigError(f"{name!r} of {what} is of the wrong type: {value!r:.80}")
    if isinstance(item, MessageItem) and isinstance(read, MessageItem):
        for part, part_read in zip(item.content, read.content, strict=True):
            if type(part_read) is not type(part):
                raise ConfigError(f"a content part of {what} has a member of the wrong type")
        return item if isinstance(item.content, tuple) else evolve(item, content=(*item.content,))
    return item


def _no_sound(audio: bytes) -> str:
    """Stand in for `encode64`: only the type matters, and there may be megabytes of it."""
    if not isinstance(audio, bytes):
        raise TypeError(f"audio is bytes, not {type(audio).__name__}")
    return ""


def _item_from_mapping(given: Wire) -> Item:
    """Read an item that a program wrote: mistakes are refused, where a server's are kept."""
    item = item_from_wire({"type": "message", **given} if "role" in given else given)
    if isinstance(item, UnknownItem):
        if item.type in _NAMES:
            raise ConfigError(f"a {item.type} item lacks a member, or has one of the wrong type")
        raise ConfigError(f"item type is {item.type!r}: {did_you_mean(item.type, _NAMES)}")
    for name in item.extra:
        raise ConfigError(
            f"a {item.type} item has no {name!r}: {did_you_mean(name, _NAMES[item.type])}"
        )
    content = given.get("content")
    if isinstance(item, MessageItem) and isinstance(content, list | tuple):
        for wire, part in zip(content, item.content, strict=True):
            _check_part(wire, part)
    return item


def _check_part(wire: object, part: ContentPart) -> None:
    if isinstance(part, UnknownPart) or not isinstance(wire, Mapping):
        kind = part.type if isinstance(part, UnknownPart) else ""
        raise ConfigError(
            f"content part {kind!r} is unknown, lacks a member, or has one that is wrong: "
            f"{did_you_mean(kind, _PART_TYPES)}"
        )
    understood = part_to_wire(part)
    for name, value in wire.items():
        if value is not None and name not in understood:
            known = fields_dict(type(part))
            why = (
                "it must be text, and audio base64" if name in known else did_you_mean(name, known)
            )
            raise ConfigError(f"{name!r} of a content part {wire['type']!r} is wrong: {why}")
    for name in understood:
        if name not in wire:
            raise ConfigError(f"a content part {wire['type']!r} needs {name!r}")


# --- from the wire ------------------------------------------------------------------------------


def decode64(text: str) -> bytes:
    """Decode base64 with the standard library. Raises `ValueError` when it is none."""
    return binascii.a2b_base64(text, strict_mode=True)


def encode64(audio: bytes) -> str:
    """Encode as base64 with the standard library."""
    return binascii.b2a_base64(audio, newline=False).decode("ascii")


def item_from_wire(wire: object, *, decode64: Callable[[str], bytes] = decode64) -> Item:
    """Read an item, in the shape of either dialect. Never raises.

    Optional members may be null, and unknown ones are kept in `extra`. What can't be an
    item that we know is an `UnknownItem`; the parts of a message likewise. `decode64`
    turns base64 into bytes, and raises `ValueError` when it can't.
    """
    if not isinstance(wire, Mapping):
        return UnknownItem(type="", raw={})
    text = partial(_text, wire)
    kind = text("type") or ""
    common: dict[str, Any] = {"id": text("id"), "status": text("status")}
    if kind in _NAMES:
        named = _NAMES[kind]
        common["extra"] = {name: value for name, value in wire.items() if name not in named}
    match wire:
        case {"type": "message", "role": str(role)}:
            content = _parts_from_wire(wire.get("content"), role, decode64)
            return MessageItem(role=role, content=content, phase=text("phase"), **common)
        case {"type": "function_call", "name": str(name)}:
            return FunctionCallItem(
                call_id=text("call_id"), name=name, arguments=_arguments(wire), **common
            )
        case {"type": "function_call_output", "call_id": str(call_id), "output": str(output)}:
            return FunctionCallOutputItem(call_id=call_id, output=output, **common)
        case {"type": "mcp_list_tools", "server_label": str(label)}:
            tools = wire.get("tools")
            tools = tools if isinstance(tools, list) else []
            offered = tuple(tool for tool in tools if isinstance(tool, Mapping))
            return McpListToolsItem(server_label=label, tools=offered, **common)
        case {"type": "mcp_call", "server_label": str(label), "name": str(name)}:
            error = wire.get("error")
            return McpCallItem(
                server_label=label,
                name=name,
                arguments=_arguments(wire),
                output=text("output"),
                error=error if isinstance(error, Mapping) else None,
                approval_request_id=text("approval_request_id"),
                **common,
            )
        case {"type": "mcp_approval_request", "server_label": str(label), "name": str(name)}:
            return McpApprovalRequestItem(
                server_label=label, name=name, arguments=_arguments(wire), **common
            )
        case {
            "type": "mcp_approval_response",
            "approval_request_id": str(request_id),
            "approve": bool(approve),
        }:
            return McpApprovalResponseItem(
                approval_request_id=request_id, approve=approve, reason=text("reason"), **common
            )
        case {"type": "item_reference", "id": str()}:
            return ItemReference(**common)
        case _:
            return UnknownItem(type=kind, raw=wire, id=common["id"], status=common["status"])


def part_from_wire(
    wire: object, *, role: str = "assistant", decode64: Callable[[str], bytes] = decode64
) -> ContentPart:
    """Read one part of the content of a message of `role`. Never raises.

    The beta interface, and the `response.content_part` events of both, say `text` and
    `audio`: whose it is depends on the role then.
    """
    if not isinstance(wire, Mapping):
        return UnknownPart(type="", raw={})
    kind = _text(wire, "type") or ""
    try:
        match _GENERAL_PARTS.get((kind, role == "assistant"), kind):
            case "input_text":
                return InputText(_text(wire, "text") or "")
            case "output_text":
                return OutputText(_text(wire, "text") or "")
            case "input_audio":
                return InputAudio(**_sound(wire, decode64))
            case "output_audio":
                return OutputAudio(**_sound(wire, decode64))
            case "input_image" if isinstance(wire["image_url"], str):
                return InputImage(image_url=wire["image_url"], detail=_text(wire, "detail"))
    except (KeyError, ValueError):  # no image in an image, no base64 in audio
        pass
    return UnknownPart(type=kind, raw=wire)


_GENERAL_PARTS = {
    ("text", True): "output_text",
    ("text", False): "input_text",
    ("audio", True): "output_audio",
    ("audio", False): "input_audio",
}
_PART_TYPES = ("input_text", "input_audio", "input_image", "output_text", "output_audio")


def _parts_from_wire(
    content: object, role: str, decode64: Callable[[str], bytes]
) -> tuple[ContentPart, ...]:
    if isinstance(content, str):  # out of spec, and there is only one thing it can mean
        return (OutputText(content) if role == "assistant" else InputText(content),)
    if not isinstance(content, list | tuple):
        return ()
    return tuple(part_from_wire(part, role=role, decode64=decode64) for part in content)


def _sound(wire: Wire, decode64: Callable[[str], bytes]) -> dict[str, Any]:
    audio = _text(wire, "audio")
    return {
        "audio": decode64(audio) if audio is not None else None,
        "transcript": _text(wire, "transcript"),
    }


def _text(wire: Wire, name: str) -> str | None:
    value = wire.get(name)
    return value if isinstance(value, str) else None


def _arguments(wire: Wire) -> str:
    """Read the arguments of a call: JSON text, or what some servers make of it already."""
    value = wire.get("arguments")
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else ""
    except (TypeError, ValueError, RecursionError):
        return ""


# --- to the wire --------------------------------------------------------------------------------


def item_to_wire(
    item: Item, *, beta: bool = False, encode64: Callable[[bytes], str] = encode64
) -> dict[str, Any]:
    """Write an item as a JSON object: what is None is left out.

    `beta` writes the names of the beta interface. `encode64` turns bytes into base64.
    """
    if isinstance(item, UnknownItem):
        return {"type": item.type, **item.raw}
    wire: dict[str, Any] = {"type": item.type}
    for name in fields_dict(type(item)):
        value = getattr(item, name)
        if name == "content":
            value = [part_to_wire(part, beta=beta, encode64=encode64) for part in value]
        elif name == "tools":
            value = list(value)
        if value is not None and name != "extra":
            wire[name] = value
    return wire | dict(item.extra)


def part_to_wire(
    part: ContentPart, *, beta: bool = False, encode64: Callable[[bytes], str] = encode64
) -> dict[str, Any]:
    """Write a part as a JSON object. `beta` writes `text` and `audio` for the model's own."""
    prefix = "" if beta else "output_"
    match part:
        case InputText(text):
            return {"type": "input_text", "text": text}
        case OutputText(text):
            return {"type": f"{prefix}text", "text": text}
        case InputAudio():
            wire: dict[str, Any] = {"type": "input_audio"}
        case OutputAudio():
            wire = {"type": f"{prefix}audio"}
        case InputImage(image_url=image_url, detail=detail):
            wire = {"type": "input_image", "image_url": image_url}
            return wire if detail is None else {**wire, "detail": detail}
        case UnknownPart():
            return dict(part.raw)
    if part.audio is not None:
        wire["audio"] = encode64(part.audio)
    if part.transcript is not None:
        wire["transcript"] = part.transcript
    return wire


_NAMES: Mapping[str, frozenset[str]] = {
    cls.type: frozenset(fields_dict(cls)) - {"extra"} | {"type", "object"}
    for cls in (
        MessageItem,
        FunctionCallItem,
        FunctionCallOutputItem,
        McpListToolsItem,
        McpCallItem,
        McpApprovalRequestItem,
        McpApprovalResponseItem,
        ItemReference,
    )
}
"""The members that a type of item has a name for. `object` says nothing that `type` doesn't."""
