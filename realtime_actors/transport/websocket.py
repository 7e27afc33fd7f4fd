"""The fast transport: our own frame parser, on an I/O thread shared by all connections."""

from __future__ import annotations

import socket
import ssl

from realtime_actors.errors import TransportError
from realtime_actors.protocol import Dialect, ServerEvent
from realtime_actors.transport.base import ConnectOptions, Deliver, Disconnected
from realtime_actors.transport.frames import FrameParser, Message
from realtime_actors.transport.io_thread import (
    READ,
    WRITE,
    IoThread,
    IoThreads,
    Wants,
    shared_io_threads,
)
from realtime_actors.transport.link import Link, Phase
from realtime_actors.transport.socket_transport import SocketTransport

__all__ = ["WebSocketTransport"]

# What a connection may read before it is the others' turn. Enough for 45 audio deltas of
# 20 ms; little enough that parsing and decoding them takes about a millisecond.
_READ_BUDGET = 64 * 1024

# TLS gives out one record at a time, of at most this size.
_TLS_RECORD = 16 * 1024

_READING = Wants(READ)
_FINISHED = Wants(0)


class WebSocketTransport(SocketTransport):
    """A connection read by an I/O thread, which it shares with others.

    `io_threads` are the process's own unless given (see `set_io_threads`).
    """

    def __init__(
        self, options: ConnectOptions, dialect: Dialect, *, io_threads: IoThreads | None = None
    ) -> None:
        super().__init__(options, dialect)
        self._io_threads = io_threads or shared_io_threads()

    def _make_link(self, sock: socket.socket, deliver: Deliver) -> Link:
        return _Channel(sock, self._options, self._dialect, deliver, self._io_threads)


class _Channel(Link):
    """The connection as the I/O thread knows it."""

    def __init__(
        self,
        sock: socket.socket,
        options: ConnectOptions,
        dialect: Dialect,
        deliver: Deliver,
        io_threads: IoThreads,
    ) -> None:
        super().__init__(sock, options, dialect, deliver)
        self._io_threads = io_threads
        self._thread: IoThread | None = None
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._parser = FrameParser(options.max_message_size)
        self._untold: list[ServerEvent | Disconnected] = []

    # -- called by the I/O thread ----------------------------------------------------------

    def fileno(self) -> int:
        return self._socket.fileno()

    def arrive(self, thread: IoThread) -> None:
        self._thread = thread

    def turn(self, ready: int) -> Wants:
        try:
            chunks, error = self._transfer(ready)
            if self._phase is Phase.LINGERING:
                if error is not None:
                    return _FINISHED
            elif chunks or error is not None:
                messages: list[Message] = []
                try:
                    for chunk in chunks:
                        self._parser.feed(chunk, messages)
                except TransportError as violation:
                    error = violation
                self._receive(messages, error)
        except Exception as bug:
            self._fail(bug)
        return self._wants()

    def hand_over(self) -> None:
        events, self._untold = self._untold, []
        try:
            if events:
                super()._tell(events)
        except Exception as bug:
            self._fail(bug)
            self._ask_for_turn()

    def let_go(self) -> None:
        self.hand_over()
        self.release()

    def _tell(self, events: list[ServerEvent | Disconnected]) -> None:
        assert self._thread is not None  # it calls us
        if not self._untold:
            self._thread.hand_over_later(self)
        self._untold += events

    def _transfer(self, ready: int) -> tuple[list[bytes], TransportError | None]:
        """Write and read what is possible: what was read, and why there will be no more."""
        chunks: list[bytes] = []
        try:
            with self._lock:
                self._check_deadline()
                if self._phase is not Phase.GONE:
                    if ready & WRITE or self._outbound.wants_read:
                        self._flush()
                    readable = ready & READ or self._read_wants_write
                    if self._reads and (readable or self._phase is Phase.BROKEN):
                        self._read_on(chunks)
        except TransportError as error:
            return chunks, error
        return chunks, None

    def _read_on(self, chunks: list[bytes]) -> None:
        budget = _READ_BUDGET
        while (chunk := self._read(_READ_BUDGET)) is not None:
            chunks.append(chunk)
            if self._tls is None:
                return  # if there is more, the selector will say so
            # What the TLS object holds already has to be taken: no selector sees that.
            budget -= len(chunk)
            done = budget <= 0 or len(chunk) < _TLS_RECORD
            if done and not self._tls.pending():
                return

    def _wants(self) -> Wants:
        phase = self._phase
        if phase is Phase.GONE:
            return _FINISHED
        if (
            phase is Phase.OPEN
            and not self._outbound.size
            and not self._read_wants_write
            and not self._is_paused
        ):
            return _READING  # nearly always; and the thread sees at a glance: no change
        return Wants(self._interest(), self._deadline, stays=True)

    def leave_to_parent(self) -> None:
        super().leave_to_parent()
        self._thread = None

    # -- called by anybody -----------------------------------------------------------------

    def start(self) -> None:
        self._io_threads.serve(self)

    def _ask_for_turn(self) -> None:
        if self._thread is not None:  # not started: it gets its first turn then
            self._thread.ask_for_turn(self)

    def _is_reading_thread(self) -> bool:
        return self._thread is not None and self._thread.is_current()

    def _join(self, timeout: float) -> None:
        if self._thread is not None:
            self._thread.join_if_ended(timeout)
