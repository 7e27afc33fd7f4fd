"""The plain transport: websocket-client's own frames, one thread per connection.

The reference for the fast one, and the way out if that one fails somebody. It keeps the
same promises: what websocket-client doesn't check, our own rules of RFC 6455 do.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable

import websocket

from realtime_actors.errors import TransportError
from realtime_actors.protocol import Dialect
from realtime_actors.seconds import LONGEST_WAIT
from realtime_actors.transport.base import ConnectOptions, Deliver
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
from realtime_actors.transport.link import Link, Phase
from realtime_actors.transport.socket_transport import SocketTransport

__all__ = ["PlainTransport"]

_IGNORED_AT_ONCE = 64 * 1024


class PlainTransport(SocketTransport):
    """A connection read by websocket-client, in a thread of its own."""

    def _make_link(self, sock: socket.socket, deliver: Deliver) -> Link:
        return _Reader(sock, self._options, self._dialect, deliver)


class _Reader(Link):
    """The connection and its thread."""

    def __init__(
        self, sock: socket.socket, options: ConnectOptions, dialect: Dialect, deliver: Deliver
    ) -> None:
        super().__init__(sock, options, dialect, deliver)
        self._websocket = _Protocol(self, options.max_message_size)
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_receiver, selectors.EVENT_READ)
        self._selector.register(sock, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="realtime-plain", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def release(self) -> None:
        self._close_selector()
        super().release()

    def leave_to_parent(self) -> None:
        super().leave_to_parent()
        self._close_selector()

    def _close_selector(self) -> None:
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def read(self, size: int) -> bytes:
        """What websocket-client reads with: waits for 1 to `size` bytes, and writes meanwhile.

        Raises TransportError when there will be no more.
        """
        while True:
            with self._lock:
                self._check_deadline()
                if self._phase is Phase.GONE:
                    raise TransportError("the connection is closed")
                self._flush()
                data = self._read(size) if self._reads else None
                interest, deadline = self._interest(), self._deadline
            if data is not None:
                return data
            self._wait(interest, deadline)

    def _wait(self, interest: int, deadline: float | None) -> None:
        self._select(interest)
        left = LONGEST_WAIT if deadline is None else deadline - time.monotonic()
        for key, _ in self._selector.select(min(max(0.0, left), LONGEST_WAIT)):
            if key.fileobj is self._wake_receiver:
                self._wake_receiver.recv(4096)

    def _select(self, interest: int) -> None:
        known = self._socket in self._selector.get_map()
        if not interest:
            if known:
                self._selector.unregister(self._socket)
        elif known:
            self._selector.modify(self._socket, interest)
        else:
            self._selector.register(self._socket, interest)

    def _run(self) -> None:
        while self._phase not in (Phase.LINGERING, Phase.GONE):
            try:
                self._receive_one()
            except Exception as bug:
                self._fail(bug)
        with contextlib.suppress(TransportError):
            while True:
                self.read(_IGNORED_AT_ONCE)
        self.release()

    def _receive_one(self) -> None:
        messages: list[Message] = []
        broken = None
        try:
            opcode, frame = self._websocket.recv_data_frame()
            if opcode == TEXT:
                check_text(frame.data)
            elif opcode == CLOSE:
                parse_close(frame.data)
            messages.append((opcode, frame.data))
        except TransportError as error:
            broken = error
        except websocket.WebSocketException as error:
            broken = TransportError(f"an illegal frame: {error}", code=PROTOCOL_ERROR)
        self._receive(messages, broken)

    def _ask_for_turn(self) -> None:
        # Full: it will wake up. Closed: it has ended.
        with contextlib.suppress(OSError):
            self._wake_sender.send(b"\0")

    def _is_reading_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _join(self, timeout: float) -> None:
        if self._thread.ident is not None:  # started
            self._thread.join(timeout)


class _Protocol(websocket.WebSocket):
    """websocket-client's WebSocket, with our socket under it."""

    def __init__(self, reader: _Reader, max_message_size: int) -> None:
        super().__init__(skip_utf8_validation=True, enable_multithread=False)
        self.frame_buffer = _Frames(reader.read, FrameRules(max_message_size))
        self._reader = reader

    def pong(self, payload: str | bytes = b"") -> None:
        self._reader.answer_ping(payload.encode() if isinstance(payload, str) else payload)

    def send_close(self, status: int = 1000, reason: str | bytes = b"") -> None:
        """Nothing: the link answers a CLOSE, with the code that it had."""


class _Frames(websocket.frame_buffer):
    """websocket-client's parser of frames, taught what it lets pass."""

    def __init__(self, recv: Callable[[int], bytes], rules: FrameRules) -> None:
        super().__init__(recv, skip_utf8_validation=True)
        self._rules = rules

    def recv_length(self) -> None:
        super().recv_length()
        assert self.header is not None  # read by now
        assert self.length is not None
        fin, rsv1, rsv2, rsv3, opcode, masked, length_bits = self.header
        if masked or length_bits >= 126:
            check_length(masked << 7 | length_bits, self.length)
        self._rules.check(fin << 7 | rsv1 << 6 | rsv2 << 5 | rsv3 << 4 | opcode, self.length)
