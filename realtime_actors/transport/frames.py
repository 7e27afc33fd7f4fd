"""WebSocket frames (RFC 6455), as a client meets them: a parser and a writer, no I/O.

No extension is ever offered, so a reserved bit is always an error. A violation of the RFC is a
`TransportError` that says what was wrong, with the close code for it.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import Protocol, TypeAlias

from realtime_actors.errors import TransportError
from realtime_actors.transport.mask import Mask

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "FrameParser",
    "FrameRules",
    "Message",
    "Parser",
    "build_close",
    "build_frame",
    "check_length",
    "check_text",
    "parse_close",
]

CONTINUATION, TEXT, BINARY = 0x0, 0x1, 0x2
CLOSE, PING, PONG = 0x8, 0x9, 0xA

FIN = 0x80
RESERVED_BITS = 0x70
OPCODE_BITS = 0x0F
MASKED = 0x80
MAX_CONTROL_PAYLOAD = 125

# Close codes that we give (RFC 6455 section 7.4.1).
PROTOCOL_ERROR, INVALID_DATA, TOO_BIG = 1002, 1007, 1009

# Those that may be on the wire: the RFC's, the ones that IANA registered since, and the
# ranges for libraries and applications. 1004 to 1006 and 1015 never travel.
_LEGAL_CLOSE_CODES = frozenset(
    (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, *range(3000, 5000))
)

_SHORT_HEADER = Struct("!BB4s")
_MEDIUM_HEADER = Struct("!BBH4s")
_LONG_HEADER = Struct("!BBQ4s")

Message: TypeAlias = "tuple[int, bytes | bytearray]"
"""An opcode and its payload: a whole TEXT or BINARY message, a CLOSE, PING or PONG."""


def build_frame(opcode: int, payload: bytes, mask: Mask) -> bytes:
    """Return one whole, masked frame: what a client sends."""
    # The key has to be unpredictable (section 10.3), hence the system's randomness.
    key = os.urandom(4)
    size = len(payload)
    if size < 126:
        header = _SHORT_HEADER.pack(FIN | opcode, MASKED | size, key)
    elif size < 65536:
        header = _MEDIUM_HEADER.pack(FIN | opcode, MASKED | 126, size, key)
    else:
        header = _LONG_HEADER.pack(FIN | opcode, MASKED | 127, size, key)
    return header + mask(payload, key)


def build_close(code: int | None, reason: str, mask: Mask) -> bytes:
    """Return a CLOSE frame. The reason is cut to what a control frame can hold."""
    if code is None:
        return build_frame(CLOSE, b"", mask)
    # Cutting may hit the middle of a character: then that goes as well.
    text = reason.encode()[: MAX_CONTROL_PAYLOAD - 2].decode(errors="ignore").encode()
    return build_frame(CLOSE, code.to_bytes(2, "big") + text, mask)


def parse_close(payload: bytes | bytearray) -> tuple[int | None, str]:
    """Return code and reason of a CLOSE frame; (None, "") when it gives none."""
    if not payload:
        return None, ""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or code not in _LEGAL_CLOSE_CODES:
        raise TransportError("a close frame with an illegal code", code=PROTOCOL_ERROR)
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as error:
        raise TransportError(
            "a close frame whose reason is no valid UTF-8", code=INVALID_DATA
        ) from error


def check_text(payload: bytes | bytearray) -> None:
    """Refuse what is no valid UTF-8. Nearly free for ASCII, which most messages are."""
    if payload.isascii():
        return
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise TransportError("a text message that is no valid UTF-8", code=INVALID_DATA) from error


def check_length(second: int, length: int) -> None:
    """Refuse a masked frame, and a length written in more bytes than it needs.

    `second` is the second byte of the frame's header.
    """
    if second & MASKED:
        raise TransportError("a masked frame from the server", code=PROTOCOL_ERROR)
    if (second == 126 and length < 126) or (second == 127 and not 65536 <= length < 2**63):
        raise TransportError("a payload length that is not minimal", code=PROTOCOL_ERROR)


class FrameRules:
    """Which header may come next, and how long its payload may be."""

    def __init__(self, max_message_size: int) -> None:
        self._max_message_size = max_message_size
        self.fragmented = False  # a message has begun whose last fragment is to come
        self._size = 0  # of that message, as announced so far

    def check(self, first: int, length: int) -> None:
        """Take a header into account: its first byte, and the length of its payload."""
        opcode = first & OPCODE_BITS
        if first & RESERVED_BITS:
            raise TransportError("a frame with a reserved bit set", code=PROTOCOL_ERROR)
        if opcode in (CLOSE, PING, PONG):
            if not first & FIN:
                raise TransportError("a control frame in fragments", code=PROTOCOL_ERROR)
            if length > MAX_CONTROL_PAYLOAD:
                raise TransportError(
                    f"a control frame of {length} bytes, allowed are {MAX_CONTROL_PAYLOAD}",
                    code=PROTOCOL_ERROR,
                )
            return
        if opcode in (TEXT, BINARY):
            if self.fragmented:
                raise TransportError(
                    "a new message amid the fragments of another", code=PROTOCOL_ERROR
                )
            self._size = 0
        elif opcode != CONTINUATION:
            raise TransportError(f"a frame with the reserved opcode {opcode}", code=PROTOCOL_ERROR)
        elif not self.fragmented:
            raise TransportError("a continuation of no message", code=PROTOCOL_ERROR)
        self._size += length
        if self._size > self._max_message_size:
            raise TransportError(
                f"a message of {self._size} bytes or more,"
                f" allowed are {self._max_message_size} (max_message_size)",
                code=TOO_BIG,
            )
        self.fragmented = not first & FIN


class Parser(Protocol):
    """Bytes in, whole messages out, wherever the bytes were cut."""

    def feed(self, data: bytes, messages: list[Message]) -> None:
        """Parse, and append each message that is complete.

        Raises `TransportError` with a close code; what came before the violation is in
        `messages` by then, and there is no going on. What follows a CLOSE is ignored.
        """
        ...


class FrameParser:
    """Our own `Parser`: for speed."""

    def __init__(self, max_message_size: int) -> None:
        self._max_message_size = max_message_size
        self._rules = FrameRules(max_message_size)
        # Between two reads at most one of these is unfinished: a header (up to 13 bytes
        # of it), or the payload of the frame that began with `_first`.
        self._header = b""
        self._first = 0
        self._payload = bytearray()
        self._missing = 0
        # The message that comes in fragments, if one does.
        self._opcode = TEXT
        self._fragments = bytearray()
        self._closed = False

    def feed(self, data: bytes, messages: list[Message]) -> None:
        """See `Parser.feed`."""
        if self._closed:
            return
        position = 0
        if self._missing:
            # Collected as it comes: putting 15 MB together at the end would hold up every
            # other connection of this thread.
            position = min(self._missing, len(data))
            self._payload += data if position == len(data) else data[:position]
            self._missing -= position
            if self._missing:
                return
            whole, self._payload = self._payload, bytearray()
            self._finish(self._first, whole, messages)
            if self._closed:
                return
        elif self._header:
            data = self._header + data
            self._header = b""

        # A flood of audio goes through this loop, dozens of messages per read. Hence no
        # call for the frame that nearly all of them are, a whole text message: only the
        # other ones are taken to the rules.
        end = len(data)
        while end - position >= 2:
            first = data[position]
            length = second = data[position + 1]
            start = position + 2
            if second >= 126:
                start += 2 if second == 126 else 8
                if start > end and second <= 127:
                    break
                length = int.from_bytes(data[position + 2 : start], "big")
                if second != 126 or length < 126:
                    check_length(second, length)
            ordinary = first == FIN | TEXT and not self._rules.fragmented
            if not ordinary or length > self._max_message_size:
                self._rules.check(first, length)
            position = start + length
            if position > end:
                self._first, self._missing = first, position - end
                self._payload += data[start:]
                return
            payload = data[start:position]
            if ordinary:
                if not payload.isascii():
                    check_text(payload)
                messages.append((TEXT, payload))
            else:
                self._finish(first, payload, messages)
                if self._closed:
                    return
        self._header = data[position:]

    def _finish(self, first: int, payload: bytes | bytearray, messages: list[Message]) -> None:
        """Take in a frame that is complete, and that the rules have let pass."""
        opcode = first & OPCODE_BITS
        if opcode in (CLOSE, PING, PONG):
            if opcode == CLOSE:
                parse_close(payload)
                self._closed = True
            messages.append((opcode, payload))
            return
        if opcode != CONTINUATION:
            self._opcode = opcode
        if opcode == CONTINUATION or not first & FIN:
            self._fragments += payload
            if not first & FIN:
                return
            payload, self._fragments = self._fragments, bytearray()
        if self._opcode == TEXT:
            check_text(payload)
        messages.append((self._opcode, payload))
