"""The plain transport: websocket-client's own parser, and a thread for each connection.

The reference for the fast one, and the way out where that one fails: neither our parser has a
part in it, nor does one connection wait for another. What websocket-client lets pass, our own
rules of RFC 6455 refuse.
"""

from __future__ import annotations

from collections.abc import Callable

import websocket

from realtime_actors.errors import TransportError
from realtime_actors.protocol import Dialect
from realtime_actors.transport.base import ConnectOptions
from realtime_actors.transport.frames import (
    CLOSE,
    PROTOCOL_ERROR,
    TEXT,
    FrameRules,
    Message,
    check_length,
    check_text,
    parse_close,
)
from realtime_actors.transport.io_thread import IoThreads
from realtime_actors.transport.websocket import WebSocketTransport

__all__ = ["ReferenceParser", "plain_transport"]

_threads = IoThreads(None, name="realtime-plain")


def plain_transport(options: ConnectOptions, dialect: Dialect) -> WebSocketTransport:
    """Return a transport that websocket-client reads, in a thread of its own."""
    return WebSocketTransport(options, dialect, io_threads=_threads, make_parser=ReferenceParser)


class ReferenceParser:
    """websocket-client as a parser: see `frames.Parser`.

    It asks for bytes one piece after the other, and remembers how far it has come when there
    are no more.
    """

    def __init__(self, max_message_size: int) -> None:
        self._websocket = _WithoutSocket(self._take, FrameRules(max_message_size))
        self._data = b""
        self._taken = 0
        self._closed = False

    def feed(self, data: bytes, messages: list[Message]) -> None:
        """See `Parser.feed`."""
        self._data, self._taken = data, 0
        while not self._closed:
            try:
                opcode, frame = self._websocket.recv_data_frame(control_frame=True)
            except _UsedUpError:
                return
            except websocket.WebSocketException as error:
                raise TransportError(f"an illegal frame: {error}", code=PROTOCOL_ERROR) from error
            if opcode == TEXT:
                check_text(frame.data)
            elif opcode == CLOSE:
                parse_close(frame.data)
                self._closed = True
            messages.append((opcode, frame.data))

    def _take(self, size: int) -> bytes:
        piece = self._data[self._taken : self._taken + size]
        if not piece:
            raise _UsedUpError
        self._taken += len(piece)
        return piece


class _UsedUpError(Exception):
    """All was parsed that has come so far."""


class _WithoutSocket(websocket.WebSocket):
    """websocket-client's WebSocket, which only reads: the connection gives the answers."""

    def __init__(self, take: Callable[[int], bytes], rules: FrameRules) -> None:
        super().__init__(skip_utf8_validation=True, enable_multithread=False)
        self.frame_buffer = _Frames(take, rules)

    def pong(self, payload: str | bytes = b"") -> None:
        """Send nothing."""

    def send_close(self, status: int = 1000, reason: str | bytes = b"") -> None:
        """Send nothing."""


class _Frames(websocket.frame_buffer):
    """websocket-client's parser of frames, taught what it lets pass."""

    def __init__(self, take: Callable[[int], bytes], rules: FrameRules) -> None:
        super().__init__(take, skip_utf8_validation=True)
        self._rules = rules

    def recv_length(self) -> None:
        super().recv_length()
        assert self.header is not None  # read by now
        assert self.length is not None
        fin, rsv1, rsv2, rsv3, opcode, masked, length_bits = self.header
        if masked or length_bits >= 126:
            check_length(masked << 7 | length_bits, self.length)
        self._rules.check(fin << 7 | rsv1 << 6 | rsv2 << 5 | rsv3 << 4 | opcode, self.length)
