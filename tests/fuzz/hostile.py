"""What nobody sane would send, as chance will have it: for hypothesis, and for a mutator.

Most of it is nearly right, since what is quite wrong is not read far: an event as it should
be, and then a member that is missing, of another type, or out of every range.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any, Final, Literal, TypeAlias

from tests.fuzz.schema import Values, published
from tests.fuzz.states import STATES
from tests.fuzz.targets import ASKS, ENDS, TIME
from tests.protocol.samples import CLIENT_SAMPLES, PAIRS, SERVER_SAMPLES, places

__all__ = ["input_for", "mutated"]

Json: TypeAlias = Any
Side: TypeAlias = Literal["server", "client"]

NUMBERS: Final = (
    *(0, 1, -1, 2, 7, 65_535, 65_536, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400),
    *(0.5, -0.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf),
)
TEXTS: Final = (
    *("", " ", "a", "\x00", "null", "inf", "auto", "none", "[]", "{}", "AAAA", "QQ==", "A"),
    *("\ud83c", "x\udfa7y", "\u202e", "\ufeff", "e\u0301" * 40, "\U0001f3a7" * 20),
    *("w" * 3_000, "zu " * 700, "\u0e01" * 500, "$5. " * 9),
)
DEEP: Final = 60
LONGEST: Final = 64 * 1024
"""Bytes of one event. What is longer takes longer, and no bug needs it."""
NO_JSON: Final = (
    b"",
    b"{",
    b'{"type":',
    b"\xff\xfe",
    b'{"type": "response.done"}{}',
    b"[" * 5_000,
    b'{"type":"session.updated","session":' + b'{"a":' * 2_000 + b"1" + b"}" * 2_001,
    b"\xef\xbb\xbf{}",
    b'{"type":"\xed\xa0\xbc"}',
    b'{"type":"error","type":"response.created"}',
    b"9" * 5_000,
    b"-1e99999",
    b"null",
)
KINDS: Final[Mapping[Side, tuple[str, ...]]] = {
    "server": ("RealtimeServerEvent", "BetaWireServerEvent"),
    "client": ("RealtimeClientEvent", "BetaWireClientEvent"),
}
SAMPLES: Final[Mapping[Side, list[Json]]] = {
    "server": [*SERVER_SAMPLES, *(pair["beta"] for pair in PAIRS if pair["from"] == "server")],
    "client": [*CLIENT_SAMPLES, *(pair["beta"] for pair in PAIRS if pair["from"] == "client")],
}


def input_for(target: str, chance: Random) -> bytes:
    """Make an input for a target."""
    match target:
        case "core":
            begin = b"%d" % chance.randrange(STATES)
            return b"\n".join([begin, *(_line("server", chance) for _ in range(_length(chance)))])
        case "server":
            begin = b"%d" % chance.randrange(2)
            return b"\n".join([begin, *(_line("client", chance) for _ in range(_length(chance)))])
        case "frames":
            return _frames(chance)
        case _:
            return _said(chance.choice(("server", "client")), chance)


def mutated(target: str, data: bytes, chance: Random) -> bytes:
    """Change an input a little, so that it means something still."""
    if target == "frames":
        return _cut_up(data, chance) + _frames(chance)[2:] if data else _frames(chance)
    if target == "codec":
        return _damaged_text(data, chance)
    side: Side = "server" if target == "core" else "client"
    first, *lines = data.split(b"\n")
    at = chance.randrange(len(lines) + 1)
    match chance.randrange(8):
        case 0:
            first = b"%d" % chance.randrange(STATES)
        case 1 | 2:
            lines.insert(at, _line(side, chance))
        case 3 if lines:
            lines.insert(at, chance.choice(lines))
        case 4 if lines:
            lines.pop(at % len(lines))
        case 5 if lines:
            lines[at % len(lines)] = _line(side, chance)
        case _ if lines:
            lines[at % len(lines)] = _damaged_text(lines[at % len(lines)], chance)
    return b"\n".join([first, *lines])


def _length(chance: Random) -> int:
    return chance.choice((1, 2, 3, 5, 8, 20))


def _line(side: Side, chance: Random) -> bytes:
    kind = chance.random()
    if kind < 0.7:
        return _said(side, chance).replace(b"\n", b" ")
    sign = chance.choice((TIME, ENDS, ENDS, ASKS))
    return sign + b"%d" % chance.choice((0, 1, 2, 3, 5, 40, chance.randrange(10_000)))


def _said(side: Side, chance: Random) -> bytes:
    """Make what one side says: an event, a damaged one, or none."""
    kind = chance.random()
    if kind < 0.05:
        return chance.choice(NO_JSON)
    event = _event(side, chance)
    said = _text(event)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        _damage(event, chance)
    damaged = _text(event)
    return damaged if len(damaged) <= LONGEST else said


def _event(side: Side, chance: Random) -> Json:
    schemas = _schemas(side)
    if schemas and chance.random() < 0.6:
        return chance.choice(schemas).event(chance, _name)
    event = copy.deepcopy(chance.choice(SAMPLES[side]))
    if chance.random() < 0.8:
        _rename(event, chance)
    return event


@cache
def _schemas(side: Side) -> tuple[Values, ...]:
    found = (published(kind) for kind in KINDS[side])
    return tuple(each for each in found if each is not None)


def _rename(value: Json, chance: Random) -> None:
    """Speak of what there is in the conversation."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and _is_id(name):
                value[name] = _name(chance, name)
            else:
                _rename(inner, chance)
    elif isinstance(value, list):
        for inner in value:
            _rename(inner, chance)


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def _name(chance: Random, member: str) -> str:
    """Choose a text for a member: an id that the other side may know, most likely."""
    number = chance.randrange(1, 9)
    match member:
        case "response_id":
            return f"resp_{number}"
        case "item_id" | "previous_item_id":
            return f"item_{number}"
        case "call_id":
            return f"call_{number}"
        case "event_id":
            return f"ra_{number}"
        case "id":
            return chance.choice((f"resp_{number}", f"item_{number}", f"item_{number}"))
        case "audio" | "delta":
            return chance.choice(("AAAA", "QUJDRA==", "", "A" * 4_000, "Hello. ", "A"))
        case "arguments":
            return chance.choice(("{}", '{"city": "Rome"}', "", "null", "{", "[]", '"\\ud83c"'))
        case "name":
            return chance.choice(("weather", "pay", "transfer_to_billing", "dance"))
    return chance.choice(("Good morning.", "It costs $5. ", "word", *TEXTS[:6]))


def _damage(event: Json, chance: Random) -> None:
    """Replace something in an event, or take it out."""
    where = places(event)
    if not where:
        return
    *way, last = chance.choice(where)
    inner = event
    for key in way:
        inner = inner[key]
    match chance.randrange(5):
        case 0 if isinstance(inner, dict):
            del inner[last]
        case 1 if isinstance(inner, dict):
            inner[chance.choice(("item", "id", "content", "response", "x\ud83c"))] = inner[last]
        case 2 if isinstance(inner, list):
            inner.extend([inner[last]] * chance.choice((1, 3, 300)))
        case _:
            inner[last] = _anything(chance, inner[last])


def _anything(chance: Random, instead_of: Json) -> Json:
    match chance.randrange(8):
        case 0 | 1:
            return chance.choice(NUMBERS)
        case 2 | 3:
            return chance.choice(TEXTS)
        case 4:
            return chance.choice((None, True, False, [], {}, [None], [[]], {"": {}}))
        case 5:
            deep: Json = instead_of
            for _ in range(chance.choice((1, 3, DEEP))):
                deep = [deep] if chance.random() < 0.5 else {"content": deep}
            return deep
        case 6:
            return [copy.deepcopy(instead_of)] * chance.choice((0, 2, 50))
        case _:
            return str(instead_of) if isinstance(instead_of, int) else 1


def _text(value: Json) -> bytes:
    return json.dumps(value).encode()


def _damaged_text(data: bytes, chance: Random) -> bytes:
    """Damage the event that a text is, or the text when it is none."""
    if chance.random() < 0.8:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict):
            _damage(event, chance)
            damaged = _text(event)
            return damaged if len(damaged) <= LONGEST else data
    return _cut_up(data, chance)


def _cut_up(data: bytes, chance: Random) -> bytes:
    """Change bytes, whatever they mean."""
    at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    edits: tuple[Callable[[], bytes], ...] = (
        lambda: data[:at] + data[end:],
        lambda: data[:end] + data[at:],
        lambda: data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        lambda: data[:at] + chance.choice(NO_JSON)[:100] + data[at:],
    )
    return chance.choice(edits)()


def _frames(chance: Random) -> bytes:
    """Make WebSocket frames: mostly right, some with a length or a bit that is not."""
    data = bytes([chance.randrange(256), chance.randrange(256)])
    for _ in range(_length(chance)):
        opcode = chance.choice((0, 1, 1, 1, 2, 8, 9, 10, 3))
        final = 0 if opcode < 3 and chance.random() < 0.3 else 0x80
        reserved = chance.choice((0, 0, 0, 0, 0, 0, 0, 0x40))
        payload = chance.choice(
            (b"", b"{}", "gr\u00fcn".encode(), b"\xc3", b"\x03\xe8bye", b"x" * 125, b"y" * 300)
        )
        announced = len(payload) + chance.choice((0, 0, 0, 0, 0, 1, -1))
        data += bytes([final | reserved | opcode]) + _size(max(0, announced), chance) + payload
    return data


def _size(length: int, chance: Random) -> bytes:
    masked = chance.choice((0, 0, 0, 0, 0, 0, 0, 0x80))
    if length < 126 and chance.random() < 0.95:
        return bytes([masked | length])
    if chance.random() < 0.9:
        return bytes([masked | 126]) + length.to_bytes(2, "big")
    return bytes([masked | 127]) + chance.choice((length, 2**63, 70_000)).to_bytes(8, "big")
