"""Where WebSocket messages end in a stream of bytes, without looking into them."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MessageCounter"]

_HEAD_ENDS = b"\r\n\r\n"
_FINAL, _CONTROL, _MASKED = 0x80, 0x08, 0x80


class MessageCounter:
    """Follows one direction of a connection, from the HTTP head of its upgrade on.

    Pings, pongs and close frames are no messages, and fragments are part of one. What is no
    WebSocket is one endless head.
    """

    def __init__(self) -> None:
        self._head = b""  # the end of what has come of it
        self._in_head = True
        self._header = b""
        self._left = 0  # of the payload that is passing
        self._ends_message = False

    def cut(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Cut at the ends of messages. Give each piece, and whether a message ends with it."""
        start = at = 0
        if self._in_head:
            at = self._skip_head(data)
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                self._header += data[at : at + 1]
                at += 1
                length = _payload_length(self._header)
                if length is None:
                    continue
                first = self._header[0]
                self._ends_message = bool(first & _FINAL) and not first & _CONTROL
                self._left, self._header = length, b""
            if not self._left and not self._header and self._ends_message:
                yield data[start:at], True
                start, self._ends_message = at, False
        if start < len(data):
            yield data[start:], False

    def _skip_head(self, data: bytes) -> int:
        text = self._head + data
        end = text.find(_HEAD_ENDS)
        if end < 0:
            self._head = text[-len(_HEAD_ENDS) + 1 :]
            return len(data)
        at = end + len(_HEAD_ENDS) - len(self._head)
        self._in_head, self._head = False, b""
        return at


def _payload_length(header: bytes) -> int | None:
    """Return how long the frame's payload is, once all of its header is there."""
    if len(header) < 2:
        return None
    short = header[1] & 0x7F
    extra = {126: 2, 127: 8}.get(short, 0)
    key = 4 if header[1] & _MASKED else 0
    if len(header) < 2 + extra + key:
        return None
    return int.from_bytes(header[2 : 2 + extra], "big") if extra else short
